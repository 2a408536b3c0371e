"""Where samples lie, and what numbers stand for: resampled grids, affines, levels."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit.tasks import JOBS, Audio, Domain, Image, Video, Volume
from ntkit.tasks.field import AbstractField
from tests.cases import randn
from tests.tolerances import assert_near


class Ramp(nn.Module):
    """A field that says where it is asked: the sum of `2^k x_k`."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(2.0 ** torch.arange(4).double())

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight[: x.shape[1], None].detach()


FIELDS: dict[str, AbstractField] = {
    "image": Image(randn(9, 12)),
    "audio": Audio(randn(40), rate=8000),
    "volume": Volume(randn(8, 9, 10), spacing=(1.0, 2.0, 3.0)),
    "video": Video(randn(10, 8, 12), step=0.25),
}
EACH = pytest.mark.parametrize("task", FIELDS.values(), ids=FIELDS)


def test_every_job_on_a_grid_is_in_the_table() -> None:
    assert {k for k, job in JOBS.items() if issubclass(job, AbstractField)} == set(FIELDS)
    assert all(job.kind == name for name, job in JOBS.items())


@EACH
def test_points_and_values_belong_together(task: AbstractField) -> None:
    """A field that is a known function of its coordinates, in the order of the file's axes."""
    points = task.points()
    truth = Ramp()(points).reshape(task.shape)
    again = type(task)(truth)
    low, high = again.domain.levels[0]
    assert_near(again.values[..., 0] * (high - low) + low, truth)
    for x, y in (again.training(), again.judged()):
        assert_near(y * (high - low) + low, Ramp()(x))
    corner = task.grid.points()[0]
    assert torch.equal(corner, torch.zeros(task.in_dim).double())
    last = torch.tensor([1 - 1 / n for n in task.shape], dtype=torch.float64)
    assert_near(points[-1], last)


@EACH
def test_the_size_of_the_file_is_its_own_grid(task: AbstractField) -> None:
    for domain in (task.domain.resampled(), task.domain.resampled(task.shape)):
        assert_near(domain.grid(task.shape).points(), task.points())
        assert domain.shape == task.domain.shape
        assert domain.spacing == pytest.approx(task.domain.spacing)
    rendered = type(task).render(Ramp(), task.domain)
    truth = Ramp()(task.points()).reshape(*task.shape, 1)
    assert_near(torch.from_numpy(rendered.values), truth)


@EACH
def test_a_crop_is_a_part_of_the_whole(task: AbstractField) -> None:
    crop = [(1, n - 2) for n in task.shape]
    part = type(task).render(Ramp(), task.domain, crop=crop)
    whole = type(task).render(Ramp(), task.domain)
    cut = tuple(slice(a, b) for a, b in crop)
    assert_near(torch.from_numpy(part.values), torch.from_numpy(whole.values[cut]))
    assert part.domain.spacing == pytest.approx(whole.domain.spacing)


@EACH
def test_twice_as_many_samples_hold_the_old_ones(task: AbstractField) -> None:
    fine = type(task).render(Ramp(), task.domain, size=[2 * n for n in task.shape])
    whole = type(task).render(Ramp(), task.domain)
    cut = (slice(None, None, 2),) * task.in_dim
    assert_near(torch.from_numpy(fine.values[cut]), torch.from_numpy(whole.values))
    assert fine.domain.spacing is not None
    assert fine.domain.spacing == pytest.approx([d / 2 for d in task.domain.spacing or ()])


def test_a_small_picture_is_rendered_larger_by_its_factor() -> None:
    small = Image(randn(8, 9), factor=3)
    assert not small.judges
    assert len(small.measurement.index) == 72
    assert small.domain.scale == 3
    rendered = Image.render(Ramp(), small.domain)
    assert rendered.values.shape == (24, 27, 1)
    assert Image.render(Ramp(), small.domain, size=(8, 9)).values.shape == (8, 9, 1)
    assert rendered.domain.resampled().shape == (24, 27)  # it is not enlarged again


@pytest.mark.parametrize("crop", [None, [(1, 5), (2.5, 9), (0, 4)]])
@pytest.mark.parametrize("size", [None, (5, 18, 7)])
def test_affines_map_the_same_point_of_space(crop, size) -> None:
    """Index to mm by the new affine, against index to coordinate to old index to mm."""
    matrix = np.array([[0, -2.0, 0.1, 7], [1.5, 0, 0, -3], [0, 0.2, 3.0, 11], [0, 0, 0, 1]])
    volume = Volume(randn(8, 9, 10))
    domain = Domain("volume", volume.shape, 1, affine=tuple(matrix.ravel()))
    new = domain.resampled(size, crop)
    x = new.grid(volume.shape).points()
    old_index = x * torch.tensor(volume.shape)
    ones = torch.ones(len(x), 1)
    wanted = torch.cat([old_index, ones], 1).double() @ torch.from_numpy(matrix).T
    places = torch.cartesian_prod(*(torch.arange(float(n)) for n in new.shape)).double()
    assert new.matrix is not None
    assert_near(torch.cat([places, ones], 1) @ torch.from_numpy(new.matrix).T, wanted)


def test_sounds_have_any_rate() -> None:
    sound = FIELDS["audio"]
    for rate, n in ((8000, 40), (16_000, 80), (11_025, 55), (1000, 5)):
        found = Audio.render(Ramp(), sound.domain, rate=rate)
        assert len(found.values) == n
        assert found.domain.spacing is not None
        assert found.domain.spacing[0] * n == pytest.approx(40 / 8000)  # as long as it was
    part = Audio.render(Ramp(), sound.domain, rate=16_000, crop=[(10, 20)])
    assert len(part.values) == 20
    assert float(part.values[0, 0]) == pytest.approx(10 / 40)


