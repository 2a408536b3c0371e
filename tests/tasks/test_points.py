"""Scattered points: places, the sphere, units, the baseline, renderings."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from ntkit.tasks import Points, psnr
from ntkit.tasks.points import from_unit, to_unit
from tests.cases import seeded
from tests.tolerances import assert_near


class Sum(nn.Module):
    """The sum of the coordinates."""

    def __init__(self) -> None:
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(1).double())

    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1, keepdim=True) + self.zero


def places(n: int = 200, d: int = 2, seed: int = 0) -> Tensor:
    return torch.rand(n, d, generator=seeded(seed), dtype=torch.float64)


def globe(n: int = 200) -> Tensor:
    """Longitudes over all of -180 to 180, latitudes over -90 to 90."""
    return (places(n) - 0.5) * torch.tensor([360.0, 180.0])


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_points_and_values_belong_together(d: int) -> None:
    """A field that is a known function of the coordinates in the table's units."""
    at = places(100, d) * 7 - 3
    field = at @ torch.arange(1.0, d + 1).double()
    task = Points(at, field)
    assert (task.in_dim, task.n_outputs, task.shape) == (d, 1, (100,))
    assert float(task.points().min()) == 0
    assert float(task.points().max()) == 1
    assert_near(from_unit(task.domain, task.points()), at)
    assert_near(torch.from_numpy(task.domain.numbers(task.values.numpy()))[:, 0], field)
    for x, y in (task.training(), task.judged()):
        back = torch.from_numpy(task.domain.numbers(y.numpy()))[:, 0]
        assert_near(back, from_unit(task.domain, x) @ torch.arange(1.0, d + 1).double())
    assert int(task.held_out.sum()) == 20
    assert torch.equal(task.measurement.seen, ~task.held_out)


@given(st.floats(-180, 180), st.floats(-89.9, 89.9))
def test_places_on_earth_come_back(longitude: float, latitude: float) -> None:
    domain = Points(globe(), globe()[:, 1], geographic=True).domain
    place = torch.tensor([[longitude, latitude]], dtype=torch.float64)
    found = from_unit(domain, to_unit(domain, place))
    turned = (found[0, 0] - longitude + 180) % 360 - 180
    assert abs(float(turned)) < 1e-9
    assert float(found[0, 1]) == pytest.approx(latitude, abs=1e-9)


def test_the_date_line_and_the_poles_are_no_borders() -> None:
    """Distances of the network's coordinates are chords: half of those of the unit sphere."""
    domain = Points(globe(), globe()[:, 1], geographic=True).domain
    pairs = torch.tensor(
        [[[179.9, 10], [-179.9, 10]], [[20, 89.9], [200, 89.9]], [[0, 0], [90, 0]]],
        dtype=torch.float64,
    )
    gaps = [float((to_unit(domain, a[None]) - to_unit(domain, b[None])).norm()) for a, b in pairs]
    radians = torch.deg2rad(torch.tensor([0.2, 0.2, 90.0])).double()
    chords = torch.sin(radians / 2)
    chords[0] *= torch.deg2rad(torch.tensor(10.0)).cos()
    assert gaps == pytest.approx(chords.tolist(), rel=1e-3)
    pole = torch.tensor([[0.0, 90.0], [77.0, 90.0]])
    assert_near(*to_unit(domain, pole.double()), loosen=10)


def test_height_stands_beside_the_sphere() -> None:
    table = torch.cat([globe(), places(200, 1, seed=1) * 500], 1)
    task = Points(table, table[:, 2], geographic=True)
    assert task.in_dim == 4
    assert_near(from_unit(task.domain, task.points()), table, loosen=100)


def test_scores_are_in_the_unit_of_each_column() -> None:
    at = places()
    values = torch.stack([at[:, 0] * 40 - 10, at[:, 1] * 1e5], 1)
    task = Points(at, values)
    off = task.values + torch.tensor([0.01, 0.02])
    spans = values.amax(0) - values.amin(0)
    assert list(task.scores(off)) == ["RMS error of y0", "RMS error of y1"]
    wanted = [0.01 * float(spans[0]), 0.02 * float(spans[1])]
    assert list(task.scores(off).values()) == pytest.approx(wanted, rel=1e-6)
    everywhere = task.keep_out(0.0)
    assert list(everywhere.scores(off).values()) == pytest.approx(wanted, rel=1e-6)


