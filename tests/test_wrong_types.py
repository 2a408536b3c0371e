"""A wrong type at a public constructor is refused by name: a class for an instance, a string, None, a fraction."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ntkit import encodings, kernels, networks, tasks
from ntkit.encodings import Basic
from tests.cases import seeded

WRONG = {"class": nn.Linear, "string": "seven", "none": None, "fraction": 1.5, "object": object()}

RIGHT: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("in_dim", "out_dim", "in_features", "out_features", "degree"), lambda: 2),
    **dict.fromkeys(("in_channels", "out_channels", "n_heads"), lambda: 2),
    **dict.fromkeys(("key_channels", "value_channels", "max_degree", "kernel_size"), lambda: 2),
    **dict.fromkeys(("n_frequencies", "n_octaves", "n_bins", "in_size", "width"), lambda: 4),
    **dict.fromkeys(("bandwidth", "max_frequency", "omega_0", "covariance"), lambda: 2.0),
    **dict.fromkeys(("bandwidths", "coefficients"), lambda: [1.0, 2.0]),
    **dict.fromkeys(("plus", "minus", "module"), lambda: nn.Linear(2, 1)),
    **dict.fromkeys(("feature_map", "directions"), lambda: Basic(2)),
    "encoding": lambda: Basic(2),
    "config": lambda: {"otype": "HashGrid", "n_levels": 2},
    "depth": lambda: 6,
    "family": lambda: networks.FAMILIES["siren"],
    "function": lambda: torch.sin,
    "parameters": lambda: 5_000,
    "parts": lambda: Basic(2),
    "trunk": lambda: networks.SkipMLP(Basic(2), width=4, generator=seeded()),
}
"""A right value for each argument that has no default."""

OTHERS = {"conical_frustum", "to_config"}
"""What makes no object: a function of tensors, and one whose error lists what it takes."""

MAKERS = {
    f"{package.__name__}.{name}": getattr(package, name)
    for package in (networks, encodings)
    for name in package.__all__
    if callable(getattr(package, name)) and not name.startswith("Abstract") and name not in OTHERS
} | {"ntkit.kernels.FeatureMap": kernels.FeatureMap, "ntkit.tasks.Budget": tasks.Budget}


def is_wrong(kind: str, parameter: inspect.Parameter) -> bool:
    """Whether the annotation has no place for it; truth is asked of anything, as Python does."""
    annotation = str(parameter.annotation)
    if parameter.annotation is bool:
        return False
    places = {"none": "None", "fraction": "float", "string": "str"}
    return kind not in places or places[kind] not in annotation.replace("Literal", "")


def call(make: Callable[..., Any], values: dict[str, Any]) -> Any:
    """With every argument by its name, where it has one."""
    variable = [
        name
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.kind is parameter.VAR_POSITIONAL
    ]
    rows = [values[name] for name in variable]
    return make(*rows, **{k: v for k, v in values.items() if k not in variable})


@pytest.mark.parametrize("name", MAKERS)
def test_each_argument_is_refused_by_its_name(name: str, unchecked: None) -> None:
    make = MAKERS[name]
    parameters = dict(inspect.signature(make).parameters)
    if list(parameters) == ["args", "kwargs"]:  # of `nn.Module`: there are none
        return
    right = {k: RIGHT[k]() for k, p in parameters.items() if p.default is p.empty}
    call(make, right)
    for argument, parameter in parameters.items():
        for kind, value in WRONG.items():
            if is_wrong(kind, parameter):
                with pytest.raises((TypeError, ValueError), match=f"`{argument}"):
                    call(make, right | {argument: value})


@pytest.mark.parametrize("wrong", [nn.Linear, "seven", 1.5], ids=["class", "string", "fraction"])
def test_a_training_names_its_network_and_its_generator(wrong: Any, unchecked: None) -> None:
    task, budget = tasks.Signal(torch.rand(9, generator=seeded()), n_axes=1), tasks.Budget(steps=2)
    with pytest.raises(TypeError, match="`network` must be a"):
        tasks.train(wrong, task, budget)
    with pytest.raises(TypeError, match=r"`generator` must be .*`torch.Generator\(\).manual_seed"):
        tasks.train(nn.Linear(1, 1), task, budget, generator=wrong)
    with pytest.raises(TypeError, match="`generator` must be"):
        tasks.circles(5, generator=wrong)
