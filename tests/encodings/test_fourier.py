"""Laws of every Fourier encoding: its features, its norm, its correlation, its table of lags."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.encodings import AbstractFourier
from tests import oracles
from tests.cases import ENCODINGS, randn
from tests.tolerances import assert_near

MAKERS = [make for makers in ENCODINGS.values() for make in makers]
FOURIER = [make for make in MAKERS if isinstance(make(1), AbstractFourier)]
STATIONARY = [make for make in FOURIER if make(1).is_stationary]
FIXED = [make for make in MAKERS if make(1).is_fixed]


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: repr(m(2)))
def test_sizes_batches_and_dtypes(make) -> None:
    encoding, x = make(2), randn(3, 4, 2)
    assert (encoding.in_dim, encoding(x).shape) == (2, (3, 4, encoding.out_dim))
    assert_near(encoding(x)[1, 2], encoding(x[1, 2]))
    assert encoding(x.float()).dtype == torch.float32


@pytest.mark.parametrize("make", FIXED, ids=lambda m: repr(m(2)))
def test_fixed_encodings_have_nothing_to_train(make) -> None:
    assert not list(make(2).parameters())


@pytest.mark.parametrize("make", FOURIER, ids=lambda m: repr(m(2)))
def test_features_against_one_cosine_at_a_time(make) -> None:
    encoding, x = make(2), randn(5, 2)
    waves = encoding(x)[:, encoding.in_dim if encoding.include_input else 0 :]
    expected = oracles.fourier_features(
        encoding.frequencies.double(), encoding.amplitudes.double(), x
    )
    if encoding.order is not None:
        expected = expected[:, encoding.order]
    assert_near(waves, expected, loosen=10)  # phases of some hundred radians lose two digits


@pytest.mark.parametrize("make", STATIONARY, ids=lambda m: repr(m(2)))
@given(shift=st.floats(-2, 2), seed=st.integers(0, 99))
def test_dot_products_depend_on_the_difference_alone(make, shift: float, seed: int) -> None:
    encoding, x = make(2), randn(2, 2, seed=seed)
    dots = encoding(x) @ encoding(x).T
    assert_near(encoding(x + shift) @ encoding(x + shift).T, dots, loosen=100)
    assert_near(dots.diagonal(), dots.new_full((2,), encoding.energy), loosen=10)
    assert_near(encoding.correlation(x[0] - x[1]), dots[0, 1] / encoding.energy, loosen=1000)


@pytest.mark.parametrize("make", STATIONARY, ids=lambda m: repr(m(1)))
@pytest.mark.parametrize("lengths", [(7,), (5, 4), (3, 2, 5)], ids=str)
def test_gap_table_against_direct_distances(make, lengths) -> None:
    encoding = make(len(lengths))
    lags = [0.13 * torch.arange(n, dtype=torch.float64) - 0.2 for n in lengths]
    delta = torch.stack(torch.meshgrid(*lags, indexing="ij"), -1)
    gap = (encoding(delta) - encoding(torch.zeros_like(delta))).pow(2).sum(-1)
    assert_near(encoding.gap_table(lags), gap, loosen=10)


@pytest.mark.parametrize("make", STATIONARY, ids=lambda m: repr(m(2)))
@pytest.mark.parametrize("lag", [1e-3, 1e-6, 1e-9])
def test_gap_table_keeps_its_digits_near_zero(make, lag: float) -> None:
    """`2 a^2 (1 - cos p) = 4 a^2 sin^2(p / 2)`: relative, not absolute, accuracy."""
    encoding = make(2)
    lags = [torch.tensor([lag], dtype=torch.float64)] * 2
    half = torch.pi * (encoding.frequencies.double() * lag).sum(1)
    expected = 4 * (encoding.amplitudes.double() ** 2 * half.sin() ** 2).sum()
    assert_near(encoding.gap_table(lags).flatten()[0], expected)


@pytest.mark.parametrize("make", STATIONARY, ids=lambda m: repr(m(2)))
def test_whole_numbers_are_points_and_lags(make) -> None:
    encoding, words = make(2), torch.tensor([[0, 1], [3, -2]])
    assert torch.equal(encoding(words), encoding(words.float()))
    assert torch.equal(encoding.correlation(words), encoding.correlation(words.float()))


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: repr(m(2)))
def test_wrong_dimension_is_refused(make, unchecked) -> None:
    with pytest.raises(ValueError, match=r"needs points \[\.\.\., 2\], got shape \(5,\)"):
        make(2)(torch.zeros(5))
    with pytest.raises(ValueError, match="needs points"):
        make(2)(torch.tensor(0.5))


def test_state_travels_with_the_module() -> None:
    first, second = FOURIER[-1](2), FOURIER[-1](2)
    second.frequencies.zero_()
    second.load_state_dict(first.state_dict())
    assert torch.equal(first.frequencies, second.frequencies)
