"""Radiance fields: rendered balls against closed forms, what is not asked, options, views held out."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit.encodings import AbstractEncoding, Basic, Composite, Gaussian, Identity, NeRF
from ntkit.measurements import OccupancyGrid, Rays
from ntkit.networks import mlp, siren
from ntkit.tasks import Budget, Domain, RadianceField, Trainer
from ntkit.tasks.marching import march
from tests.cases import seeded
from tests.rates import fitted_exponent
from tests.spheres import Balls, cameras, exact, views
from tests.tolerances import assert_near

UNIT: dict[str, Any] = {"box": (0, 0, 0, 1, 1, 1), "silhouettes": False}
"""The box that the balls are in, so that the network's density is per unit of the scene."""


def scene(count: int = 6, size: int = 16, **how: Any) -> RadianceField:
    return RadianceField(views(count, size), **{**UNIT, **how})


def small(task: RadianceField, encoding: AbstractEncoding | None = None) -> nn.Sequential:
    first = Gaussian(task.in_dim, 16, 2.0, seeded()) if encoding is None else encoding
    return mlp(first, 4, width=16, depth=2, generator=seeded())


def error(found: Tensor, true: Tensor) -> float:
    return float((found - true).detach().square().mean().sqrt())


def test_rendered_balls_come_to_the_pictures_as_one_over_the_samples() -> None:
    """The whole way: readers' pictures, rays of the box, densities per its side, white behind."""
    counts, errors = [16, 32, 64, 128, 256], []
    for n in counts:
        task = scene(n_samples=n)
        rows, colours = task.training()
        errors.append(error(task.predict(Balls(), rows), colours))
    assert fitted_exponent(counts, errors) == pytest.approx(-1, abs=0.3)
    assert errors[-1] < 0.02


def test_another_background_is_seen_where_nothing_is() -> None:
    task = scene(background=(0.0, 0.5, 1.0), n_samples=128)
    rows, colours = task.training()
    opacity = exact(Rays.of_rows(rows))[1]
    assert_near(
        colours[opacity == 0], torch.tensor([0.0, 0.5, 1.0]).expand(int((opacity == 0).sum()), 3)
    )
    assert error(task.predict(Balls(), rows), colours) < 0.03


def test_views_that_were_set_aside_are_not_fitted_unasked() -> None:
    task = scene(5, 16)
    assert task.to_fit().held_out == task.held_out != task.keep_out(0.0).held_out


def test_rows_are_rays_of_the_views() -> None:
    task = scene(5, 16)
    (x, y), (at, truth) = task.training(), task.judged()
    assert x.shape == (4 * 256, 9) == (task.n_trained, 9)
    assert at.shape == (256, 9)
    rays = Rays.of_rows(at)
    assert_near(truth, exact(rays)[0], loosen=100)
    assert_near(rays.near, torch.full((256,), 1.0))
    assert y.dtype == x.dtype == torch.float32


def test_what_silhouettes_and_grids_say_is_empty_is_not_asked_and_looks_the_same() -> None:
    task = RadianceField(views(12, 24), box=UNIT["box"], n_samples=64)
    plain = replace(task.scene, possible="")
    rows = task.judged()[0]
    networks = Balls(), Balls(), Balls()
    grid, generator = OccupancyGrid(32), seeded()
    for _ in range(20):
        grid.update(lambda x: nn.functional.softplus(Balls()(x)[:, 0]), generator)
    seen = [
        march(networks[0], plain, rows),
        march(networks[1], task.scene, rows),
        march(networks[2], plain, rows, grid=grid),
    ]
    for other in seen[1:]:
        assert_near(other.colour, seen[0].colour, loosen=10)
        assert_near(other.depth, seen[0].depth, loosen=10)
    assert max(network.asked for network in networks[1:]) < 0.3 * networks[0].asked


def test_hierarchical_sampling_is_nearer_at_equal_cost() -> None:
    flat, both = scene(n_samples=48), scene(n_samples=32, n_fine=16)
    rows, colours = flat.training()
    errors = [error(task.predict(Balls(), rows), colours) for task in (flat, both)]
    assert errors[1] < 0.7 * errors[0]


def test_cones_without_width_are_rays() -> None:
    """Radius to zero and short pieces: the Gaussians shrink to the points, at the square of the piece's length."""
    network = small(scene())
    counts, errors = [8, 16, 32, 64], []
    for n in counts:
        plain, cones = scene(n_samples=n), scene(n_samples=n, cones=True)
        rows = plain.judged()[0].clone()
        rows[:, 6] = 0
        errors.append(error(cones.predict(network, rows), plain.predict(network, rows)))
    assert fitted_exponent(counts, errors) == pytest.approx(-2, abs=0.35)


