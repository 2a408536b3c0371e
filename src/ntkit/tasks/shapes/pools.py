"""Where a shape is asked for: points in the box, and points near its surface."""

import numpy as np

from ntkit.tasks.shapes.solids import AbstractSolid

__all__ = ["NOISE", "pool"]

NOISE = 0.01
"""Standard deviation of points near the surface along each axis, in sides of the box."""

_LAST = np.nextafter(1.0, 0.0)


def pool(
    solid: AbstractSolid, n_uniform: int, n_near: int, draw: np.random.Generator
) -> np.ndarray:
    """Points `[n_uniform + n_near, 3]` in [0, 1)^3: uniform ones, then those of the surface plus normal noise.

    Source: Tancik et al. 2020, Appendix, "3D shape": uniform points, and points of the surface with noise of 0.01.
    """
    uniform = draw.random((n_uniform, 3))
    near = solid.samples(n_near, draw) + NOISE * draw.standard_normal((n_near, 3))
    return np.concatenate([uniform, np.clip(near, 0.0, _LAST)])
