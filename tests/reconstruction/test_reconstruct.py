"""`ntkit.reconstruct` as a whole: what it gives back scales, leaves out, and ends as it should."""

from dataclasses import replace
from math import pi

import pytest
import torch
from torch import Tensor

import ntkit
from ntkit import Grid
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF, Matern
from ntkit.measurements import AbstractMeasurement, Fourier, Matrix, Radon, Samples
from ntkit.reconstruction import Reconstruction
from ntkit.reconstruction.torus import torus_prior
from tests.cases import randn, seeded
from tests.reconstruction.test_primal_dual import matrix_of
from tests.tolerances import assert_near, relative_error

PRIOR = Matern(0.5, 0.2)
LINES = Radon.parallel((10, 10), torch.arange(9) * pi / 9, n_detectors=14)
DISC = (LINES.pixels.square().sum(1) < 0.1).double().reshape(10, 10)
ROUGH = 0.1 * randn(9, 14)


def found(y: Tensor, A: AbstractMeasurement, **asked: object) -> Reconstruction:
    options = {"prior": PRIOR, "error_bars": False, **asked}
    return ntkit.reconstruct(y, A, **options)  # pyright: ignore[reportArgumentType]


def data() -> Tensor:
    y = LINES(DISC[..., None])[..., 0]
    return y + y.std() * ROUGH


@pytest.fixture(scope="module")
def whole() -> Reconstruction:
    return found(data(), LINES, error_bars=True)


def test_it_is_near_the_truth_and_within_bounds(whole: Reconstruction) -> None:
    assert float((whole.field - DISC).square().mean().sqrt()) < 0.25
    assert float(whole.field.min()) >= 0
    assert whole.choice.bounds == (0.0, None)
    assert whole.deviation is not None
    assert whole.deviation.shape == (10, 10)
    assert float(whole.deviation.min()) > 0
    assert set(whole.alternatives) == {"kernel alone", "total variation alone"}
    assert_near(whole.residual, LINES(whole.field[..., None])[..., 0] - data(), loosen=10)
    assert whole.gap < 1e-4


@pytest.mark.parametrize("size", [1e3, 1e-20])
def test_a_larger_field_of_larger_data(whole: Reconstruction, size: float) -> None:
    """The same choice, all in its unit."""
    larger = found(size * data(), LINES, error_bars=True)
    assert relative_error(larger.field / size, whole.field) < 1e-3
    assert larger.deviation is not None
    assert whole.deviation is not None
    assert relative_error(larger.deviation / size, whole.deviation) < 1e-2
    one, other = whole.choice, larger.choice
    assert (other.prior, other.bounds) == (one.prior, one.bounds)
    assert other.weight == pytest.approx(one.weight, rel=1e-6)
    for name in ("noise", "scale", "mean", "total_variation"):
        assert getattr(other, name) == pytest.approx(size * getattr(one, name), rel=1e-6)


def test_lengths_in_another_unit() -> None:
    """A field per millimetre is a thousandth of one per metre, of the same data."""
    y = data()
    A = Matrix(LINES(torch.eye(100).double().reshape(10, 10, 100)).reshape(-1, 100), (10, 10))
    groups = torch.arange(9).repeat_interleave(y.shape[1])
    asked = {"groups": groups, "bounds": (0.0, None), "grid": LINES.grid, "total_variation": False}
    plain = found(y.flatten(), A, **asked)
    finer = found(
        y.flatten(),
        Matrix(1000 * A(torch.eye(100).double().reshape(10, 10, 100)), (10, 10)),
        **asked,
    )
    assert relative_error(1000 * finer.field, plain.field) < 1e-3


