"""Line integrals: against plain loops, scikit-image, closed forms of Gaussians, discs and balls, and limits."""

import re
from collections.abc import Callable
from itertools import product
from math import floor, pi

import pytest
import torch
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements import Radon, line_products, sparse_matrix
from ntkit.measurements.joseph import joseph
from ntkit.measurements.line_products import LineProducts
from tests.cases import randn
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

ANGLES = torch.linspace(0, pi, 8, dtype=torch.float64)[:7]
TURN = torch.linspace(0, 2 * pi, 8, dtype=torch.float64)[:7]
FAN = {"source_distance": 1.7, "detector_distance": 0.9}


def by_loop(origin: Tensor, direction: Tensor, field: Tensor) -> float:
    """Joseph's sum, plane by plane and corner by corner."""
    main = int(direction.abs().argmax())
    total = 0.0
    for plane in range(field.shape[main]):
        at = origin + (plane - origin[main]) * direction / direction[main]
        for corner in product((0, 1), repeat=field.ndim):
            place = [floor(float(a)) + c for a, c in zip(at, corner, strict=True)]
            place[main] = plane
            inside = all(0 <= p < n for p, n in zip(place, field.shape, strict=True))
            if inside and not corner[main]:
                share = [1 - abs(float(a) - p) for a, p in zip(at, place, strict=True)]
                share[main] = 1.0
                total += float(
                    field[tuple(place)] * torch.tensor(share, dtype=torch.float64).prod()
                )
    return total / abs(float(direction[main]))


@pytest.mark.parametrize("shape", [(5, 7), (7, 4), (4, 3, 5)])
def test_weights_are_those_of_a_plain_loop(shape: tuple[int, ...]) -> None:
    field, d = randn(*shape), len(shape)
    origin, direction = 2 + randn(30, d, seed=1), randn(30, d, seed=2)
    found = joseph(origin, direction, shape)
    ends = found.counts.cumsum(0).tolist()
    for k, end in enumerate(ends):
        own = slice(end - int(found.counts[k]), end)
        value = (field.flatten()[found.columns[own].long()] * found.values[own]).sum()
        assert float(value) == pytest.approx(by_loop(origin[k], direction[k], field), abs=1e-11)


def gaussian(A: Radon, middle: Tensor, width: float) -> Tensor:
    """A bump on the field's pixels, of a place and width in units of length."""
    squares = (A.pixels - middle).square().sum(1)
    return (-squares / 2 / width**2).exp().reshape(*A.field_shape, 1)


def of_gaussian(A: Radon, middle: Tensor, width: float) -> Tensor:
    """Its exact integrals along the beam's lines: a Gaussian of the distance from the line."""
    origin, direction = A.beam.lines(torch.arange(len(A.beam)))
    away = middle - origin
    away = away - (away * direction).sum(-1, keepdim=True) * direction
    exact = (2 * pi) ** 0.5 * width * (-away.square().sum(-1) / 2 / width**2).exp()
    return exact.mean(1).reshape(*A.data_shape, 1)


def of_ball(A: Radon, middle: Tensor, radius: float) -> Tensor:
    """Chords of a disc or ball."""
    origin, direction = A.beam.lines(torch.arange(len(A.beam)))
    away = middle - origin
    away = away - (away * direction).sum(-1, keepdim=True) * direction
    return 2 * (radius**2 - away.square().sum(-1)).clamp_min(0).sqrt().reshape(*A.data_shape, 1)


def disc(A: Radon, middle: Tensor, radius: float, finer: int = 4) -> Tensor:
    """A disc or ball on the pixels: for each, the share of finer points that lie in it."""
    ticks = (torch.arange(finer, dtype=torch.float64) + 0.5) / finer - 0.5
    shifts = torch.tensor(list(product(ticks.tolist(), repeat=len(A.field_shape)))).double()
    shifts = shifts * torch.tensor(A.spacing)
    inside = [
        ((A.pixels + shift - middle).square().sum(1) < radius**2).double() for shift in shifts
    ]
    return torch.stack(inside).mean(0).reshape(*A.field_shape, 1)


