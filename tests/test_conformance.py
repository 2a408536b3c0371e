"""Every public class stands in its table of `cases.py`, so that the law tests run over it."""

import sys
from inspect import isclass
from types import ModuleType

import pytest

from ntkit import encodings, kernels, measurements, networks, operators, tasks
from ntkit.kernels.infinite.front.reader import Reading
from ntkit.kernels.infinite.meanings import meanings
from ntkit.kernels.infinite.rules.kinds import Attends, Normalises, Pools
from ntkit.kernels.infinite.rules.registry import HasRule
from tests import cases


@pytest.mark.parametrize(
    ("package", "table", "base"),
    [
        (encodings, cases.ENCODINGS, encodings.AbstractEncoding),
        (operators, cases.OPERATORS, operators.AbstractOperator),
        (kernels, cases.KERNELS, kernels.AbstractKernel),
        (measurements, cases.MEASUREMENTS, measurements.AbstractMeasurement),
        (networks, cases.NETWORKS, object),
        (tasks, cases.TASKS, tasks.AbstractTask),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_each_public_class_has_an_instance(package: ModuleType, table: dict, base: type) -> None:
    public = [getattr(package, name) for name in package.__all__]
    concrete = {
        c
        for c in public
        if isclass(c) and issubclass(c, base) and not c.__name__.startswith("Abstract")
    }
    assert concrete == set(table), "a public class and tests/cases.py disagree"


def test_each_layer_with_a_rule_has_a_network() -> None:
    """Those with a rule of their own, and those that the reader knows by their action."""
    known = meanings.types(HasRule, Reading, Pools, Normalises, Attends)
    own = {kind for kind in known if _is_of(kind, "torch") or _is_of(kind, "ntkit")}
    assert own == set(cases.LAYERS)  # tests add some


def _is_of(kind: type, package: str) -> bool:
    """Whether a module of the package holds it, and no example of a docstring."""
    module = kind.__module__
    return module.split(".")[0] == package and hasattr(sys.modules[module], kind.__name__)


@pytest.mark.parametrize("table", [cases.ENCODINGS, cases.OPERATORS, cases.KERNELS], ids=len)
def test_classes_are_final(table: dict) -> None:
    """No class of a table derives from another: what differs is written out, not overridden."""
    for one in table:
        assert not [other for other in table if other is not one and issubclass(one, other)]
