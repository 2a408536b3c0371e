"""The kernel of one hidden layer, `K_a + K_b`, and its expectation as the layer grows."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.encodings import Basic
from ntkit.grids import Grid
from ntkit.kernels import ArcCosine, empirical_ntk, kernel_distance
from ntkit.kernels import Linear as LinearKernel
from ntkit.networks import Linear
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk

__all__ = ["ASKS", "EXPECTED", "WIDTHS", "network"]

WIDTHS = tuple(2**k for k in range(13))
"""Of the hidden layer, from 1 to 4,096."""

EXPECTED = {"a": 0.5 * LinearKernel() * ArcCosine(0), "b": 0.5 * ArcCosine(1)}
"""The expectations of both parts: `<x,x'> (pi - t) / 2 pi`, and `(sin t + (pi - t) cos t) / 2 pi` for unit vectors."""

_ANGLES = Grid(65, origin=0.0, spacing=0.5 / 64)  # in turns, from 0 to half of one
_TRAINED = {"a": ["0.weight"], "b": ["2.weight"]}


def network(width: int, seed: int) -> nn.Sequential:
    """`m^-1/2 sum b_i relu(a_i . x)`, all `a` and `b` standard normal."""
    g = torch.Generator().manual_seed(seed)
    first = Linear(2, width, bias=False, w_std=2**0.5, generator=g)
    return nn.Sequential(first, nn.ReLU(), Linear(width, 1, bias=False, generator=g)).double()


def _circle() -> Tensor:
    """Unit vectors at all angles, the first of them at 0."""
    return Basic(1)(_ANGLES.points().double())


def _row(kernel: Any, x: Tensor) -> Tensor:
    """The kernel of the first point with each."""
    return kernel(x[:1], x)[0]


def measured(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """Both parts of the kernel of one network over the angle between two inputs, and what is expected."""
    del desk
    width = WIDTHS[round(number(values, "width", 0, len(WIDTHS) - 1))]
    net = network(width, round(number(values, "seed", 0, 1e6)))
    x = _circle()
    yield Reply({
        "width": width,
        "angles": (360 * _ANGLES.points()[:, 0]).tolist(),
        "measured": {
            k: _row(empirical_ntk(net, params=p), x).tolist() for k, p in _TRAINED.items()
        },
        "expected": {k: _row(kernel, x).tolist() for k, kernel in EXPECTED.items()},
    })


def rate(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """How far the kernel of each width is from the expectation, relative to it."""
    del desk
    seed = round(number(values, "seed", 0, 1e6))
    x, expected = _circle()[::4], EXPECTED["a"] + EXPECTED["b"]
    found = [kernel_distance(empirical_ntk(network(w, seed)), expected, x) for w in WIDTHS]
    yield Reply({"widths": WIDTHS, "distances": found})


ASKS: Mapping[str, Ask] = {"measured": Ask(measured), "rate": Ask(rate, is_long=True)}
