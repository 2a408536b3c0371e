"""Signals of one coordinate as sums of waves of whole cycles."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor

__all__ = ["amplitudes", "waves"]


def amplitudes(values: Float[Tensor, " n"]) -> Float[Tensor, " r"]:
    """How high each wave of a signal on a period is, by its whole cycles `0 .. n // 2`.

    Args:
        values: Equally spaced over one period, the end point excluded.

    Example:
        >>> x = torch.arange(64) / 64
        >>> found = amplitudes(2 + 3 * torch.sin(2 * torch.pi * 5 * x + 1))
        >>> [round(float(found[k]), 4) for k in (0, 1, 5)]
        [2.0, 0.0, 3.0]
    """
    values = finite("values", floating_tensor("values", values))
    n = len(values)
    found = torch.fft.rfft(values.double()).abs() / n
    found[1 : (n + 1) // 2] *= (
        2  # all but the constant, and the fastest of an even number of samples
    )
    return found.to(values.dtype)


def waves(
    x: Float[Tensor, " n"], cycles: Sequence[int], heights: Sequence[float]
) -> Float[Tensor, " n"]:
    """`sum_k h_k sin(2 pi k x + k)`: waves of given heights, each with a phase of its own.

    Args:
        x: Coordinates; the sum has period 1.
        cycles: Whole cycles `k` of each wave.
        heights: `h`, in the same order.

    Raises:
        ValueError: There are not as many heights as cycles.

    Example:
        >>> x = torch.arange(32) / 32
        >>> bool(torch.allclose(amplitudes(waves(x, [3], [0.5]))[3], torch.tensor(0.5)))
        True
    """
    if len(cycles) != len(heights):
        raise ValueError(
            f"`heights` has {len(heights)} entries for {len(cycles)} waves. Give one for each."
        )
    total = torch.zeros_like(x)
    for k, height in zip(cycles, heights, strict=True):
        total = total + height * torch.sin(2 * torch.pi * k * x + k)
    return total
