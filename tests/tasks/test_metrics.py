"""Metrics: sums over batches, errors of known fits, and the words for them."""

from math import inf, isnan, nan

import pytest
import torch

from ntkit.tasks import PSNR, SNR, AbstractMetric, IntersectionOverUnion
from tests.cases import randn

METRICS = pytest.mark.parametrize(
    "metric", [PSNR(), SNR(), IntersectionOverUnion()], ids=lambda m: m.key
)


@METRICS
def test_sums_of_batches_add_up(metric: AbstractMetric) -> None:
    found, true = randn(50, 2), randn(50, 2, seed=1)
    parts = [metric.sums(f, t) for f, t in zip(found.split(7), true.split(7), strict=True)]
    assert torch.allclose(torch.stack(parts).sum(0), metric.sums(found, true))


@METRICS
def test_a_perfect_fit_has_no_error_and_no_rows_have_none(metric: AbstractMetric) -> None:
    true = randn(20, 1)
    assert metric.error(metric.sums(true, true)) == 0
    assert isnan(metric.error(metric.sums(true[:0], true[:0])))


def test_mean_squares_and_decibels() -> None:
    metric, true = PSNR(), randn(30, 3)
    error = metric.error(metric.sums(true + 0.1, true))
    assert error == pytest.approx(0.01)
    assert metric.words(error) == "20.0 dB"
    assert metric.written(inf) == "perfect"
    assert metric.number(nan) == "-"


def test_signal_to_noise_has_no_scale() -> None:
    metric, true = SNR(), randn(30, 3)
    error = metric.error(metric.sums(1.1 * true, true))
    assert error == pytest.approx(0.01)
    assert error == pytest.approx(metric.error(metric.sums(55 * true, 50 * true)))
    assert metric.words(error) == "20.0 dB"
    assert metric.error(metric.sums(true, 0 * true)) == inf


def test_intersection_over_union_is_of_counts() -> None:
    metric, inside = IntersectionOverUnion(), torch.tensor([[1.0], [1.0], [1.0], [0.0], [0.0]])
    logits = torch.tensor([[2.0], [0.1], [-1.0], [3.0], [-2.0]])  # 2 shared of 4
    assert metric.quality(metric.error(metric.sums(logits, inside))) == pytest.approx(0.5)
    assert metric.words(0.5) == "IoU 0.500"
    assert isnan(
        metric.error(metric.sums(torch.full((5, 1), nan), inside))
    )  # diverged, not outside
    nothing = metric.sums(-torch.ones(5, 1), torch.zeros(5, 1))
    assert metric.error(nothing) == 0


def test_signed_distances_and_occupancies_count_alike() -> None:
    metric, distance, found = IntersectionOverUnion(), randn(100, 1), randn(100, 1, seed=2)
    occupied = (distance > 0).double()
    assert torch.equal(metric.sums(found, distance), metric.sums(found, occupied))