@pytest.mark.parametrize("total_variation", [True, False, 0.05], ids=str)
def test_data_of_no_weight_are_left_out(total_variation: bool | float) -> None:
    """Whatever they are."""
    A = Samples.everywhere((6, 8))
    kept = torch.rand(48, generator=seeded(2)) > 0.3
    groups, field = torch.arange(48) // 4, randn(6, 8).cumsum(0).cumsum(1)
    y = field.flatten() + 0.3 * randn(48, seed=1)
    strange = torch.where(kept, y, 1e3 * randn(48, seed=3))
    asked = {"total_variation": total_variation, "error_bars": True}
    zero = found(strange, A, weights=2.0 * kept, groups=groups, **asked)
    fewer = found(y[kept], A[kept], groups=groups[kept], **asked)
    assert relative_error(zero.field, fewer.field) < 1e-3
    assert zero.choice.weight == pytest.approx(fewer.choice.weight, rel=1e-9)
    assert zero.choice.total_variation == pytest.approx(fewer.choice.total_variation, rel=1e-9)
    assert zero.deviation is not None
    assert fewer.deviation is not None
    assert relative_error(zero.deviation, fewer.deviation) < 0.6  # other draws of the noise
    assert [t.held_out for t in zero.table] == pytest.approx(
        [t.held_out for t in fewer.table], rel=1e-3
    )


def test_weights_are_relative() -> None:
    weights = 0.5 + torch.rand(9, 14, generator=seeded())
    one, other = (
        found(data(), LINES, weights=k * weights, total_variation=False, bounds=None)
        for k in (1.0, 50.0)
    )
    assert relative_error(other.field, one.field) < 5e-4  # where the iterations end


def test_the_linear_problem_is_the_closed_form() -> None:
    """`m + K A^H (A K A^H + a)^-1 (y - A m)` at the weight and mean that were chosen."""
    y = data()
    linear = found(y, LINES, total_variation=False, bounds=None)
    K = matrix_of(torus_prior(PRIOR, LINES.grid), 1)
    A = LINES(torch.eye(100).double().reshape(10, 10, 100)).reshape(-1, 100)
    choice = linear.choice
    gram = A @ K @ A.T + choice.weight * torch.eye(len(A)).double()
    rest = y.flatten() - choice.mean * A.sum(1)
    expected = choice.mean + K @ A.T @ torch.linalg.solve(gram, rest)
    assert relative_error(linear.field.flatten(), expected) < 1e-3
    assert (choice.total_variation, choice.bounds, linear.alternatives) == (0.0, None, {})
    assert 0 < linear.gap < 1e-2


def test_a_linear_problem_that_is_left_early_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(data(), LINES, total_variation=False, bounds=None)
    monkeypatch.setattr("ntkit.reconstruction.reconstruction_problem._MOST", 3)
    early = found(data(), LINES, total_variation=False, bounds=None)
    said = [any("left after" in note for note in each.notes) for each in (whole, early)]
    assert said == [False, True]
    assert early.gap > whole.gap


def test_a_strength_out_of_range_is_refused_and_one_that_does_not_end_says_so(
    whole: Reconstruction,
) -> None:
    with pytest.raises(NumericalError, match="`total_variation`, `mean` or `bounds` is too large"):
        found(data(), LINES, total_variation=1e300)
    strange = found(data(), LINES, total_variation=1e10)
    said = [any("in the last of which" in note for note in f.notes) for f in (whole, strange)]
    assert said == [False, True]


@pytest.mark.parametrize("weights", [None, 1.0])
def test_a_residual_above_the_noise_is_told(weights: float | None) -> None:
    """Also of weighted data, in the unit of the noise; a field that may not rise as it should leaves one."""
    y = data()
    each = None if weights is None else torch.where(torch.arange(y.numel()) % 2 == 0, 0.5, 1.5)
    asked = {} if each is None else {"weights": each.reshape(y.shape)}
    fits, fails = (
        found(y, LINES, total_variation=0.01, bounds=b, **asked) for b in (None, (0, 0.1))
    )
    told = [[n for n in f.notes if n.startswith("The residual")] for f in (fits, fails)]
    assert told[0] == []
    assert [", weighted," in note for note in told[1]] == [weights is not None]


def test_several_channels() -> None:
    """Data with an axis of channels give a field with one; two that are alike are each as one alone."""
    y = data()
    one = found(y, LINES, total_variation=False, bounds=None, error_bars=True)
    two = found(torch.stack([y, y], -1), LINES, total_variation=False, bounds=None, error_bars=True)
    assert two.field.shape == (10, 10, 2)
    assert two.residual.shape == (*y.shape, 2)
    assert two.deviation is not None
    assert two.deviation.shape == (10, 10, 2)
    for k in range(2):
        assert relative_error(two.field[..., k], one.field) < 1e-2
    last = found(y[..., None], LINES, total_variation=False, bounds=None)
    assert last.field.shape == (10, 10, 1)
    assert relative_error(last.field[..., 0], one.field) < 1e-6


