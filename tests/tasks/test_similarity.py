"""Structural similarity, against scikit-image and by its laws."""

import pytest
import torch

from ntkit.tasks.similarity import ssim
from tests.cases import randn


def pair(height: int = 20, width: int = 33) -> tuple[torch.Tensor, torch.Tensor]:
    picture = randn(height, width, 3).sigmoid()
    return picture, (picture + 0.1 * randn(height, width, 3, seed=1)).clamp(0, 1)


def test_it_is_that_of_scikit_image() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = pair()
    wanted = metrics.structural_similarity(
        a.numpy(),
        b.numpy(),
        data_range=1.0,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(a, b) == pytest.approx(wanted, abs=1e-12)


def test_it_is_symmetric_and_1_for_equal_pictures_alone() -> None:
    a, b = pair()
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, b) == pytest.approx(ssim(b, a))
    assert ssim(a, b) < 0.98


def test_of_several_pictures_it_is_the_mean() -> None:
    a, b = pair()
    both = ssim(torch.stack([a, b]), torch.stack([b, b]))
    assert both == pytest.approx((ssim(a, b) + 1) / 2)


def test_a_window_over_constant_pictures_is_the_formula() -> None:
    """Without variance only the means are compared."""
    a, b = torch.full((11, 11, 1), 0.2), torch.full((11, 11, 1), 0.6)
    wanted = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert ssim(a, b) == pytest.approx(wanted, rel=1e-6)


def test_errors() -> None:
    a, _ = pair(10, 33)
    with pytest.raises(ValueError, match=r"`found` \(10, 33, 3\) and `true` .* at least 11 pixels"):
        ssim(a, a)
