"""The door of the closed forms: points in, checked and in float64; values out, in the points' dtype."""

from collections.abc import Callable

from torch import Tensor

from ntkit.kernels.checked_points import checked

__all__ = ["each", "pairs", "rows"]


def pairs(
    kernel: Callable[[Tensor, Tensor | None], Tensor], x1: Tensor, x2: Tensor | None
) -> Tensor:
    """`kernel(z1, z2)` of the points as rows, rounded to the dtype of `x1`.

    Raises:
        ValueError: The points have different numbers of coordinates.
    """
    z1, z2 = rows("x1", x1), None if x2 is None else rows("x2", x2)
    if z2 is not None and z2.shape[1] != z1.shape[1]:
        raise ValueError(
            f"`x2` has points of {z2.shape[1]} coordinates, and `x1` of {z1.shape[1]}."
        )
    return kernel(z1, z2).to(x1.dtype)


def each(kernel: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`kernel(z)` of the points as rows, rounded to the dtype of `x`."""
    return kernel(rows("x", x)).to(x.dtype)


def rows(name: str, x: Tensor) -> Tensor:
    """Finite points `[n, ...]` as float64 rows `[n, d]`: an image counts as its pixels."""
    return checked(name, x, (1, 1))[0].double().flatten(1)