def test_all_of_k_space_gives_the_field_back() -> None:
    """Up to the noise that is taken for granted; with a mean that is given, of the real part."""
    smooth = torch.complex(randn(8, 8).cumsum(0).cumsum(1), randn(8, 8, seed=1).cumsum(0))
    A = Fourier((8, 8))
    y = A(smooth[..., None])[..., 0]
    exact = found(y, A, total_variation=False)
    assert exact.field.is_complex()
    assert float((exact.field - smooth).norm() / smooth.norm()) < 0.02
    moved = found(y, A, total_variation=0.01, mean=5.0, bounds=None)
    assert float((moved.field - smooth).norm() / smooth.norm()) < 0.05
    assert moved.choice.mean == 5.0


def test_a_single_coil_leaves_the_kernel_out() -> None:
    """Beside total variation, whose strength foretells held-out samples best; without it the kernel is all there is."""
    mask = torch.rand(12, 12, generator=seeded()) > 0.5
    A = Fourier((12, 12), mask)
    disc = torch.zeros(12, 12, 1, dtype=torch.complex128)
    disc[3:8, 2:9] = 1
    y = A(disc)[..., 0] + 0.05 * randn(*A.data_shape, dtype=torch.complex128)
    chosen, given, alone = (found(y, A, total_variation=b) for b in (True, 0.2, False))
    assert chosen.choice.prior is None
    assert chosen.choice.total_variation == min(chosen.table, key=lambda t: t.score).total_variation
    assert (given.choice.weight, given.choice.total_variation) == (0, 0.2)
    assert alone.choice.weight > 0
    told = ["left out" in " ".join(f.notes) for f in (chosen, given, alone)]
    assert told == [True, True, False]
    errors = [float((f.field - disc[..., 0]).norm() / disc.norm()) for f in (chosen, alone)]
    assert errors[0] < 0.2 < errors[1]


def test_the_strengths_of_a_single_coil_begin_above_the_best() -> None:
    """Also where marginal likelihood finds no noise at all: the noise's own standard deviation is nearer to the strength."""
    A = Fourier((16, 16), torch.rand(16, 16, generator=seeded(1)) > 0.4)
    square = torch.zeros(16, 16, 1, dtype=torch.complex128)
    square[4:11, 5:12] = 1
    y = A(square)[..., 0] + 0.2 * randn(*A.data_shape, dtype=torch.complex128)
    choice = found(y, A).choice
    assert 0.02 < choice.total_variation < 0.4


def test_a_mean_that_is_given_is_the_real_part_where_nothing_is_measured() -> None:
    """Two samples of k-space that are zero say nothing: the field stays about its mean."""
    A = Fourier((6, 6), torch.tensor([0, 1]))
    y = torch.tensor([1e-3 + 0j, 1e-3])
    for total_variation in (False, 1e-9):
        field = found(y, A, total_variation=total_variation, mean=5.0).field
        assert float((field.real - 5).abs().max()) < 0.5
        assert float(field.imag.abs().max()) < 0.5


def test_bounds_of_both_sides_hold() -> None:
    y = data()
    field = found(y, LINES, bounds=(0.1, 0.7), total_variation=1e-6).field
    assert float(field.min()) == 0.1
    assert float(field.max()) == 0.7


def test_the_field_anywhere(whole: Reconstruction) -> None:
    points = whole.grid.points()
    assert_near(whole.at(points), whole.field.flatten(), loosen=10)
    between = (points[0] + points[1])[None] / 2
    assert float(whole.at(between)) == pytest.approx(
        float((whole.field[0, 0] + whole.field[0, 1]) / 2)
    )
    several = replace(whole, field=torch.stack([whole.field, 2 * whole.field], -1))
    assert several.at(points).shape == (100, 2)
    assert_near(several.at(points)[:, 1], 2 * whole.field.flatten(), loosen=10)


