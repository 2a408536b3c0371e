"""The structural similarity of pictures (SSIM)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["WINDOW", "ssim"]

WINDOW = 11
"""Pixels along each side of the window."""

_DEVIATION = 1.5
"""Of the Gaussian window, in samples: Wang et al. 2004, section III-C."""

_C1, _C2 = 0.01**2, 0.03**2  # (K L)^2 with the range L = 1


def ssim(found: Float[Tensor, "*batch h w c"], true: Float[Tensor, "*batch h w c"]) -> float:
    """Mean structural similarity of pictures with levels from 0 to 1: 1 where they are equal.

    Over all windows of 11 x 11 pixels that are wholly inside, with Gaussian weights of deviation 1.5, channel by
    channel.

    Args:
        found: A fit.
        true: What it should be.

    Raises:
        ValueError: The shapes differ, or pictures are smaller than the window.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004 (Image quality assessment), eq. 13, K = 0.01 and 0.03.

    Example:
        >>> picture = torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0)).double()
        >>> round(ssim(picture, picture), 6)
        1.0
    """
    if found.shape != true.shape or min(true.shape[-3:-1]) < WINDOW:
        raise ValueError(
            f"`found` {tuple(found.shape)} and `true` {tuple(true.shape)} must be pictures [h, w, c] of one shape, "
            f"of at least {WINDOW} pixels along each side."
        )
    a, b = (_planes(pictures) for pictures in (found, true))
    mean_a, mean_b = _smoothed(a), _smoothed(b)
    var_a, var_b = _smoothed(a * a) - mean_a**2, _smoothed(b * b) - mean_b**2
    both = _smoothed(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    bottom = (mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2)
    return float((top / bottom).mean())


def _planes(pictures: Tensor) -> Tensor:
    """`[n, 1, h, w]`, float64: each channel of each picture."""
    channels = pictures.double().movedim(-1, -3)
    return channels.reshape(-1, 1, *channels.shape[-2:])


def _smoothed(planes: Tensor) -> Tensor:
    """Gaussian means over all windows that are inside."""
    at = torch.arange(WINDOW, dtype=planes.dtype, device=planes.device) - WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * _DEVIATION**2))
    weights = weights / weights.sum()
    rows = nn.functional.conv2d(planes, weights[None, None, :, None])
    return nn.functional.conv2d(rows, weights[None, None, None, :])
