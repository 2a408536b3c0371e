"""What all figures look like; no plotting package is loaded before a figure is drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "STYLE", "WIDTH", "Values", "array"]

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

WIDTH = 5.4
"""Inches of a figure: letters of 10 points are then 9 pixels high on a telephone of 390 pixels."""

Values = Tensor | np.ndarray | Sequence[float]
"""What a figure draws: numbers of any package, on any device."""


def array(values: Values) -> np.ndarray:
    """The numbers as float64, detached and on the CPU: what matplotlib takes."""
    return torch.as_tensor(values).detach().cpu().double().numpy()
