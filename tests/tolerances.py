"""Every tolerance of the tests: one number a dtype, and a stated factor where it must be looser."""

import torch
from torch import Tensor

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6}
"""Largest error over the largest expected magnitude, for a short chain of well-conditioned steps."""


def assert_near(actual: Tensor, expected: Tensor, *, loosen: float = 1.0) -> None:
    """Compare in the maximum norm, relative to the largest expected entry, by `actual`'s dtype."""
    assert actual.shape == expected.shape
    bound = TOLERANCE[actual.dtype] * loosen
    error = relative_error(actual, expected)
    assert error <= bound, f"relative error {error:.3g}, allowed {bound:.3g}"


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """`max |actual - expected| / max |expected|`, in float64."""
    actual, expected = actual.detach(), expected.detach()
    scale = expected.double().abs().max().clamp_min(1e-300)
    return float((actual.double() - expected.double()).abs().max() / scale)