def test_the_baseline_is_a_spline_through_the_training_points_alone() -> None:
    """Exact for a plane; other values at held-out points change nothing but its error."""
    pytest.importorskip("scipy")
    at = places()
    plane = Points(at, at @ torch.tensor([2.0, -1.0]).double())
    baseline = plane.baseline()
    assert baseline is not None
    assert baseline.held_out > 200
    wave = Points(at, torch.sin(6 * at.sum(1)))
    found = wave.baseline()
    assert found is not None
    assert 20 < found.held_out < 200
    assert wave.keep_out(0.0).baseline() is None
    line = Points(torch.stack([at[:, 0], at[:, 0]], 1), at[:, 0])
    assert line.baseline() is None  # one line of the plane


def test_a_rendering_is_a_table_over_a_grid() -> None:
    """Borders included; rows are coordinates in the table's units, then fitted values."""
    at = places() * torch.tensor([10.0, 2.0]) + 5
    task = Points(at, at[:, 0])
    table = Points.render(Sum(), task.domain, size=(4, 3)).values
    assert table.shape == (12, 3)
    low, high = at.amin(0), at.amax(0)
    assert_near(torch.from_numpy(table[0, :2]), low)
    assert_near(torch.from_numpy(table[-1, :2]), high)
    unit = to_unit(task.domain, torch.from_numpy(table[:, :2]))
    assert_near(torch.from_numpy(table[:, 2]), unit.sum(1))
    cut = Points.render(Sum(), task.domain, size=(2, 2), crop=[(6, 8), (5, 6)]).values
    np.testing.assert_allclose(cut[:, :2], [[6, 5], [6, 6], [8, 5], [8, 6]])
    assert len(Points.render(Sum(), task.domain).values) == 10_000


def test_a_written_rendering_is_in_numbers_of_the_table(tmp_path: Path) -> None:
    at = places()
    task = Points(at, at[:, 0] * 300 - 100)
    rendered = Points.render(Sum(), task.domain, size=(2, 2))
    Points.write(tmp_path / "grid.csv", rendered)
    with (tmp_path / "grid.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["x0", "x1", "y0"]
    low, high = task.domain.levels[0]
    numbers = np.array(rows, dtype=float)
    np.testing.assert_allclose(numbers[:, 2], rendered.values[:, 2] * (high - low) + low, rtol=1e-6)


def test_a_table_is_read_as_its_array(tmp_path: Path) -> None:
    table = torch.cat([globe(), places(200, 1)], 1).numpy()
    path = tmp_path / "stations.csv"
    np.savetxt(path, table[:, [1, 0, 2]], delimiter=",", header="lat,lon,rain", comments="")
    read = Points(path)
    wanted = Points(table[:, :2], table[:, 2], geographic=True)
    assert_near(read.points(), wanted.points())
    assert_near(read.values, wanted.values)
    assert torch.equal(read.held_out, wanted.held_out)
    assert read.domain.names == ("lon", "lat", "rain")
    flat = Points(path, geographic=False)
    assert flat.in_dim == 2
    named = Points(path, columns=["rain"], targets=["lat"])
    assert (named.in_dim, named.n_outputs) == (1, 1)
    assert named.domain.names == ("rain", "lat")


def test_errors_are_mean_squares_over_points() -> None:
    task = Points(places(), places().sum(1))
    off = task.values.clone()
    off[task.held_out] += 0.1
    assert task.errors(off) == (0.0, pytest.approx(0.01))
    assert psnr(task.errors(off)[1]) == pytest.approx(20)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Points(places()), r"`Points\(points\)` needs `values`"),
        (lambda: Points(places(), places(9)[:, 0]), r"`points` \(200, 2\) and `values` \(9, 1\)"),
        (lambda: Points(places(7), places(7)[:, 0]), "8 points or more of 1 to 4 coordinates"),
        (lambda: Points(places(9, 5), places(9)[:, 0]), "8 points or more of 1 to 4 coordinates"),
        (lambda: Points(places() / 0, places()[:, 0]), "must be finite. Take NaN"),
        (lambda: Points(places(), places()[:, 0] * 0), "has a column of one constant"),
        (lambda: Points(globe() * 2, globe()[:, 1], geographic=True), "must begin with longitude"),
        (lambda: Points(places(9, 1), places(9)[:, 0], geographic=True), "must begin with long"),
        (
            lambda: Points.render(Sum(), Points(places(), places()[:, 0]).domain, size=(3,)),
            "`size` and `crop` need one entry for each of 2",
        ),
        (
            lambda: Points(places(), places()[:, 0]).errors(torch.zeros(200)),
            r"`prediction` has shape \(200,\), the points \(200, 1\)",
        ),
    ],
)
def test_errors(unchecked, call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()
