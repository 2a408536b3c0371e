"""Gradient flow mode by mode: each eigenvector of the kernel fades at the rate of its eigenvalue."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ntkit.dynamics import GradientFlow
from ntkit.encodings import Identity
from ntkit.grids import Grid
from ntkit.kernels import InfiniteKernel, ntk
from ntkit.networks import mlp
from ntkit.spectra import Spectrum, spectrum
from ntkit.studio.asks import Ask, Reply, number, numbers
from ntkit.studio.desk import Desk

__all__ = ["ASKS", "N_POINTS", "kernel", "points"]

N_POINTS = 12
"""Few enough that each mode can be drawn and each point be moved."""


def kernel() -> InfiniteKernel:
    """The NTK of a ReLU network of two hidden layers on a line."""
    return ntk(mlp(Identity(1), 1, width=64, depth=2, parametrisation="ntk"))


def points() -> Tensor:
    """Equally spaced from -1 to 1."""
    return Grid(N_POINTS, origin=-1.0, spacing=2 / (N_POINTS - 1)).points()


def _known(desk: Desk) -> Spectrum:
    return desk.drawer("modes").kept(
        "spectrum", lambda: spectrum(kernel(), points(), method="dense")
    )


def fade(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The residual at a time, and what of each mode is in it."""
    time = number(values, "time", 0, 1e9)
    target = torch.as_tensor(numbers(values, "target", -2, 2, most=N_POINTS), dtype=torch.float64)
    known, x = _known(desk), points()
    learned = GradientFlow(kernel(), x, target).predict(x, [time])[0]
    left = target - learned
    yield Reply({
        "x": x[:, 0].tolist(),
        "left": left.tolist(),
        "learned": learned.tolist(),
        "eigenvalues": known.eigenvalues.tolist(),
        "before": known.coefficients(target)[:, 0].tolist(),
        "after": known.coefficients(left)[:, 0].tolist(),
    })


def shapes(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The modes themselves, of root mean square 1."""
    del values
    known = _known(desk)
    yield Reply({"modes": known.eigenfunctions().T.tolist()})


ASKS: Mapping[str, Ask] = {"fade": Ask(fade), "shapes": Ask(shapes)}
