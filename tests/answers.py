"""What an object answers, as plain arrays: to compare it with its copy, in this process or in another one.

Another process imports this file and none of the tests, so that it needs no pytest.
"""

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ntkit import dynamics, encodings, kernels, measurements, operators, solvers, tuning
from tests.cases import randn

X, TEST = randn(6, 2), randn(4, 2, seed=2)


@dataclass(frozen=True, eq=False)
class Called:
    """A module, and what it is called on."""

    module: nn.Module
    points: Any


def answers(value: Any) -> list[np.ndarray]:
    """What it answers where it is called, and the numbers of a result."""
    with torch.no_grad():
        found = _asked(value)
    every = found if found is not None else _numbers(value, set())
    return [np.asarray(t.resolve_conj() if isinstance(t, Tensor) else t) for t in every]


def answers_of(pickles: Mapping[str, bytes]) -> dict[str, list[np.ndarray]]:
    """The same of pickled objects."""
    torch.set_num_threads(1)
    return {name: answers(pickle.loads(data)) for name, data in pickles.items()}


def _asked(value: Any) -> list[Tensor] | None:
    if isinstance(value, Called):
        several = isinstance(value.points, tuple)
        return _numbers(
            value.module(*value.points) if several else value.module(value.points), set()
        )
    if isinstance(value, encodings.AbstractEncoding):
        x = randn(5, value.in_dim).sigmoid()
        return [value(x.to(next(value.buffers(), x).dtype))]
    if isinstance(value, measurements.AbstractMeasurement):
        dtype = torch.complex128 if value.is_complex else torch.float64
        data = value(randn(*value.field_shape, 2, dtype=dtype))
        return [data, value.adjoint(data)]
    if isinstance(value, operators.AbstractOperator):
        product = value @ randn(value.shape[1], 2).to(value.dtype)
        return [product, value.diagonal()] if value.shape[0] == value.shape[1] else [product]
    if isinstance(value, kernels.AbstractKernel):
        return [value(X, TEST), value.diag(X)]
    if isinstance(value, dynamics.GaussianProcess | solvers.RidgeFit):
        return _numbers(value.predict(TEST), set())
    if isinstance(value, dynamics.LazyProbe):
        return _numbers(value.history, set())
    if isinstance(value, dynamics.Taylor):
        return [value(X)]
    if isinstance(value, tuning.Rehearsal):
        return _numbers(value.errors, set())
    if hasattr(value, "predict"):
        return _numbers(value.predict(TEST, [0.0, 3.0]), set())
    return None


def _numbers(value: Any, seen: set[int]) -> list[Any]:
    """All numbers that a value holds, in order."""
    if isinstance(value, Tensor):
        return [value.detach().to_dense() if value.layout != torch.strided else value.detach()]
    if isinstance(value, np.ndarray | bool | int | float):
        return [value]
    if id(value) in seen or isinstance(value, FunctionType | MethodType | type):
        return []
    seen.add(id(value))
    if isinstance(value, nn.Module):
        parts = [*value.state_dict().values()]
    elif isinstance(value, list | tuple):
        parts = [*value]
    elif isinstance(value, dict):
        parts = [*value.values()]
    elif type(value).__module__.startswith("ntkit."):
        parts = [*vars(value).values()] if hasattr(value, "__dict__") else []
    else:
        parts = []
    return [number for part in parts for number in _numbers(part, seen)]