def test_wide_cones_do_not_see_fine_waves() -> None:
    """A cone as wide as the scene sees fog of one density and colour, whatever waves say at its points."""
    task = scene(n_samples=32, cones=True)
    waves, still = (Gaussian(3, 32, 30.0, seeded()) for _ in range(2))
    still.amplitudes.zero_()
    rows = task.judged()[0].clone()
    errors = []
    for radius in (1e-4, 0.3):
        rows[:, 6] = radius
        errors.append(
            error(task.predict(small(task, waves), rows), task.predict(small(task, still), rows))
        )
    assert errors[1] < 0.02 * errors[0]


def test_diagonal_covariances_are_enough_for_frequencies_along_axes() -> None:
    """`NeRF` as it is, and with one wave more, along no axis and of no size."""
    task, axes, tilted = scene(n_samples=16, cones=True), NeRF(3, 4), NeRF(3, 4)
    tilted.frequencies = torch.cat([axes.frequencies, torch.ones(1, 3)])
    tilted.amplitudes = torch.cat([axes.amplitudes, torch.zeros(1)])
    tilted.order = None
    tilted.out_dim += 2
    axes.order = None
    weights = torch.randn(4, 26, generator=seeded())
    networks = []
    for encoding, columns in ((axes, [*range(12), *range(13, 25)]), (tilted, range(26))):
        layer = nn.Linear(encoding.out_dim, 4, bias=False)
        layer.weight.data = weights[:, list(columns)].clone()
        networks.append(nn.Sequential(encoding, layer))
    rows = task.judged()[0]
    assert_near(task.predict(networks[1], rows), task.predict(networks[0], rows), loosen=10)


def test_encodings_turn_slowly_with_the_direction() -> None:
    assert scene(view_directions=True).axis_factors == ((1.0, 1.0, 1.0, 1 / 32, 1 / 32, 1 / 32),)
    assert scene().axis_factors == ((),)


@pytest.mark.parametrize("cones", [False, True])
def test_view_directions_reach_the_network(cones: bool) -> None:
    """A line of sight is seen otherwise from its other end; without directions it is not, but for the order."""
    encoding = Composite(NeRF(3, 2), Identity(3))
    network = mlp(encoding, 4, width=8, depth=1, generator=seeded())
    task = scene(view_directions=True, cones=cones, n_samples=8)
    assert task.in_dim == 6
    rows = task.judged()[0][100:140].clone()
    rows[:, 6] = 0
    reverse = rows.clone()
    reverse[:, :3] += 5 * rows[:, 3:6]
    reverse[:, 3:6] *= -1
    both = [task.seen(network, r).opacity for r in (rows, reverse)]
    assert error(*both) > 1e-3
    first = network[1]
    assert isinstance(first, nn.Linear)
    first.weight.data[:, -3:] = 0
    both = [task.seen(network, r).opacity for r in (rows, reverse)]
    assert_near(both[0], both[1], loosen=1e3)


def test_views_are_held_out_whole() -> None:
    task = scene(10, 8)
    assert sum(task.held_out) == 1
    assert task.judges
    fifth = task.keep_out(0.2, seed=3)
    assert sum(fifth.held_out) == 2
    assert fifth.n_trained == 8 * 64
    everything = fifth.keep_out(0.0)
    assert not everything.judges
    assert len(everything.judged()[0]) == 0
    assert len(everything.truth) == 8
    assert sum(task.held_out) == 1
    assert "10 views of 8 x 8, 1 held out" in repr(task)


def test_silhouettes_of_views_that_judge_are_not_looked_at() -> None:
    """Whatever these show, the box and its cells are the same; held out otherwise, they are others."""
    seen = views(8, 16, 2)
    shown = [
        np.ones_like(image) if out else image
        for image, out in zip(seen.images, seen.held_out, strict=True)
    ]
    task, blind = RadianceField(seen), RadianceField(replace(seen, images=tuple(shown)))
    assert task.scene == blind.scene
    assert task.scene.possible
    other = task.keep_out(0.5)
    assert other.scene != task.scene
    assert other.domain.scene == other.scene