MAKERS: dict[str, Callable[[int], Radon]] = {
    "parallel": lambda n: Radon.parallel((n, n), ANGLES, n_detectors=31, detector_spacing=0.05),
    "other pixels": lambda n: Radon.parallel(
        (n, 2 * n), ANGLES, spacing=(2 / n, 1 / n), n_detectors=31, detector_spacing=0.05
    ),
    "fan": lambda n: Radon.fan((n, n), TURN, n_detectors=31, detector_spacing=0.07, **FAN),
    "curved fan": lambda n: Radon.fan(
        (n, n), TURN, n_detectors=31, detector_spacing=0.07, is_curved=True, **FAN
    ),
}
BEAMS = pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
MIDDLE = torch.tensor([0.11, -0.08]).double()


@BEAMS
def test_integrals_of_a_smooth_bump_come_in_second_order(make: Callable[[int], Radon]) -> None:
    sizes, errors = [16, 32, 64, 128], []
    for n in sizes:
        A = make(n)
        exact = of_gaussian(A, MIDDLE, 0.1)
        errors.append(float((A(gaussian(A, MIDDLE, 0.1)) - exact).norm() / exact.norm()))
    assert fitted_exponent(sizes, errors) == pytest.approx(-2, abs=0.3)
    assert errors[-1] < 3e-3


@BEAMS
def test_chords_of_a_disc(make: Callable[[int], Radon]) -> None:
    """Its edge is a jump: first order but for rays that graze it, where less is to be had."""
    sizes, errors = [16, 32, 64, 128], []
    for n in sizes:
        A = make(n)
        exact = of_ball(A, MIDDLE, 0.3)
        errors.append(float((A(disc(A, MIDDLE, 0.3)) - exact).norm() / exact.norm()))
    assert -2 < fitted_exponent(sizes, errors) < -0.75
    assert errors[-1] < 0.02


def test_balls_and_bumps_in_three_dimensions() -> None:
    middle, errors = torch.tensor([0.05, 0.11, -0.08]).double(), []
    for n in (12, 24):
        A = Radon.cone((n, n, n), TURN[:3], n_detectors=(15, 13), detector_spacing=0.1, **FAN)
        exact = of_gaussian(A, middle, 0.12)
        errors.append(float((A(gaussian(A, middle, 0.12)) - exact).norm() / exact.norm()))
    assert errors[0] > 3 * errors[1]
    exact = of_ball(A, middle, 0.3)
    assert float((A(disc(A, middle, 0.3)) - exact).norm() / exact.norm()) < 0.06


def test_the_middle_row_of_a_cone_is_a_fan() -> None:
    options = {**FAN, "spacing": 1 / 12}
    cone = Radon.cone((5, 12, 12), TURN, n_detectors=(21, 3), **options)
    fan = Radon.fan((12, 12), TURN, n_detectors=21, **options)
    field = randn(5, 12, 12, 1)
    assert_near(cone(field)[:, :, 1], fan(field[2]), loosen=10)


def test_from_far_away_rays_are_parallel() -> None:
    field, far = randn(16, 16, 1), {"source_distance": 1e6, "detector_distance": 1.0}
    parallel = Radon.parallel((16, 16), TURN + 0.1)(field)
    for is_curved in (False, True):
        fan = Radon.fan((16, 16), TURN + 0.1, n_detectors=25, is_curved=is_curved, **far)
        assert_near(fan(field), parallel, loosen=1e8)  # rays differ by 1e-5 pixels
    volume = randn(5, 16, 16, 1)
    options = {"n_detectors": (25, 5)}
    cone = Radon.cone((5, 16, 16), TURN + 0.1, **options, **far)
    assert_near(
        cone(volume), Radon.parallel((5, 16, 16), TURN + 0.1, **options)(volume), loosen=1e8
    )


