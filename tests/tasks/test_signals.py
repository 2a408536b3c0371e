"""Signals on grids: what is held out, what is judged, and what bicubic interpolation is."""

from math import inf, log10

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntkit import Grid
from ntkit.tasks import Signal, psnr
from tests.cases import randn
from tests.tolerances import assert_near

SHAPES = [(8,), (13,), (8, 11), (9, 9), (8, 9, 10)]


@pytest.mark.parametrize("shape", SHAPES)
def test_training_and_held_out_samples_are_a_partition(shape: tuple[int, ...]) -> None:
    """Each sample is in one of them; training ones are those whose indices are all even."""
    signal = Signal(randn(*shape, 2), n_axes=len(shape))
    count = torch.zeros(shape).int()
    count[signal.measurement.lattice] += 1
    count[signal.held_out] += 1
    assert bool((count == 1).all())
    index = torch.stack(torch.meshgrid(*map(torch.arange, shape), indexing="ij"))
    assert torch.equal(~signal.held_out, (index % 2 == 0).all(0))
    on_grid = signal.grid.points()[~signal.held_out.flatten()]
    assert torch.equal(on_grid, signal.grid[signal.measurement.lattice].points())


@pytest.mark.parametrize("shape", SHAPES)
def test_errors_are_mean_squares_of_both_parts(shape: tuple[int, ...]) -> None:
    signal, prediction = Signal(randn(*shape, 2), n_axes=len(shape)), randn(*shape, 2, seed=1)
    train, held_out = signal.errors(prediction)
    mask = signal.held_out.flatten()
    square = ((prediction - signal.values) ** 2).flatten(0, -2)
    weights = mask.double().mean()
    assert train == pytest.approx(float(square[~mask].sum() / (~mask).sum() / 2))
    mixed = float((1 - weights) * train + weights * held_out)
    assert mixed == pytest.approx(float(square.mean()))
    assert signal.errors(signal.values) == (0.0, 0.0)


@given(st.floats(1e-12, 1e6), st.floats(1e-3, 1e3))
def test_psnr_turns_factors_into_differences(error: float, factor: float) -> None:
    assert psnr(error * factor) == pytest.approx(psnr(error) - 10 * log10(factor), abs=1e-8)


def test_psnr_without_error() -> None:
    assert psnr(0.0) == inf


def polynomial(x: Tensor, degree: int) -> Tensor:
    """A product over the axes of polynomials of this degree in each coordinate."""
    coefficients = randn(x.shape[1], degree + 1, seed=3)
    factors = [
        sum(c * x[:, i] ** k for k, c in enumerate(row)) for i, row in enumerate(coefficients)
    ]
    return torch.stack([f + 0 * x[:, 0] for f in factors]).prod(0)


@pytest.mark.parametrize("degree", [1, 2, 3])
@pytest.mark.parametrize("shape", [(20,), (21,), (18, 15), (14, 13, 12)])
def test_bicubic_reproduces_cubics_inside(shape: tuple[int, ...], degree: int) -> None:
    """At midpoints Keys' kernel is Lagrange's through four points; borders repeat a sample."""
    values = polynomial(Grid(shape).points(), degree).reshape(shape)
    signal = Signal(values, n_axes=len(shape))
    inside = (slice(3, -5),) * len(shape)
    assert_near(signal.bicubic()[inside], signal.values[inside], loosen=10)


def test_bicubic_is_not_exact_for_quartics() -> None:
    """The law above is sharp: the error of a quartic is `-9 h^4 / 16` at each midpoint."""
    x = Grid(20).points()[:, 0] * 20
    signal = Signal(x**4, n_axes=1)
    error = (signal.bicubic() - signal.values)[3:-5, 0]
    assert_near(error[::2], torch.full_like(error[::2], -9 * 24 * 2**4 / (16 * 24)), loosen=1e3)


@pytest.mark.parametrize("shape", SHAPES)
def test_bicubic_keeps_the_training_samples_and_sees_nothing_else(shape: tuple[int, ...]) -> None:
    signal = Signal(randn(*shape, 3), n_axes=len(shape))
    found = signal.bicubic()
    assert torch.equal(found[signal.measurement.lattice], signal.values[signal.measurement.lattice])
    other = signal.values.clone()
    other[signal.held_out] = 7.0
    assert torch.equal(Signal(other, n_axes=len(shape)).bicubic(), found)


@pytest.mark.parametrize(
    ("values", "n_axes", "shape", "n_outputs"),
    [
        (randn(16), None, (16,), 1),
        (randn(16, 12), None, (16, 12), 1),
        (randn(16, 12, 3), None, (16, 12), 3),
        (randn(16, 12, 8), None, (16, 12, 8), 1),
        (randn(16, 3), 1, (16,), 3),
        (randn(16, 12, 8), 2, (16, 12), 8),
    ],
)
def test_channels_are_told_from_axes(values, n_axes, shape, n_outputs) -> None:
    signal = Signal(values, n_axes=n_axes)
    assert (signal.shape, signal.n_outputs) == (shape, n_outputs)
    assert torch.equal(signal.values.flatten(), values.flatten())


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Signal([1.0] * 9), TypeError, "`signal` must be a torch.Tensor, got list"),
        (lambda: Signal(torch.ones(9).cfloat()), TypeError, r"floating-point .* torch.complex64"),
        (lambda: Signal(torch.ones(9) > 0), TypeError, r"floating-point numbers .* torch.bool"),
        (lambda: Signal(torch.ones(9).byte()), TypeError, r"torch.uint8. .* `signal.double\(\) /"),
        (lambda: Signal(randn(7)), ValueError, "`signal` is 7 samples; at least 8 along each"),
        (lambda: Signal(randn(16, 3)), ValueError, r"is 16 x 3 .* `Signal\(values, n_axes=1\)`"),
        (lambda: Signal(randn(5)), ValueError, r"is 5 samples; .* judge on the rest\.$"),
        (lambda: Signal(randn(1, 1)), ValueError, "`signal` is 1 x 1 samples"),
        (lambda: Signal(randn(1)[0]), ValueError, r"shape \(\), which does not fit `n_axes=0`"),
        (lambda: Signal(randn(9), n_axes=2), ValueError, r"shape \(9,\), .* fit `n_axes=2`"),
        (lambda: Signal(randn(9, 9, 3), n_axes=1), ValueError, r"does not fit `n_axes=1`"),
        (lambda: Signal(torch.ones(16)), ValueError, "`signal` is constant: every encoding fits"),
        (lambda: Signal(randn(9) / 0), ValueError, "`signal` has 9 NaN or infinite entries"),
        (lambda: Signal(randn(9)).errors(randn(9)), ValueError, r"shape \(9,\), the signal \(9, 1"),
    ],
)
def test_errors_of_callers(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
