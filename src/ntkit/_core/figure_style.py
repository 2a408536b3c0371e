"""What all figures look like; plain values, so that nothing is loaded before a figure is drawn."""

from typing import Any

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "STYLE"]

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
"""Settings for `matplotlib.rc_context`."""

BLUE, ORANGE, GREEN, GREY = "#1f5fa8", "#d9641e", "#2a9d6f", "#6b7280"