def test_parallel_rays_in_three_dimensions_are_planes_on_their_own() -> None:
    volume, A = randn(3, 8, 8, 2), Radon.parallel((3, 8, 8), ANGLES)
    plane = Radon.parallel((8, 8), ANGLES)
    for k in range(3):
        assert_near(A(volume)[:, :, k], plane(volume[k]), loosen=10)


@pytest.mark.parametrize("n", [32, 33])
def test_it_is_scikit_images_radon(n: int) -> None:
    """A smooth object: both interpolate, each at its own places."""
    transform = pytest.importorskip("skimage.transform")
    degrees = [0.0, 30.0, 77.0, 90.0, 160.0]
    for circle in (False, True):
        A = Radon.parallel((n, n), torch.tensor(degrees).deg2rad())
        field = gaussian(A, MIDDLE, 0.1) + 0.5 * gaussian(A, -MIDDLE, 0.07)
        field[A.pixels.square().sum(1).reshape(n, n) >= 0.22] = 0
        theirs = transform.radon(field[..., 0].numpy(), degrees, circle=circle)
        A = Radon.parallel((n, n), torch.tensor(degrees).deg2rad(), n_detectors=len(theirs))
        theirs = torch.from_numpy(theirs.T.copy())
        assert float((A(field)[..., 0] * n - theirs).norm() / theirs.norm()) < 0.004


def test_values_are_in_units_of_length() -> None:
    field = randn(8, 8, 1)
    one, ten = (Radon.parallel((8, 8), ANGLES, spacing=s) for s in (1.0, 10.0))
    assert_near(ten(field), 10 * one(field))
    assert one.grid == Grid((8, 8))
    wide = Radon.parallel((4, 8), ANGLES, spacing=(1.0, 2.0))
    assert wide.grid == Grid((4, 8), spacing=(1 / 16, 1 / 8))


def test_a_moved_centre_is_a_moved_field() -> None:
    field = torch.zeros(16, 16, 1, dtype=torch.float64)
    field[4:12, 4:12] = randn(8, 8, 1)
    moved = Radon.parallel((16, 16), ANGLES, centre=(9, 6), n_detectors=31)
    plain = Radon.parallel((16, 16), ANGLES, n_detectors=31)
    assert_near(moved(field.roll((1, -2), (0, 1))), plain(field), loosen=10)
    shifted = Radon.parallel((16, 16), ANGLES, n_detectors=31, detector_centre=17)
    assert_near(shifted(field)[:, 2:], plain(field)[:, :-2])


def test_a_wide_detector_sees_the_mean_of_its_rays() -> None:
    field = randn(9, 9, 2)
    wide = Radon.parallel((9, 9), ANGLES, n_detectors=15, detector_width=2.0, n_rays=4)
    shifts = [-0.75, -0.25, 0.25, 0.75]
    each = [
        Radon.parallel((9, 9), ANGLES, n_detectors=15, detector_centre=7 - s)(field) for s in shifts
    ]
    assert_near(wide(field), torch.stack(each).mean(0), loosen=10)


