"""Frames of films."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from ntkit.figures.grid import grid_figure
from ntkit.figures.style import Values, array

__all__ = ["film_figure"]


def film_figure(
    fields: Sequence[tuple[str, Values]],
    *,
    n_frames: int = 4,
    rate: float | None = None,
    limits: tuple[float, float] = (0, 1),
) -> Figure:
    """A strip of frames at equal distances in time, one row a field.

    Args:
        fields: Name, and values `[t, h, w]` or `[t, h, w, o]`; the truth first.
        n_frames: Frames to draw, the first and the last included; fewer where there are fewer.
        rate: Frames a second, for the titles; numbers of frames if left out.
        limits: What is black and what is white.

    Example:
        >>> import numpy as np
        >>> figure = film_figure([("film", np.zeros((8, 6, 6, 3)))], n_frames=4)
        >>> len(figure.axes) >= 4
        True
    """
    films = [array(values) for _, values in fields]
    length = len(films[0])
    frames = np.linspace(0, length - 1, min(n_frames, length)).round().astype(int).tolist()
    return grid_figure(
        [[film[i] for i in frames] for film in films],
        rows=[name for name, _ in fields],
        columns=[f"frame {i}" if rate is None else f"{i / rate:.3g} s" for i in frames],
        limits=limits,
    )
