"""How far two surfaces are apart."""

import numpy as np

from ntkit.tasks.shapes.solids import distances, sampled

__all__ = ["chamfer"]

_SAMPLES = 2**15
"""Points of each surface."""


def chamfer(one: np.ndarray, other: np.ndarray, *, n: int = _SAMPLES, seed: int = 0) -> float:
    """The mean distance of a point of one surface from the other, and the reverse, averaged.

    Distances are to the triangles themselves, not to points of them, so that a surface is 0 from itself.

    Args:
        one: Triangles `[f, 3, 3]`.
        other: Triangles `[g, 3, 3]`.
        n: Points that are drawn of each.
        seed: Of the draw.
    """
    draw = np.random.default_rng(seed)
    there = distances(sampled(one, n, draw), other).mean()
    back = distances(sampled(other, n, draw), one).mean()
    return float(there + back) / 2
