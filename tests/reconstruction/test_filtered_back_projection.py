"""Filtered back-projection: against scikit-image, and back to what was projected, from every beam."""

import re
from math import pi

import pytest
import torch
from torch import Tensor

from ntkit.measurements import Radon
from ntkit.reconstruction import filtered_back_projection
from ntkit.reconstruction.turn_shares import divergent_shares
from tests.cases import randn
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

WINDOWS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")
FAN = {"source_distance": 1.5, "detector_distance": 1.0}


def bumps(A: Radon, outputs: int = 1) -> Tensor:
    """Smooth, inside of the field of view, and not symmetric."""
    middles = torch.tensor([[0.1, -0.05], [-0.12, 0.15]]).double()
    flat = A.pixels[:, -2:]
    found = [torch.exp(-(flat - m).square().sum(1) / 0.012) for m in middles]
    field = found[0] - 0.5 * found[1]
    if len(A.field_shape) == 3:
        field = field * torch.exp(-A.pixels[:, 0].square() / 0.02)
    return torch.stack([field] * outputs, -1).reshape(*A.field_shape, outputs)


def turn(views: int, part: float = 2 * pi) -> Tensor:
    return torch.arange(views, dtype=torch.float64) * part / views


def error(A: Radon, **options: str) -> float:
    field = bumps(A)
    found = filtered_back_projection(A(field), A, **options)  # pyright: ignore
    return float((found - field).norm() / field.norm())


@pytest.mark.parametrize("window", WINDOWS)
def test_it_is_scikit_images(window) -> None:
    """Theirs is shorter by one detector in the windows of Hamming and Hann: there the two agree to one in a size."""
    transform = pytest.importorskip("skimage.transform")
    A = Radon.parallel((64, 64), turn(40, pi), n_detectors=64)
    field = bumps(A)
    data = A(field)
    theirs = transform.iradon(
        64 * data[..., 0].numpy().T,
        turn(40, 180.0).numpy(),
        filter_name=window,
        circle=True,
        preserve_range=True,
    )
    inside = A.pixels.square().sum(1).reshape(64, 64) < 0.23
    found = filtered_back_projection(data, A, window)[..., 0][inside]
    expected = torch.from_numpy(theirs.copy())[inside]
    assert float((found - expected).norm() / expected.norm()) < 0.002


MAKERS = {
    "parallel": lambda n, views: Radon.parallel((n, n), turn(views, pi)),
    "parallel, a whole turn": lambda n, views: Radon.parallel((n, n), turn(views)),
    "other pixels": lambda n, views: Radon.parallel(
        (n, 2 * n), turn(views, pi), spacing=(1 / n, 0.5 / n), centre=(n / 2 - 0.5, n)
    ),
    "fan": lambda n, views: Radon.fan((n, n), turn(views), **FAN),
    "curved fan": lambda n, views: Radon.fan((n, n), turn(views), is_curved=True, **FAN),
    "three quarters of a turn": lambda n, views: Radon.fan(
        (n, n), turn(views, 1.5 * pi) - 1, **FAN
    ),
    "short, on an arc": lambda n, views: Radon.fan(
        (n, n), 2 - turn(views, pi + 1.2), is_curved=True, **FAN
    ),
    "short, with air on both sides": lambda n, views: Radon.fan(
        (n, n), turn(views, pi + 1.2), n_detectors=3 * n, **FAN
    ),
    "shifted detector": lambda n, views: Radon.fan(
        (n, n), turn(views) + 0.1, n_detectors=2 * n, detector_centre=0.93 * n, **FAN
    ),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=list(MAKERS))
def test_it_comes_back_to_a_smooth_field_in_second_order(make) -> None:
    sizes = [16, 32, 64]
    errors = [error(make(n, 2 * n)) for n in sizes]
    assert fitted_exponent(sizes, errors) < -1.5
    assert errors[-1] < 0.02


def test_a_cone_beam_comes_back_near_its_middle_plane() -> None:
    A = Radon.cone((9, 32, 32), turn(64), spacing=1 / 32, **FAN)
    field = bumps(A)
    found = filtered_back_projection(A(field), A)
    assert float((found[4] - field[4]).norm() / field[4].norm()) < 0.05
    assert float((found - field).norm() / field.norm()) < 0.06


def test_uneven_angles_are_weighted_by_what_they_stand_for() -> None:
    even = turn(120, pi)
    denser = torch.cat([even, even[:60] + pi / 240])  # in half of the directions twice as many
    assert error(Radon.parallel((48, 48), denser)) < 0.02
    twice = torch.cat([even, even[:60]])  # the same view twice shares its weight
    one, two = Radon.parallel((48, 48), even), Radon.parallel((48, 48), twice)
    field = bumps(one)
    assert_near(
        filtered_back_projection(two(field), two),
        filtered_back_projection(one(field), one),
        loosen=100,
    )


@pytest.mark.parametrize("part", [pi + 0.6, 1.4 * pi, 1.7 * pi])
def test_every_line_of_a_short_scan_counts_once(part: float) -> None:
    """The weights of a line and of the same from its other end, where that is in the scan, sum to one."""
    fan = torch.linspace(-0.3, 0.3, 13, dtype=torch.float64)
    angles = turn(720, part)
    _, once = divergent_shares(angles, fan, 1.0)
    for k, angle in enumerate(fan.tolist()):
        other = (angles + pi - 2 * angle) % (2 * pi)  # its other end, of fan angle `-angle`
        nearest = (other[:, None] - angles[None]).abs().min(1)
        seen = nearest.values < part / 1440
        found = once[:, k] + torch.where(seen, once[nearest.indices, 12 - k], 0.0)
        assert float((found - 1).abs().max()) < 0.02


def test_a_missing_wedge_stays_one() -> None:
    """A view at its border stands for no more than three of the others."""
    A = Radon.parallel((48, 48), turn(90, pi)[:60])
    assert 0.05 < error(A) < 0.5


def test_smoother_windows_pass_less_noise() -> None:
    A = Radon.parallel((48, 48), turn(60, pi))
    noise = randn(*A.data_shape, 1)
    sizes = [float(filtered_back_projection(noise, A, window).norm()) for window in WINDOWS]
    order = ["ramp", "shepp-logan", "cosine", "hamming", "hann"]
    assert sizes == sorted(sizes, reverse=True), dict(zip(order, sizes, strict=True))


def test_one_detector_is_enough() -> None:
    A = Radon.parallel((4, 4), turn(5, pi), n_detectors=1)
    assert bool(filtered_back_projection(torch.ones(5, 1, 1), A).isfinite().all())


def test_outputs_and_dtypes_are_kept() -> None:
    A = Radon.fan((16, 16), turn(20), **FAN)
    data = randn(*A.data_shape, 3)
    both = filtered_back_projection(data, A)
    assert_near(both[..., 1:2], filtered_back_projection(data[..., 1:2], A), loosen=10)
    assert filtered_back_projection(data.float(), A).dtype == torch.float32


A = Radon.parallel((8, 8), [0.0, 1.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filtered_back_projection(A(torch.ones(8, 8, 1)), A, "hat"), "`window='hat'` must"),  # pyright: ignore
        (lambda: filtered_back_projection(torch.ones(2, 13), A), "`A` gives (2, 13, 'o')"),
        (lambda: filtered_back_projection(torch.full((2, 13, 1), torch.nan), A), "26 NaN"),
        (lambda: error(Radon.fan((8, 8), turn(20, pi), **FAN)), "views over 180 degrees"),
    ],
)
def test_refusals(call, message: str, unchecked: None) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
