"""Distributions of random frequencies: their deviation, and the correlation that many of them have."""

from collections.abc import Callable
from math import log, pi, sqrt

import mpmath
import pytest
import torch

from ntkit.encodings import AbstractFourier, Gaussian, Laplace, LogUniform, MultiBandwidth, Uniform
from tests.cases import seeded

M = 40_000
LAGS = [0.01, 0.03, 0.06, 0.11]

KINDS: dict[str, tuple[Callable[..., AbstractFourier], Callable[[float], float]]] = {
    "normal": (Gaussian, lambda s: float(mpmath.exp(-(s**2) / 2))),
    "uniform": (Uniform, lambda s: float(mpmath.sinc(sqrt(3) * s))),
    "laplace": (Laplace, lambda s: 1 / (1 + s**2 / 2)),
    "log-uniform": (LogUniform, lambda s: cosine_integrals(s, 100.0)),
}
"""An encoding, and its correlation along one axis at `s = 2 pi bandwidth delta`."""


def cosine_integrals(s: float, ratio: float) -> float:
    top = s * sqrt(2 * log(ratio) / (1 - ratio**-2))
    return float((mpmath.ci(top) - mpmath.ci(top / ratio)) / mpmath.log(ratio))


@pytest.mark.parametrize(("make", "correlation"), KINDS.values(), ids=KINDS)
def test_bandwidth_is_the_standard_deviation(make: Callable, correlation: Callable) -> None:
    """Within five standard errors; the mean is zero, and the axes have nothing to do with each other."""
    b = make(2, M, [3.0, 7.0], seeded()).frequencies.double()
    for axis, sigma in enumerate([3.0, 7.0]):
        square = b[:, axis] ** 2
        assert abs(float(square.mean()) - sigma**2) < 5 * float(square.std()) / sqrt(M)
        assert abs(float(b[:, axis].mean())) < 5 * sigma / sqrt(M)
    assert abs(float((b[:, 0] * b[:, 1]).mean())) < 5 * 21 / sqrt(M)


@pytest.mark.parametrize(("make", "correlation"), KINDS.values(), ids=KINDS)
def test_correlation_of_many_frequencies(make: Callable, correlation: Callable) -> None:
    """A product over axes, each within five standard errors: a cosine has a deviation below 1."""
    encoding = make(2, M, 3.0, seeded(1))
    for a in LAGS:
        for b in (0.0, 0.05):
            found = float(encoding.correlation(torch.tensor([a, b], dtype=torch.float64)))
            expected = correlation(2 * pi * 3.0 * a) * (correlation(2 * pi * 3.0 * b) if b else 1.0)
            assert abs(found - expected) < 5 / sqrt(M)


@pytest.mark.parametrize("make", [Uniform, Laplace, LogUniform])
def test_one_draw_is_scaled(make: Callable) -> None:
    one = make(2, 50, 1.0, seeded()).frequencies
    torch.testing.assert_close(make(2, 50, 8.0, seeded()).frequencies, 8 * one)
    per_axis = make(2, 50, [2.0, 4.0], seeded())
    torch.testing.assert_close(per_axis.frequencies, one * torch.tensor([2.0, 4.0]))
    assert per_axis.bandwidth == (2.0, 4.0)
    whole = make(2, 50, 8.0, seeded(), integer=True)
    assert torch.equal(whole.frequencies, make(2, 50, 8.0, seeded()).frequencies.round())
    assert whole.bandwidth == 8.0
    with pytest.raises(ValueError, match=r"has 3 entries for `in_dim=2` axes"):
        make(2, 8, [1.0, 2.0, 3.0])


def test_ranges() -> None:
    assert float(Uniform(1, M, 1.0, seeded()).frequencies.abs().max()) <= sqrt(3)
    sizes = LogUniform(1, M, 1.0, seeded(), ratio=16.0).frequencies[:, 0].abs().log2()
    octaves = ((sizes - sizes.min()).floor()).long().clamp(0, 3).bincount()
    assert all(abs(int(n) - M / 4) < 5 * sqrt(M * 3 / 16) for n in octaves), "an even share of each"


@pytest.mark.parametrize("ratio", [1.0, 0.5, float("inf"), float("nan")])
def test_ratios_that_are_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"`ratio=.*` must be a finite number above 1"):
        LogUniform(1, 8, 1.0, ratio=ratio)


def test_several_bandwidths_share_the_frequencies() -> None:
    """The parts are what `Gaussian` draws; the correlation of many is the mean of theirs."""
    encoding = MultiBandwidth(2, 7, [1.0, [2.0, 3.0]], seeded())
    unit = Gaussian(2, 7, 1.0, seeded()).frequencies
    expected = torch.cat([unit[:4], unit[4:] * torch.tensor([2.0, 3.0])])
    assert torch.equal(encoding.frequencies, expected)
    assert encoding.bandwidths == (1.0, (2.0, 3.0))
    whole = MultiBandwidth(2, 7, [1.0, [2.0, 3.0]], seeded(), integer=True)
    assert torch.equal(whole.frequencies, expected.round())
    many = MultiBandwidth(1, M, [1.0, 8.0], seeded())
    for lag in LAGS:
        parts = [KINDS["normal"][1](2 * pi * s * lag) for s in (1.0, 8.0)]
        found = float(many.correlation(torch.tensor([lag], dtype=torch.float64)))
        assert abs(found - sum(parts) / 2) < 5 / sqrt(M)


@pytest.mark.parametrize("bandwidths", [[], [1.0, 2.0, 3.0]])
def test_numbers_of_bandwidths_that_are_refused(bandwidths: list) -> None:
    with pytest.raises(ValueError, match=r"`bandwidths=.*` has [03] entries for `n_frequencies=2`"):
        MultiBandwidth(2, 2, bandwidths)