@pytest.mark.parametrize("outputs", [1, 3])
def test_weights_that_are_not_kept_are_the_same(
    outputs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> Radon:
        return Radon.fan((9, 8), TURN, n_rays=2, **FAN)

    kept, field = make(), randn(9, 8, outputs)
    data = kept(field)
    monkeypatch.setattr(line_products, "_KEPT", 0)
    monkeypatch.setattr(line_products, "_AT_ONCE", 500)
    lazy = make()
    assert isinstance(lazy.weights, LineProducts)
    assert_near(lazy(field), data)
    assert_near(lazy.adjoint(data), kept.adjoint(data))
    assert_near(lazy[2:4](field), data[2:4])
    assert_near(lazy(field * (1 + 2j)).imag, 2 * data)


def test_without_its_transpose_the_adjoint_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    A, data = Radon.fan((9, 8), TURN, **FAN), randn(*Radon.fan((9, 8), TURN, **FAN).data_shape, 2)
    monkeypatch.setattr(line_products, "_BOTH", 100)
    monkeypatch.setattr(sparse_matrix, "_AT_ONCE", 70)
    B = Radon.fan((9, 8), TURN, **FAN)
    assert_near(B.adjoint(data), A.adjoint(data))
    assert_near(B[1:4].adjoint(data[1:4]), A[1:4].adjoint(data[1:4]))
    assert "backward" not in B.weights.__dict__


def test_the_field_of_view_is_what_all_views_see() -> None:
    """A detector as long as the picture sees the circle in it."""
    A = Radon.parallel((32, 32), ANGLES, n_detectors=32)
    y, x = A.pixels.T * 32
    assert bool(A.field_of_view.flatten()[(y**2 + x**2).sqrt() <= 15.5].all())
    assert not bool(A.field_of_view.flatten()[(y**2 + x**2).sqrt() > 18].any())
    for whole in (Radon.parallel((32, 20), ANGLES), Radon.fan((20, 32), TURN, **FAN)):
        assert bool(whole.field_of_view.all())
    assert bool(Radon.cone((5, 8, 8), TURN, **FAN).field_of_view.all())
    half = Radon.fan((32, 32), TURN, n_detectors=25, **FAN)
    assert 0.2 < float(half.field_of_view.double().mean()) < 0.8


def test_a_pixel_is_seen_where_the_beam_says() -> None:
    """The mean place of a bump's data on the detector is where its middle is projected to."""
    for make in MAKERS.values():
        A = make(64)
        data = A(gaussian(A, MIDDLE, 0.03))[..., 0]
        places = torch.arange(31).double()
        found = (data * places).sum(1) / data.sum(1)
        for view in range(len(found)):
            assert abs(float(found[view] - A.beam.cells_of(view, MIDDLE[None])[0, 0])) < 0.06


def test_forward_derivatives_and_batches_go_through() -> None:
    A = Radon.parallel((6, 6), ANGLES)
    field, tangent = randn(6, 6, 1), randn(6, 6, 1, seed=1)
    value, change = torch.func.jvp(A, (field,), (tangent,))
    assert_near(value, A(field))
    assert_near(change, A(tangent))
    both = torch.func.vmap(A)(torch.stack([field, tangent]))
    assert_near(both, torch.stack([A(field), A(tangent)]))


SQUARE, ONE = (8, 8), [0.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Radon.parallel((8,), ONE), "`shape=(8,)` must have 2 or 3 axes"),
        (lambda: Radon.fan((8, 8, 8), ONE, **FAN), "must have 2 axes"),
        (lambda: Radon.cone(SQUARE, ONE, **FAN), "must have 3 axes"),
        (lambda: Radon.parallel(SQUARE, []), "one or more finite numbers in radians"),
        (lambda: Radon.parallel(SQUARE, [float("nan")]), "one or more finite numbers"),
        (lambda: Radon.parallel(SQUARE, ONE, spacing=0.0), "`spacing=0.0` must be a finite"),
        (lambda: Radon.parallel(SQUARE, ONE, spacing=(1, 1, 1)), "or 2 of them, one an axis"),
        (lambda: Radon.parallel(SQUARE, ONE, n_detectors=0), "must be at least 1"),
        (lambda: Radon.parallel(SQUARE, ONE, n_detectors=(3, 3)), "needs 1 whole numbers"),
        (lambda: Radon.parallel(SQUARE, ONE, n_rays=0), "`n_rays=0` must be at least 1"),
        (
            lambda: Radon.fan(SQUARE, ONE, source_distance=0.5, detector_distance=1),
            "is inside of the field, whose farthest pixel is 0.707107 from the axis",
        ),
        (
            lambda: Radon.fan(SQUARE, ONE, source_distance=5, detector_distance=-1),
            "`detector_distance=-1` must be 0 or more",
        ),
    ],
)
def test_refusals(make: Callable[[], Radon], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_angles_in_degrees_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="28.5 turns. If they are degrees"):
        Radon.parallel(SQUARE, [0.0, 90.0, 179.0])