def test_training_learns_where_nothing_is_and_goes_on_from_a_checkpoint() -> None:
    """Interrupted or not, to the last bit; the task itself is left as it was."""
    task = scene(4, 8, n_samples=8)

    def trainer() -> Trainer:
        return Trainer(small(task), task, Budget(steps=20, batch_size=16), generator=seeded())

    whole, half = trainer(), trainer()
    whole.run()

    class Stop(Exception):
        pass

    def stop(step: int, loss: float) -> None:
        if step == 17:
            raise Stop

    with pytest.raises(Stop):
        half.run(on_step=stop)
    again = trainer()
    again.restore(half.state())
    again.run()
    states = whole.state(), again.state()
    assert {"task.occupied", "task.held", "task.steps"} <= set(states[0])
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
    assert task.learned() == {}
    task.put_back({})


def test_a_short_training_is_better_than_white() -> None:
    task = scene(6, 12, n_samples=24)
    network = mlp(Gaussian(3, 32, 1.0, seeded()), 4, width=32, depth=2, generator=seeded())
    trainer = Trainer(network, task, Budget(lr=5e-3, steps=150, batch_size=128), average=True)
    trainer.run()
    white = float((1 - task.judged()[1]).square().mean())
    assert trainer.evaluations[-1].held_out < 0.5 * white


