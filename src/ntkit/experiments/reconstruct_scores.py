"""How near pictures are to the truth."""

from math import inf, log10

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from ntkit.tasks.similarity import WINDOW, ssim

__all__ = ["covered", "modulus", "scores_of"]

_NINE_IN_TEN = 1.6449
"""Standard deviations on each side that hold 90 % of a Gaussian."""


def modulus(picture: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """What is shown and judged of a picture: of complex numbers their size."""
    return picture.abs() if picture.is_complex() else picture


def scores_of(
    picture: Shaped[Tensor, "..."],
    truth: Shaped[Tensor, "..."],
    seen: Bool[Tensor, "..."] | None = None,
) -> dict[str, float]:
    """PSNR in dB, and SSIM of pictures of two axes; the peak is the range of the truth.

    Args:
        picture: Of the truth's shape.
        truth: What it should be.
        seen: Pixels that count for the PSNR; all by default.
    """
    found, true = modulus(picture).double(), modulus(truth).double()
    low, peak = float(true.min()), float(true.max() - true.min()) or 1.0
    wrong = (found - true).square()
    error = float((wrong if seen is None else wrong[seen]).mean()) / peak**2
    scores = {"psnr": inf if error <= 0 else -10 * log10(error)}
    n_outputs = true.shape[-1] if true.ndim == 3 and true.shape[-1] <= 4 else None
    if (true.ndim == 2 or n_outputs) and min(true.shape[:2]) >= WINDOW:
        planes = [(v - low) / peak for v in (found, true)]
        scores["ssim"] = ssim(*(p if n_outputs else p[..., None] for p in planes))
    return scores


def covered(
    picture: Shaped[Tensor, "..."],
    deviation: Shaped[Tensor, "..."] | None,
    truth: Shaped[Tensor, "..."],
) -> float | None:
    """Share of the true pixels within the 90 % error bars; None of complex pictures, and without error bars."""
    if deviation is None or picture.is_complex() or truth.is_complex():
        return None
    inside = (picture - truth).abs() <= _NINE_IN_TEN * torch.as_tensor(deviation)
    return float(inside.double().mean())