def test_the_likeliest_prior_is_used() -> None:
    """Of data that one of them made."""
    A, grid = Samples.everywhere((12, 12)), Grid((12, 12))
    field = torus_prior(RBF(0.2), grid).sample(1, seeded())[0]
    result = found(
        field.flatten() + 0.01 * randn(144),
        A,
        prior={"rough": Matern(0.5, 0.05), "smooth": RBF(0.2)},
        total_variation=False,
    )
    assert [row.name for row in result.priors] == ["smooth", "rough"]
    assert result.choice.prior == "smooth"
    assert result.priors[0].log_evidence > result.priors[1].log_evidence
    assert "smooth, the likeliest of 2" in result.why
    assert "smooth" in repr(result)


@pytest.mark.parametrize("shape", [(9,), (1, 7), (4, 3, 5)], ids=str)
def test_lines_and_volumes(shape: tuple[int, ...]) -> None:
    A = Samples.everywhere(shape)
    smooth = 2 + torus_prior(RBF(0.3), Grid(shape)).sample(1, seeded())[0]
    result = found(smooth.flatten(), A, error_bars=True)
    assert relative_error(result.field, smooth) < 0.1
    assert result.deviation is not None
    assert bool(result.deviation.isfinite().all())


@pytest.mark.parametrize("total_variation", [True, False, 0.1], ids=str)
def test_a_constant_is_found(total_variation: bool | float) -> None:
    A = Samples.everywhere((5, 4))
    result = found(torch.full((20,), 3.0), A, total_variation=total_variation, error_bars=True)
    assert relative_error(result.field, torch.full((5, 4), 3.0).double()) < 1e-3
    assert result.deviation is not None
    assert bool(result.deviation.isfinite().all())


def test_a_single_datum() -> None:
    A = Samples.at((4, 4), torch.tensor([[1, 2]]))
    for total_variation in (False, 0.1):
        result = found(torch.ones(1), A, total_variation=total_variation, error_bars=True)
        assert float(result.field[1, 2]) == pytest.approx(1, abs=0.01)


def test_what_was_given_is_left_as_it_is() -> None:
    y = data().float()
    before = y.clone()
    state = torch.random.get_rng_state()
    lines: list[str] = []
    result = found(
        y, LINES, total_variation=False, bounds=None, error_bars=True, on_progress=lines.append
    )
    assert torch.equal(y, before)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert result.data is y
    assert lines[-1] == "Error bars"
    again = found(y, LINES, total_variation=False, bounds=None, error_bars=True)
    assert torch.equal(again.field, result.field)
    assert again.deviation is not None
    assert result.deviation is not None
    assert torch.equal(again.deviation, result.deviation)


def test_the_network_takes_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {}
    weights = torch.ones(9, 14)
    result = found(data(), LINES, weights=weights, total_variation=False, bounds=None)

    def train(*_: object, **how: object) -> None:
        taken.update(how)
        raise InterruptedError

    monkeypatch.setattr("ntkit.reconstruction.result.train_on_measurements", train)
    with pytest.raises(InterruptedError):
        result.network(bandwidth=1.0)
    assert taken["weights"] is weights
    assert (taken["bounds"], taken["total_variation"]) == (None, 0.0)
    with pytest.raises(ValueError, match=r"`network\(bandwidth=...\)` is needed"):
        result.network()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_gaps_of_a_mask_are_filled(noise: float) -> None:
    """A disc of which half the pixels are missing: hardly worse than the kernel alone, whatever the noise.

    Without noise total variation alone is taken: it is right at nearly all pixels held out, and few large errors count little.
    """
    place = (torch.arange(32, dtype=torch.float64) + 0.5) / 32 - 0.5
    disc = (place[:, None] ** 2 + place**2 < 0.1).double()
    A = Samples.mask(torch.rand(32, 32, generator=seeded(1)) < 0.5)
    y = A(disc[..., None])[..., 0]
    found = ntkit.reconstruct(y + noise * randn(*y.shape), A, error_bars=False)
    error = (found.field - disc).square().mean()
    assert float(error) < 1.25 * float((found.alternatives["kernel alone"] - disc).square().mean())
    assert float(error) < 0.02