def test_not_all_rays_are_judged_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out rays up to the limit, and a quarter as many that were trained on."""
    task, asked = scene(4, 8, n_samples=4, occupancy=False), []
    predict = RadianceField.predict

    def counted(self: RadianceField, network: nn.Module, rows: Tensor, generator=None) -> Tensor:
        asked.append(len(rows))
        return predict(self, network, rows, generator)

    monkeypatch.setattr(RadianceField, "predict", counted)
    monkeypatch.setattr(RadianceField, "most_judged", 32)
    Trainer(small(task), task, Budget(steps=1, batch_size=8)).run()
    assert asked == [8, 8, 32]
    asked.clear()
    monkeypatch.setattr(RadianceField, "most_judged", None)
    Trainer(small(task), task, Budget(steps=1, batch_size=8)).run()
    assert asked == [8, 192, 64]


def test_scores_and_frequencies_in_words() -> None:
    task = scene(5, 16)
    network = small(task)
    shown = task.shown(network)
    assert list(task.scores(shown, network)) == ["SSIM"]
    assert task.scores(task.truth)["SSIM"] == pytest.approx(1)
    assert scene(5, 8).scores(scene(5, 8).truth) == {}
    wide = RadianceField(views(5, 16), box=(0, 0, 0, 2, 2, 2), silhouettes=False)
    assert wide.frequency(8.0) == "4 cycles per unit of the scene"
    assert task.baseline() is None


def test_a_rendering_is_what_its_camera_sees() -> None:
    task = scene(5, 12, n_samples=32)
    domain = Domain.from_dict(json.loads(json.dumps(task.domain.to_dict())))
    assert domain == task.domain
    found = RadianceField.render(Balls(), domain)
    assert_near(torch.from_numpy(found.values), task.shown(Balls())[0], loosen=10)
    large = RadianceField.render(Balls(), domain, size=(24, 24))
    cut = RadianceField.render(Balls(), domain, size=(12, 10), crop=[(0, 6), (2, 7)])
    np.testing.assert_allclose(cut.values, large.values[:12, 4:14], atol=1e-5)
    depth = RadianceField.render(Balls(), domain, depth=True).values
    assert depth.shape == (12, 12, 1)
    white = np.all(found.values > 1 - 1e-6, -1)
    assert abs(depth[white]).max() < 1e-5  # as far as rays go
    assert 0.3 < depth[~white].max() < 0.7  # the balls are in the middle
    other = RadianceField.render(Balls(), domain, camera=cameras(5, 12)[1])
    assert abs(other.values - found.values).max() > 0.1


def test_a_turntable_goes_round(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    task = scene(5, 12, n_samples=16)
    found = RadianceField.render(Balls(), task.domain, frames=4)
    assert found.values.shape == (4, 12, 12, 3)
    assert found.domain.shape == (4, 12, 12)
    half_way = RadianceField.render(Balls(), task.domain, camera=task.scene.turned(0.5, 12, 12))
    np.testing.assert_allclose(found.values[2], half_way.values)
    RadianceField.write(tmp_path / "turn.gif", found)
    with image.open(tmp_path / "turn.gif") as film:
        assert film.n_frames == 4
    notes = RadianceField.write(tmp_path / "turn.png", found)
    assert notes[0] == "the first of 4 views: name a .gif or .mp4 for all"
    RadianceField.write(tmp_path / "turn.npy", found)
    assert np.load(tmp_path / "turn.npy").shape == (4, 12, 12, 3)


def test_a_file_is_read_as_its_views(tmp_path: Path) -> None:
    seen = views(6, 12)
    poses = np.array([[*camera.pose, (0, 0, 0, 1)] for camera in seen.cameras])
    np.savez(
        tmp_path / "scene.npz",
        images=np.stack(seen.images),
        poses=poses,
        focal=seen.cameras[0].focal[0],
        near=1.0,
        far=4.0,
        n_train=5,
    )
    task = RadianceField(tmp_path / "scene.npz", silhouettes=False)
    memory = RadianceField(seen, silhouettes=False)
    for one, other in zip(task.training(), memory.training(), strict=True):
        assert_near(one, other, loosen=10)
    assert RadianceField(tmp_path / "scene.npz", downscale=2, silhouettes=False).truth.shape == (
        1,
        6,
        6,
        3,
    )


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: scene().keep_out(0.95), "`hold_out=0.95` must be a share of the 6 views"),
        (lambda: scene(3).keep_out(0.6), "that leaves two to train on"),
        (lambda: scene(n_fine=-1), "`n_fine=-1` must be 0 or more"),
        (lambda: scene(background=(1, 1)), "`background=.*` must be three finite numbers"),
        (lambda: RadianceField("none", background=(255, 0, 0)), "from 0 to 1. Divide bytes by 255"),
        (lambda: RadianceField("none", box=(1, 2, 3)), "must be six numbers"),
        (
            lambda: scene().predict(mlp(Basic(3), 1, width=4, depth=1), scene().judged()[0]),
            r"density and colour \[n, 4\] are needed",
        ),
        (
            lambda: scene(cones=True).predict(siren(3, 4, width=8, depth=1), scene().judged()[0]),
            "`cones=True` averages Fourier features over the cone of a pixel, and this network does",
        ),
        (
            lambda: RadianceField.render(Balls(), Domain("image", (8, 8), 3)),
            "`domain` is of kind 'image': it has no scene",
        ),
    ],
)
def test_errors(call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()


def test_an_encoding_of_positions_and_directions_together_sees_the_same_cones() -> None:
    """Frequencies of directions that are 0, beside those of positions: as an encoding of positions alone."""
    task = RadianceField(views(), cones=True, view_directions=True, n_samples=8)
    alone, both = Gaussian(3, 8, 2.0, seeded()), Gaussian(6, 8, 2.0, seeded())
    both.frequencies = torch.cat([alone.frequencies, torch.zeros(8, 3)], 1)
    rows = task.judged()[0]
    networks = [mlp(e, 4, width=8, depth=1, generator=seeded()) for e in (alone, both)]
    plain = RadianceField(views(), cones=True, n_samples=8)
    assert_near(task.predict(networks[1], rows), plain.predict(networks[0], rows), loosen=10)


def test_bare_coordinates_see_the_middles_of_cones() -> None:
    """The mean of a narrow Gaussian is its point: pieces that get short and thin are rays."""
    network, errors = small(scene(), Identity(3)), []
    for n in (8, 32):
        plain, cones = scene(n_samples=n), scene(n_samples=n, cones=True)
        rows = plain.judged()[0].clone()
        rows[:, 6] = 0
        errors.append(error(cones.predict(network, rows), plain.predict(network, rows)))
    assert errors[1] < errors[0] / 8


def test_cones_ask_for_features_of_positions_alone() -> None:
    """Before anything is trained; with directions, beside an encoding of theirs."""
    task = RadianceField(views(), cones=True)
    task.check_network(mlp(Gaussian(3, 8, 2.0, seeded()), 4, width=8, depth=1))
    aside = RadianceField(views(), cones=True, view_directions=True)
    both = Composite(Gaussian(3, 8, 2.0, seeded()), NeRF(3, 2))
    aside.check_network(mlp(both, 4, width=8, depth=1))
    aside.check_network(mlp(Gaussian(6, 8, 2.0, seeded()), 4, width=8, depth=1))
    wrong = (
        (task, siren(3, 4, width=8, depth=1)),
        (task, mlp(Gaussian(6, 8, 2.0, seeded()), 4, width=8, depth=1)),
        (aside, mlp(Gaussian(3, 8, 2.0, seeded()), 4, width=8, depth=1)),
    )
    for each, network in wrong:
        with pytest.raises(ValueError, match="`cones=True` averages Fourier features over"):
            each.check_network(network)