def test_films_have_any_rate_and_resolution() -> None:
    film = FIELDS["video"]  # 10 frames, one each 0.25 s
    found = Video.render(Ramp(), film.domain, rate=8)
    assert found.values.shape == (20, 8, 12, 1)
    assert found.domain.spacing is not None
    assert found.domain.spacing[0] == pytest.approx(1 / 8)
    assert Video.render(Ramp(), film.domain, rate=8, size=(3, 4, 6)).values.shape == (20, 4, 6, 1)
    cropped = Video.render(Ramp(), film.domain, rate=2, crop=[(0, 4), (1, 5), (0, 12)])
    assert cropped.values.shape == (2, 4, 12, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float64])
def test_numbers_of_the_file_come_back(dtype: type) -> None:
    """Fitted units to numbers is the reverse of what reading did."""
    numbers = np.random.default_rng(0).integers(3, 250, (9, 10, 8)).astype(dtype)
    for task in (Volume(numbers), Video(numbers), Image(numbers[0]), Audio(numbers[:, 0, 0])):
        back = task.domain.numbers(task.values.numpy())[..., 0]
        wanted = {3: numbers, 2: numbers[0], 1: numbers[:, 0, 0]}[task.in_dim]
        np.testing.assert_allclose(back, wanted, rtol=1e-12)


def test_levels_of_pictures_are_those_of_the_bits_and_sounds_keep_their_zero() -> None:
    assert Image(np.arange(200, dtype=np.uint8).reshape(10, 20)).domain.levels == ((0, 255),)
    assert float(Image(np.arange(200, dtype=np.uint16).reshape(10, 20)).values.max()) < 0.004
    tone = Audio(np.array([0, 1, -4, 2] * 4, dtype=np.float32))
    assert tone.domain.levels == ((0.0, 4.0),)
    assert float(tone.values.min()) == -1
    assert float(tone.values[0, 0]) == 0


def test_domains_are_json() -> None:
    volume = Volume(randn(8, 9, 10), spacing=(1, 2, 3))
    whole = volume.domain.resampled((4, 4, 4), [(0, 4)] * 3)
    for domain in (volume.domain, whole):
        found = Domain.from_dict(domain.to_dict())
        assert found == domain
        assert Domain.from_dict({k: _listed(v) for k, v in domain.to_dict().items()}) == domain


def _listed(value: object) -> object:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def test_bandwidths_in_the_unit_of_the_data() -> None:
    """A wave of `b` cycles per unit: over the whole sound, and over the longest axis of a volume."""
    assert Audio(randn(16_000), rate=8000).frequency(880.0) == "440 Hz"  # two seconds
    assert Audio(randn(16)).frequency(3.0) == ""
    volume = Volume(randn(8, 9, 10), spacing=(1.0, 2.0, 4.0))  # 8, 18 and 40 mm
    assert volume.frequency(10.0) == "0.25 cycles per mm"
    assert Volume(randn(8, 9, 10)).frequency(10.0) == ""
    assert Image(randn(8, 9)).frequency(10.0) == ""


def test_bandwidths_along_time_are_tried_for_themselves() -> None:
    """Each is so many times that in space, where both are counted by training samples along the axis."""
    film = Video(randn(32, 16, 8))
    factors = film.axis_factors
    assert {f[1:] for f in factors} == {(1.0, 1.0)}
    times = [f[0] for f in factors]
    assert times == pytest.approx([0.5, 1.0, 2.0, 4.0])  # 16 frames to train on, 8 rows
    assert all(b == pytest.approx(2 * a) for a, b in pairwise(times))
    assert Image(randn(8, 9)).axis_factors == ((),)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda d: d.resampled(crop=[(0, 4)]),
            "`crop` must name a start and an end inside of 9 x 12",
        ),
        (lambda d: d.resampled(crop=[(0, 4), (4, 4)]), "`crop` must name a start and an end"),
        (lambda d: d.resampled(crop=[(0, 4), (4, 13)]), "`crop` must name a start and an end"),
        (lambda d: d.resampled((3,)), r"`size=\(3,\)` must be 2 numbers of at least 1"),
        (lambda d: d.resampled((3, 0)), r"`size=\(3, 0\)` must be 2 numbers of at least 1"),
        (lambda d: d.resampled((10**5, 10**5)), "is more than a memory holds"),
    ],
)
def test_errors_of_resampling(call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call(FIELDS["image"].domain)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Image(randn(9)), r"shape \(9,\) has not 2 axes"),
        (lambda: Audio(randn(9, 9, 9)), r"shape \(9, 9, 9\) has not 1 axes"),
        (lambda: Volume(randn(9, 9)), r"has not 3 axes"),
        (lambda: Video(randn(9, 9, 9, 3, 1)), r"has not 3 axes"),
        (lambda: Image(randn(9, 9), factor=0), "`factor=0` must be at least 1"),
        (lambda: Audio(randn(9), rate=-8000.0), "`rate=-8000.0` must be a finite number above 0"),
        (lambda: Video(randn(9, 9, 9), step=0.0), "`step=0.0` must be a finite number above 0"),
        (lambda: Volume(randn(9, 9, 9), spacing=(1, 2)), "`spacing=.*` must be 3 distances"),
    ],
)
def test_errors_of_callers(unchecked, call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
