"""Every public name says what it is, and shows it by an example that runs."""

import ast
import doctest
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("tyro")

import ntkit

SPACES = [ntkit, *(s for name in ntkit.__all__ if inspect.ismodule(s := getattr(ntkit, name)))]


def names() -> Iterator[tuple[ModuleType, str]]:
    """Public names, but for namespaces and for what needs a package that is not here."""
    for space in SPACES:
        for name in space.__all__:
            try:
                value = getattr(space, name)
            except ImportError:
                continue
            if not inspect.ismodule(value):
                yield space, name


def is_plain(value: object) -> bool:
    return not (inspect.isclass(value) or inspect.isroutine(value))


def below(space: ModuleType, name: str) -> str:
    """The string that stands below the assignment of a value, in some file of its package."""
    assert space.__file__ is not None
    for path in sorted(Path(space.__file__).parent.rglob("*.py")):
        for line, after in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", 0)]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                match after:
                    case ast.Expr(ast.Constant(str(text))):
                        return inspect.cleandoc(text)
    return ""


def test_every_public_name_has_an_example() -> None:
    """Those of classes and functions run with the doctests, those of values below."""
    without = {
        f"{space.__name__}.{name}"
        for space, name in names()
        if not is_plain(value := getattr(space, name))
        and ">>> " not in (inspect.getdoc(value) or "")
    }
    assert not without


VALUES = [(space, name) for space, name in names() if is_plain(getattr(space, name))]


@pytest.mark.parametrize(("space", "name"), VALUES, ids=[name for _, name in VALUES])
def test_examples_of_values_run(space: ModuleType, name: str) -> None:
    text = below(space, name)
    example = doctest.DocTestParser().get_doctest(text, dict(vars(space)), name, None, 0)
    runner, report = doctest.DocTestRunner(verbose=False), []
    runner.run(example, out=report.append)
    assert example.examples
    assert not runner.failures, "".join(report)
