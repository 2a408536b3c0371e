"""Shapes: points and labels, losses, scores, files in their units, refusals."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("igl")
pytest.importorskip("skimage")

from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Shape, Trainer
from ntkit.tasks.files import read_shape, write_mesh
from tests.cases import seeded
from tests.tasks.solids import box, cloud, sphere, torus


class Ball(nn.Module):
    """Above 0 inside of a ball of the unit box: the distance from its surface."""

    def __init__(self, radius: float = 0.45, centre: tuple[float, float, float] = (0.5,) * 3):
        super().__init__()
        self.centre = nn.Parameter(torch.tensor(centre).double())
        self.radius = radius

    def forward(self, x: Tensor) -> Tensor:
        return self.radius - (x - self.centre).norm(dim=1, keepdim=True)


def test_the_box_is_one_cube_for_all_axes() -> None:
    vertices, faces = box((1.0, 2.0, 4.0))
    task = Shape((vertices + 10, faces), n_points=100)
    low, high = np.array(task.domain.low), np.array(task.domain.high)
    np.testing.assert_allclose(high - low, 4 / 0.9)
    np.testing.assert_allclose((low + high) / 2, [10.5, 11, 12])
    corners = task.truth.reshape(-1, 3).numpy() * (high - low) + low
    np.testing.assert_allclose(corners.min(0), [10, 10, 10])
    np.testing.assert_allclose(corners.max(0), [11, 12, 14])
    assert task.notes[-1] == (
        "1 x 2 x 4 in units of the file, in a box of 4.444: its longest side is 0.9 of the network's"
    )
    assert task.frequency(8.0) == "1.8 cycles per unit of the file"


def test_half_of_the_points_are_near_the_surface() -> None:
    task = Shape(sphere(5), n_points=4000)
    (x, y), (at, truth) = task.training(), task.judged()
    assert len(x) == 4000
    assert len(at) == 1000
    for points, inside in ((x, y), (at, truth)):
        n = len(points) // 2
        radii = (points - 0.5).norm(dim=1)
        assert (inside[:, 0] == (radii < 0.45)).double().mean() > 0.99
        off = radii[n:] - 0.45
        assert off.std() == pytest.approx(0.01, rel=0.15)
        assert abs(float(off.mean())) < 2e-3
        assert points[:n].mean() == pytest.approx(0.5, abs=0.03)
        assert points[:n].var() == pytest.approx(1 / 12, rel=0.05)


def test_points_are_those_of_the_seed() -> None:
    one, same, other = (Shape(sphere(1), n_points=200, seed=s) for s in (3, 3, 4))
    assert torch.equal(one.points(), same.points())
    assert torch.equal(one.values, same.values)
    assert not bool((one.points() == other.points()).any())
    assert len(torch.unique(one.points(), dim=0)) == len(one.points())


@pytest.mark.parametrize("make", [lambda: sphere(4), lambda: torus()])
def test_distances_are_those_of_the_formula(make) -> None:
    vertices, faces = make()
    task = Shape((vertices, faces), n_points=2000, signed_distance=True, clamp=0.2, up="z")
    side = task.domain.high[0] - task.domain.low[0]
    x, y, z = ((task.points() - 0.5) * side).unbind(1)
    if len(vertices) == 96 * 48:
        true = 0.4 - torch.hypot(torch.hypot(x, y) - 1, z)
    else:
        true = 1 - (x**2 + y**2 + z**2).sqrt()
    wanted = (true / side).clamp(-0.2, 0.2)
    assert float((task.values[:, 0] - wanted).abs().max()) < 2e-3
    assert task.domain.names[3] == "signed distance"
    assert task.domain.numbers(np.array([[0.5]])) == pytest.approx(0.5 * side)


def test_losses_by_hand() -> None:
    occupancy = Shape(sphere(1), n_points=100)
    logits, inside = torch.tensor([[2.0], [-1.0]]), torch.tensor([[1.0], [1.0]])
    wanted = (torch.log1p(torch.exp(-logits))).mean()
    torch.testing.assert_close(occupancy.loss(logits, inside), wanted)
    assert occupancy.loss_in_words(0.25) == "cross-entropy 0.2500"
    distance = Shape(sphere(1), n_points=100, signed_distance=True, clamp=0.1)
    found, true = torch.tensor([[0.5], [-0.02], [-9.0]]), torch.tensor([[0.1], [0.01], [-0.1]])
    assert float(distance.loss(found, true)) == pytest.approx(0.01)
    assert distance.loss_in_words(0.25) == "clipped error 0.2500"


def test_the_eikonal_term_is_the_length_of_the_gradient() -> None:
    task = Shape(sphere(1), n_points=100, signed_distance=True, eikonal=0.5)
    assert not task.takes_points
    x, y = task.training()
    plain = Shape(sphere(1), n_points=100, signed_distance=True)
    assert plain.takes_points

    def loss(task: Shape, factor: float) -> float:
        class Steep(Ball):
            def forward(self, x: Tensor) -> Tensor:
                return factor * super().forward(x)

        return float(task.training_loss(Steep(), x, y, seeded()).detach())

    assert loss(task, 1.0) == pytest.approx(loss(plain, 1.0))
    assert loss(task, 3.0) - loss(plain, 3.0) == pytest.approx(0.5 * (3 - 1) ** 2)
    network = mlp(Gaussian(3, 8, 1.0, seeded()), 1, width=8, depth=1, generator=seeded())
    trainer = Trainer(network, task, Budget(steps=3))
    trainer.run()
    assert trainer.evaluations[-1].is_finite


def test_scores_of_a_smaller_ball() -> None:
    """IoU of one ball in another is the ratio of volumes; its surface is everywhere as far away."""
    task = Shape(sphere(5), n_points=20_000, cells=40)
    network = Ball(0.40)
    found = task.scores(task.shown(network), network)
    assert list(found) == [
        "IoU near the surface", "IoU of uniform points", "chamfer distance (sides of the box)"
    ]  # fmt: skip
    assert found["IoU of uniform points"] == pytest.approx((0.40 / 0.45) ** 3, abs=0.05)
    assert found["IoU near the surface"] < 0.01  # five standard deviations away
    assert found["chamfer distance (sides of the box)"] == pytest.approx(0.05, abs=1e-3)
    same = task.scores(task.shown(Ball()), Ball())
    assert same["IoU near the surface"] > 0.95
    assert same["chamfer distance (sides of the box)"] < 2e-3
    assert task.keep_out(0.0).scores(task.truth, Ball())["IoU of uniform points"] > 0.99
    nothing = task.scores(task.shown(Ball(-1.0)), Ball(-1.0))
    assert nothing == {"IoU near the surface": 0.0, "IoU of uniform points": 0.0}


def test_the_error_of_distances_is_scored_clipped() -> None:
    task = Shape(sphere(4), n_points=2000, signed_distance=True, clamp=0.1, cells=16)
    found = task.scores(task.truth, Ball(0.43))
    x, y = task.judged()
    wanted = (Ball(0.43)(x).clamp(-0.1, 0.1) - y).abs().mean().detach()
    assert found["error of the distance (sides of the box)"] == pytest.approx(float(wanted))
    assert found["chamfer distance (sides of the box)"] < 1e-9


@pytest.mark.parametrize("signed", [False, True])
def test_the_baseline_is_a_grid_of_the_values(signed: bool) -> None:
    task = Shape(sphere(4), n_points=8000, signed_distance=signed)
    found = task.baseline()
    assert found is not None
    assert found.name == "voxel grid, 20 x 20 x 20"
    assert (0.9 if signed else 0.7) < found.held_out < (1 if signed else 0.8)
    assert task.keep_out(0.0).baseline() is None


def test_a_rendering_is_in_units_of_the_file(tmp_path: Path) -> None:
    """A cube of 20 at (100, 200, 300): the surface of a ball that is as wide."""
    pytest.importorskip("trimesh")
    vertices, faces = box((20.0, 20.0, 20.0))
    path = tmp_path / "cube.ply"
    write_mesh(path, vertices + np.array([100, 200, 300]), faces)
    task = Shape(path, n_points=100)
    rendered = Shape.render(Ball(), task.domain, size=(40,))
    radii = np.linalg.norm(rendered.values - [110, 210, 310], axis=-1)
    assert abs(radii - 10).max() < 0.02
    for suffix in Shape.suffixes[:4]:
        Shape.write(tmp_path / f"ball{suffix}", rendered)
        found = read_shape(tmp_path / f"ball{suffix}")
        assert found.notes == ()
        radii = np.linalg.norm(found.vertices - [110, 210, 310], axis=1)
        assert abs(radii - 10).max() < 0.02
    again = Shape(tmp_path / "ball.obj", n_points=2000)
    assert again.notes[0].startswith("20 x 20 x 20 in units of the file")
    same = (again.values[:, 0] > 0) == ((again.points() - 0.5).norm(dim=1) < 0.45)
    assert same.double().mean() > 0.98
    half = Shape.render(
        Ball(), task.domain, size=(20, 40, 40), crop=[(99, 110), (199, 221), (299, 321)]
    )
    assert half.values[..., 0].max() == pytest.approx(110)
    assert Shape(tmp_path / "ball.stl", n_points=100).domain.up == 2
    assert Shape(tmp_path / "ball.ply", n_points=100).domain.up == 1


def test_tensors_and_clouds_are_sources() -> None:
    vertices, faces = sphere(3)
    one = Shape((torch.from_numpy(vertices).float(), torch.from_numpy(faces)), n_points=1000)
    points, normals = cloud(1500)
    other = Shape((points, normals), n_points=1000, cells=48)
    for task in (one, other):
        inside = (task.points() - 0.5).norm(dim=1) < 0.45
        assert (inside == (task.values[:, 0] > 0)).double().mean() > 0.9
    assert "1,500 points with normals" in other.notes[0]
    assert len(other.truth) > 1000


def test_a_network_learns_a_ball() -> None:
    task = Shape(sphere(3), n_points=4000, cells=24)
    network = mlp(Gaussian(3, 64, 0.5, seeded()), 1, width=64, depth=2, generator=seeded())
    trainer = Trainer(network, task, Budget(steps=200, batch_size=1000))
    trainer.run()
    assert task.metric.quality(trainer.evaluations[-1].held_out) > 0.85
    assert task.scores(task.shown(network))["chamfer distance (sides of the box)"] < 0.02


TRIANGLE = np.array([[0.0, 0, 0], [1, 0, 0.3], [0, 1, 0.5]]), np.array([[0, 1, 2]])
"""It leans, so that its box has a volume, and encloses nothing."""


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: Shape(sphere(1), n_points=9), "`n_points=9` must be at least 64"),
        (lambda: Shape(sphere(1), eikonal=0.1), "`eikonal=0.1` is of distances: pass `signed"),
        (lambda: Shape(sphere(1), up="w"), "`up='w'` must be 'x', 'y' or 'z'"),
        (lambda: Shape(TRIANGLE, n_points=400), "None of the 400 points to train on is inside: the surface encl"),
        (lambda: Shape(TRIANGLE, n_points=64, signed_distance=True), "Close it, or pass a larger `n_points`"),
        (lambda: Shape(sphere(1)[:1]), r"`Shape\(source\)` has 1 parts"),
        (lambda: Shape((sphere(1)[0], -sphere(1)[1])), r"`Shape\(\(vertices, faces\)\)` has faces"),
        (lambda: Shape.render(Ball(), Shape(sphere(1), n_points=64).domain, size=(1, 2)), "`size=.1, 2.` must be"),
        (lambda: Shape.render(Ball(), Shape(sphere(1), n_points=64).domain, size=(999,)), "more than a memory"),
        (lambda: Shape.render(Ball(), Shape(sphere(1), n_points=64).domain, size=(0,)), "at least 2 along each of 3 axes"),
        (
            lambda: Shape.render(Ball(), Shape(sphere(1), n_points=64).domain, crop=[(0, 1)]),
            "must be three parts of the box",
        ),
        (
            lambda: Shape.render(Ball(), Shape(sphere(1), n_points=64).domain, crop=[(0, 9)] * 3),
            "must be three parts of the box, -1.11111:1.11111 -1.11111:1.11111",
        ),
    ],
)  # fmt: skip
def test_errors(unchecked, call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()


def test_on_a_grid_it_is_as_large_as_the_solid() -> None:
    """A ball of diameter 0.9, and the distances in it."""
    ball = Shape(sphere(4), n_points=100)
    inside = ball.on_grid()
    assert inside.shape == (64, 64, 64, 1)
    assert float(inside.mean()) == pytest.approx(4 / 3 * np.pi * 0.45**3, rel=0.01)
    assert torch.equal(inside, inside.flip(0))
    distance = Shape(sphere(4), n_points=100, signed_distance=True).on_grid()
    assert torch.equal(distance > 0, inside > 0)
