"""Moments of any elementwise function by plain quadrature in numpy, at any angle above 0."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["plane_moments"]

Array = NDArray[np.float64]


def plane_moments(
    function: Callable[[Array], Array],
    slope: Callable[[Array], Array],
    kinks: Sequence[float],
    norms: tuple[float, float],
    angle: float,
    step: float = 1.0,
) -> tuple[float, float, float]:
    """`E[s s]`, `E[s' s']` and `E[(s(u) - s(v))^2]`, all of whose integrands are summed as they are.

    `u, v = a (c x +- d y), b (c x -+ d y)` with the cosine and sine of half the angle. Both axes are
    split where a kink of `u` or of `v` lies, or where two of them cross. Beyond a right angle, `-v` is
    what is near to `u`. Panels are no longer than `step`.
    """
    turn = -1 if angle > np.pi / 2 else 1
    angle = np.pi - angle if turn < 0 else angle
    (a, b), c, d = norms, np.cos(angle / 2), np.sin(angle / 2)
    bends, others = np.array([*kinks, 0.0]), turn * np.array([*kinks, 0.0])
    crossings = (bends[:, None] / a - others / b).ravel() / (2 * d)
    total = np.zeros(3)
    for y, wy in zip(*_panels(crossings, step), strict=True):
        x, wx = _panels(np.concatenate([(bends / a - d * y) / c, (others / b + d * y) / c]), step)
        u, v = a * (c * x + d * y), turn * b * (c * x - d * y)
        first, second = function(u), function(v)
        products = first * second, slope(u) * slope(v), (first - second) ** 2
        total += wy * np.array([p @ wx for p in products])
    return float(total[0]), float(total[1]), float(total[2])


def _panels(splits: Array, step: float) -> tuple[Array, Array]:
    """Gauss and Legendre's rule with 12 nodes a panel, on `[-9, 9]`, with the normal density."""
    ends = np.unique(np.concatenate([np.arange(-9.0, 9.5, step), splits[np.abs(splits) < 9]]))
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = (ends[1:] - ends[:-1])[:, None] / 2
    x = ((ends[1:] + ends[:-1])[:, None] / 2 + half * nodes).ravel()
    return x, (half * weights).ravel() * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
