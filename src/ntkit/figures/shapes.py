"""Surfaces beside each other."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from ntkit.figures.grid import grid_figure
from ntkit.figures.shading import rendered
from ntkit.figures.style import Values, array

__all__ = ["shapes_figure"]

_AZIMUTHS = (30.0, 210.0)
"""Degrees: a shape from its front and from its back."""


def shapes_figure(surfaces: Sequence[tuple[str, Values]], *, up: int = 1) -> Figure:
    """Two sides of surfaces in the unit box, shaded, a column each.

    Args:
        surfaces: Name, and triangles `[f, 3, 3]`, anticlockwise as seen from outside; the truth first.
        up: Which axis is up.

    Example:
        >>> import numpy as np
        >>> triangle = np.array([[[0.2, 0.2, 0.5], [0.8, 0.2, 0.5], [0.5, 0.8, 0.5]]])
        >>> figure = shapes_figure([("one triangle", triangle)])
        >>> len(figure.axes) >= 2
        True
    """
    views = [rendered(array(triangles), _AZIMUTHS, up=up) for _, triangles in surfaces]
    return grid_figure(
        [[view[k] for view in views] for k in range(len(_AZIMUTHS))],
        rows=["one side", "the other"],
        columns=[name for name, _ in surfaces],
    )
