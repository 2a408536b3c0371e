"""What is refused at the door of a reconstruction, each with its words."""

from dataclasses import dataclass
from math import inf, nan, pi
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import Grid
from ntkit.kernels import RBF, Linear, Matern
from ntkit.measurements import Fourier, Matrix, Radon, Samples
from ntkit.reconstruction import default_priors, reconstruct
from ntkit.reconstruction.arguments import (
    asked_bounds,
    asked_data,
    asked_mean,
    asked_priors,
    asked_system,
    asked_variation,
)
from ntkit.reconstruction.torus import torus_prior
from tests.cases import randn, seeded

LINES = Radon.parallel((6, 6), torch.arange(4) * pi / 4, n_detectors=8)
POINTS = Samples.everywhere((4, 3))
PRIOR = Matern(0.5, 0.2)


@dataclass(frozen=True, eq=False)
class Wrong(Samples):
    """Its adjoint is of twice itself."""

    def _adjoint(self, data: Tensor) -> Tensor:
        return 2 * super()._adjoint(data)


def refused(
    message: str, y: Tensor, A: Any, error: type[Exception] = ValueError, **asked: Any
) -> None:
    with pytest.raises(error, match=message):
        reconstruct(y, A, **{"prior": PRIOR, "error_bars": False, **asked})


def test_data_that_do_not_fit() -> None:
    refused(r"`y` has shape \(8, 4\), and Radon gives \(4, 8\)", randn(8, 4), LINES)
    refused(r"has shape \(3,\)", randn(3), POINTS)
    refused("is complex, and Samples", randn(12) + 0j, POINTS, TypeError)
    for bad in (nan, inf):
        y = randn(12)
        y[3] = bad
        refused("`y` holds NaN or infinity", y, POINTS)
    y = torch.zeros(12)
    refused("`y` is zero wherever it has any weight", y, POINTS)
    y[2] = 1
    refused("no signal", y, POINTS, weights=1 - y)


def test_an_adjoint_that_is_none() -> None:
    """With its measured mismatch."""
    wrong = Wrong((4, 3), torch.arange(12))
    refused(r"is no adjoint of `A`: .* differ by [0-9.e-]+ of their size", randn(12), wrong)


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_units_that_single_precision_does_not_hold(size: float) -> None:
    """It went on for minutes, or ended in infinity."""
    refused("Choose a unit in which it is of order one", size * (1 + randn(12).abs()), POINTS)


def test_no_data_and_no_tensor(unchecked: None) -> None:
    refused("`y` is empty", torch.zeros(0), Matrix(torch.zeros(0, 4)))
    with pytest.raises(TypeError, match="must be a tensor, got ndarray"):
        reconstruct(randn(12).numpy(), POINTS)  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        TypeError, match=r"`grid` must be a Grid, got tuple. Of a shape, `ntkit.Grid"
    ):
        reconstruct(randn(12), POINTS, (4, 3))  # pyright: ignore[reportArgumentType]


def test_what_measures_nothing() -> None:
    refused("gives 0 for any field", randn(3), Matrix(torch.zeros(3, 4)))


