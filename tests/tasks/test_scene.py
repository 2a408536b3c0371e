"""The box of a scene, silhouettes, turntables."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ntkit.tasks.files import Views
from ntkit.tasks.scene import Scene, packed, unpacked
from ntkit.tasks.scene_box import scene_of
from ntkit.tasks.scene_options import checked_place, colour, none_or_more, triple
from ntkit.tasks.silhouettes import possible_cells
from tests.cases import seeded
from tests.spheres import BALLS, cameras, pictures, views


def found(seen: Views | None = None, **how: Any) -> Scene:
    options: dict[str, Any] = {"near": None, "far": None, "box": None, "silhouettes": False, **how}
    return scene_of(seen or views(), **options)


def parallel(**more: object) -> Views:
    """Cameras beside each other that look in one direction."""
    poses = [((1.0, 0.0, 0.0, x), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 2.0)) for x in (-1.0, 1.0)]
    seen = tuple(replace(cameras(1)[0], pose=pose) for pose in poses)
    return replace(views(2), cameras=seen, held_out=(False, False), **more)


def test_the_box_is_about_what_all_cameras_look_at() -> None:
    """From `near` to `far` wide; where these are unknown, half of the distance to each side."""
    given = found()
    np.testing.assert_allclose(np.array(given.low) + given.side / 2, 0.5, atol=1e-6)
    assert (given.side, given.near, given.far) == (3.0, 1.0, 4.0)
    free = found(replace(views(), bounds=None))
    np.testing.assert_allclose([free.side, free.near, free.far], [2.5, 1.25, 3.75], rtol=1e-6)
    assert found(near=0.5, far=2.0).side == 1.5


def test_a_box_that_is_given_is_made_a_cube() -> None:
    scene = found(replace(views(), bounds=None), box=(0, 0.2, 0, 1, 0.8, 1))
    np.testing.assert_allclose([*scene.low, scene.side], [0, 0, 0, 1], atol=1e-12)
    assert scene.near == pytest.approx(2.5 - 3**0.5 / 2)
    assert scene.far == pytest.approx(2.5 + 3**0.5 / 2)


def test_silhouettes_shrink_the_box_and_keep_all_of_the_scene() -> None:
    seen = views(12, size=32)
    scene = found(seen, silhouettes=True)
    assert scene.side < 1
    cells = unpacked(scene.possible)
    assert 0.02 < float(cells.double().mean()) < 0.4
    points = torch.randn(4000, 3, generator=seeded())
    for ball in BALLS:
        inside = torch.tensor(ball.middle) + ball.radius * torch.nn.functional.normalize(points)
        unit = (inside - torch.tensor(scene.low)) / scene.side
        assert float(unit.min()) >= 0
        assert float(unit.max()) <= 1
        at = (unit * len(cells)).long().clamp(0, len(cells) - 1)
        assert bool(cells[at[:, 0], at[:, 1], at[:, 2]].all())


def test_pictures_that_are_opaque_everywhere_have_no_silhouettes() -> None:
    alphas = [np.ones((8, 8)) for _ in range(2)]
    assert possible_cells(alphas, cameras(2, 8), (0, 0, 0), 1.0, 4) is None
    opaque = [
        np.concatenate([i[..., :3], np.ones_like(i[..., 3:])], -1) for i in pictures(cameras())
    ]
    scene = found(replace(views(), images=tuple(opaque)), silhouettes=True)
    assert (scene.possible, scene.side) == ("", 3.0)


def test_a_turntable_looks_at_the_middle_from_all_sides() -> None:
    scene = found()
    middle = np.array(scene.low) + scene.side / 2
    places = []
    for k in range(4):
        camera = scene.turned(k / 4, 6, 8)
        pose = np.array(camera.pose)
        np.testing.assert_allclose(pose[:, :3].T @ pose[:, :3], np.eye(3), atol=1e-12)
        away = middle - pose[:, 3]
        np.testing.assert_allclose(-pose[:, 2], away / np.linalg.norm(away), atol=1e-12)
        assert pose[:, 1] @ np.array(scene.up) > 0
        assert camera.size == (6, 8)
        places.append(pose[:, 3])
    np.testing.assert_allclose(
        np.mean(places, 0) - middle, scene.orbit[0] * np.array(scene.up), atol=1e-9
    )
    assert np.linalg.norm(places[0] - places[2]) == pytest.approx(2 * scene.orbit[1])


def test_a_turntable_has_all_of_the_cube_in_its_picture() -> None:
    """Near cameras are moved away: the corners of the nearest side are in the picture, and all within its depths."""
    scene = found(views(6, size=16), box=(0, 0, 0, 2, 2, 2)).around()
    corners = np.array([[x, y, z] for x in (0, 2) for y in (0, 2) for z in (0, 2)], float)
    for k in range(8):
        camera = scene.turned(k / 8, 16, 16)
        pose = np.array(camera.pose)
        own = (corners - pose[:, 3]) @ pose[:, :3]
        depth = -own[:, 2]
        assert depth.min() >= scene.near
        assert depth.max() <= scene.far
        at = camera.focal[0] * abs(own[:, :2]) / depth[:, None]
        assert (
            at < 8 * 1.6
        ).all()  # the sides that are turned a corner to us reach a little beyond


def test_parallel_cameras_need_depths() -> None:
    scene = found(parallel(), near=1.0, far=3.0)
    np.testing.assert_allclose(np.array(scene.low) + scene.side / 2, [0, 0, 0], atol=1e-12)
    with pytest.raises(
        ValueError, match=r"The cameras look in one direction.* Pass `near` and `far`"
    ):
        found(parallel(bounds=None))


def test_cameras_that_look_outwards_need_a_box() -> None:
    seen = cameras(6)
    turned = tuple(replace(c, pose=tuple((-a, b, -d, p) for a, b, d, p in c.pose)) for c in seen)
    with pytest.raises(ValueError, match="The cameras look away from each other"):
        found(replace(views(), cameras=turned, bounds=None))


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"near": 5.0}, r"`near=5.0, far=4.0` must be two depths"),
        ({"near": -1.0, "far": 2.0}, r"`near=-1.0, far=2.0` must be two depths"),
        (
            {"box": (50, 50, 50, 51, 51, 51)},
            r"No view .* looks into the box of the scene, from \[50.0, ",
        ),
        (
            {"near": 90.0, "far": 91.0, "box": (0, 0, 0, 1, 1, 1)},
            "at depths from 90 to 91. Pass another",
        ),
    ],
)
def test_errors(how: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        found(**how)


def test_what_is_asked_is_checked_without_any_views() -> None:
    assert checked_place(1, None, (0, 0, 0, 1, 2, 3)) == {
        "near": 1.0,
        "far": None,
        "box": (0.0, 0.0, 0.0, 1.0, 2.0, 3.0),
    }
    assert colour("background", (0, 0.5, 1)) == (0.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: checked_place(2.0, 1.0, None), "`near=2.0, far=1.0` must be two depths"),
        (lambda: checked_place(float("nan"), None, None), "`near=nan` must be"),
        (lambda: checked_place(None, -1.0, None), "`far=-1.0` must be"),
        (lambda: checked_place(None, None, (0, 0, 0, 1, 1)), r"`box=\(0.0, 0.0, .*\)` must be six"),
        (lambda: checked_place(None, None, (0, 0, 0, 1, 0, 1)), "must be six numbers: the lowest"),
        (
            lambda: checked_place(None, None, (0, 0, 0, 1, 1, float("inf"))),
            "`box=.*` must be three finite numbers",
        ),
        (lambda: colour("background", (255, 255, 255)), "from 0 to 1. Divide bytes by 255"),
        (lambda: colour("background", (0, 0, -0.1)), "`background=.*` must be red, green and blue"),
        (lambda: none_or_more("n_fine", -1), "`n_fine=-1` must be 0 or more"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        call()


def test_damaged_cells_and_other_triples_are_refused() -> None:
    cells = torch.rand(5, 5, 5, generator=seeded()) > 0.5
    assert torch.equal(unpacked(packed(cells)), cells)
    for text in ("5:nonsense", "x", "7:" + packed(cells).split(":")[1]):
        with pytest.raises(ValueError, match="`possible` of the scene is damaged"):
            unpacked(text)
    with pytest.raises(ValueError, match=r"`background=\(1.0, 0.0\)` must be three finite numbers"):
        triple("background", (1, 0))
