"""Kernels beyond the range of their numbers."""

from math import isfinite

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError

__all__ = ["check_range"]

_LOOKED_AT = 32
"""Rows of a matrix that are looked at for what is not finite: points are as long as others are."""


def check_range(table: Tensor) -> None:
    """Refuse a kernel beyond the range of its numbers; of a large table some rows are looked at.

    Raises:
        NumericalError: An entry is infinite or NaN.
    """
    rows = table.detach()[:: max(1, len(table) // _LOOKED_AT)]
    if not isfinite(float(rows.sum())) and not bool(torch.isfinite(rows).all()):
        wider = " or in float64" if table.dtype == torch.float32 else ""
        raise NumericalError(
            f"The kernel at these points is beyond the range of {table.dtype}: they are too long, or its "
            f"layers grow too fast. Pass shorter points{wider}, or a smaller `w_std`."
        )