def test_grids_weights_and_groups_that_do_not_fit() -> None:
    refused(
        r"`grid` has shape \(3, 4\), and the field of `A` \(4, 3\)",
        randn(12),
        POINTS,
        grid=Grid((3, 4)),
    )
    refused(r"`groups` has shape \(3,\)", randn(12), POINTS, groups=torch.arange(3))
    refused(r"`weights` has shape \(3,\)", randn(12), POINTS, weights=torch.ones(3))
    for bad in (torch.zeros(12), -torch.ones(12), torch.full((12,), nan)):
        refused(
            "`weights` must be finite, none below 0, and not all 0", randn(12), POINTS, weights=bad
        )
    refused("The data have 2 groups, and 3 folds", randn(12), POINTS, groups=torch.arange(12) % 2)
    three = torch.arange(12) % 3
    refused("The data have 2 groups", randn(12), POINTS, groups=three, weights=(three > 0).double())


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ("none", "`bounds='none'` must be \"auto\", None, or a pair"),
        ((1.0, 1.0), "the first below the second"),
        ((2.0, 1.0), "the first below the second"),
        ((0.0, inf), "two finite numbers"),
        ((0.0, 1.0, 2.0), "two finite numbers"),
        ((nan, None), "two finite numbers"),
    ],
)
def test_bounds_that_are_none(bounds: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asked_bounds(bounds, POINTS)


def test_bounds_that_are_some() -> None:
    assert asked_bounds("auto", LINES) == (0.0, None)
    assert asked_bounds("auto", POINTS) is None
    assert asked_bounds(None, LINES) is None
    assert asked_bounds((None, None), LINES) is None
    assert asked_bounds((None, 2.0), LINES) == (None, 2.0)
    with pytest.raises(ValueError, match="a complex field has no least and largest value"):
        asked_bounds((0.0, None), Fourier((4, 4)))


def test_a_mean_is_fitted_or_a_number() -> None:
    assert asked_mean("fit") is None
    assert asked_mean(2) == 2.0
    for bad in ("zero", nan, inf):
        with pytest.raises(ValueError, match=f'`mean={bad!r}` must be "fit" or a finite number'):
            asked_mean(bad)


@pytest.mark.parametrize("mean", [1e300, -1e7])
def test_a_mean_that_leaves_nothing_of_the_data(mean: float) -> None:
    y = LINES(torch.rand(6, 6, 1, generator=seeded()).double())[..., 0]
    refused(f"`mean={mean:g}` would give data of".replace("+", r"\+"), y, LINES, mean=mean)


def test_total_variation_is_chosen_none_or_a_weight() -> None:
    assert asked_variation(True) is True
    assert asked_variation(False) is False
    assert asked_variation(0.0) is False
    assert asked_variation(2) == 2.0
    for bad in (-1.0, nan, inf):
        with pytest.raises(ValueError, match=f"`total_variation={bad!r}` must be True, False"):
            asked_variation(bad)


def test_priors_are_kernels() -> None:
    grid = Grid((4, 3))
    assert asked_priors(PRIOR, grid) == {repr(PRIOR): PRIOR}
    assert list(asked_priors([PRIOR, RBF(0.3)], grid)) == [repr(PRIOR), repr(RBF(0.3))]
    assert asked_priors({"mine": PRIOR}, grid) == {"mine": PRIOR}
    assert list(asked_priors(None, grid)) == list(default_priors(2))
    with pytest.raises(ValueError, match="`prior` names no kernel"):
        asked_priors([], grid)
    for bad in (nn.Linear(2, 1), [nn.Linear(2, 1)], 3.0):
        with pytest.raises(TypeError, match=r"`prior` must be kernels, got \w+; of a network"):
            asked_priors(bad, grid)
    refused("must be a stationary kernel", randn(12), POINTS, prior=Linear())


def test_the_usual_priors_are_the_same_each_time() -> None:
    """Their networks are not drawn from the global generator: the same data give the same field."""
    before, grid = torch.get_rng_state(), Grid((6, 5))
    for one, other in zip(default_priors(2).values(), default_priors(2).values(), strict=True):
        assert torch.equal(torus_prior(one, grid).spectrum, torus_prior(other, grid).spectrum)
    assert torch.equal(before, torch.get_rng_state())


def test_data_are_in_double_precision_with_an_axis_of_channels() -> None:
    whole = torch.arange(12)
    assert torch.equal(asked_data(whole, POINTS), whole.double()[:, None])
    assert asked_data(randn(12, 3).float(), POINTS).dtype == torch.float64
    assert asked_data(randn(16), Fourier((4, 4))).dtype == torch.complex128


def test_data_of_no_weight_are_in_no_group() -> None:
    weights = torch.tensor([2.0, 0.0, 6.0, 0.0])
    A = Samples.everywhere((4,))
    system = asked_system(A, weights, torch.tensor([7, 3, 9, 9]))
    assert system.weights is not None
    assert system.weights.tolist() == [0.5, 0.0, 1.5, 0.0]
    assert system.group[[0, 2]].tolist() == [0, 1]
    assert system.n_groups == 2
    several = asked_system(LINES, None, None)
    assert torch.equal(several.group, torch.arange(4).repeat_interleave(8))


class Short(Matrix):
    """It gives one datum less than it says."""

    def _forward(self, field: Tensor) -> Tensor:
        return super()._forward(field)[1:]


class Imaginary(Matrix):
    """It says that it is real."""

    def _forward(self, field: Tensor) -> Tensor:
        return super()._forward(field).to(torch.complex128)


@pytest.mark.parametrize("kind", [Short, Imaginary])
def test_a_map_that_gives_another_shape_or_kind_than_it_says_is_refused(kind: type[Matrix]) -> None:
    with pytest.raises(ValueError, match=r"`A\(field\)` of two outputs gives shape"):
        asked_system(kind(torch.eye(4, dtype=torch.float64)), None, None)


class Mixed(Matrix):
    """It adds up the outputs; so does its adjoint, which is one."""

    def __call__(self, field: Tensor) -> Tensor:
        return super().__call__(field.sum(-1, keepdim=True).expand_as(field))

    def adjoint(self, data: Tensor) -> Tensor:
        return super().adjoint(data.sum(-1, keepdim=True).expand_as(data))


def test_a_map_that_mixes_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match="mixes outputs"):
        asked_system(Mixed(torch.eye(4, dtype=torch.float64)), None, None)


def test_data_that_are_true_or_false_are_numbers() -> None:
    data = asked_data(torch.tensor([True, False]), Matrix(torch.eye(2, dtype=torch.float64)))
    assert data[:, 0].tolist() == [1.0, 0.0]


class InNumPy(Matrix):
    """Its products are arrays of NumPy."""

    def __call__(self, field: Tensor) -> Any:
        return super().__call__(field).numpy()


def test_what_is_no_tensor_is_told_so(unchecked: None) -> None:
    plain: Any = [1.0, 2.0]
    unit = torch.eye(2, dtype=torch.float64)
    refused(r"`y` must be a tensor, got list|parameter 'y'", plain, Matrix(unit), TypeError)
    for name in ("weights", "groups"):
        said = f"`{name}` must be a tensor, got list|parameter '{name}'"
        refused(said, torch.ones(2), Matrix(unit), TypeError, **{name: plain})
    with pytest.raises(TypeError, match=r"`A\(field\)` must be a tensor, got ndarray"):
        asked_system(InNumPy(unit), None, None)
    A: Any = torch.eye(2)
    with pytest.raises(TypeError, match=r"`A` must be a measurement|parameter 'A'"):
        reconstruct(torch.ones(2), A)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", None),
        ("mean", [0.1]),
        ("bounds", 3),
        ("bounds", ("a", 1)),
        ("total_variation", "a"),
    ],
)
def test_what_is_no_number_is_told_so(unchecked: None, name: str, value: Any) -> None:
    refused(f"`{name}=.*must be", randn(12), POINTS, **{name: value})
