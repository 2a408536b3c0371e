"""Views of a scene: folders and archives that are written here are read to the same rays; what cannot be used."""

import json
from collections.abc import Callable
from math import atan
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ntkit.measurements import Camera, camera_rays
from ntkit.tasks.files import Views, kind_of, read_views
from tests.spheres import cameras, pictures
from tests.tolerances import assert_near

SEEN = cameras(10, 12)
RGBA = [np.rint(image * 255) / 255 for image in pictures(SEEN)]
ARCHIVE = {
    "images": np.rint(np.stack(RGBA) * 255).astype(np.uint8),
    "poses": np.array([[*camera.pose, (0, 0, 0, 1)] for camera in SEEN]),
    "focal": np.float32(SEEN[0].focal[0]),
    "near": np.float32(1.0),
    "far": np.float32(4.0),
    "n_train": np.int64(8),
}


def straight(image: np.ndarray) -> np.ndarray:
    """Bytes of colours that are not times alpha, as PNG has them."""
    colours = image[..., :3] / np.maximum(image[..., 3:], 1e-9)
    return np.rint(np.concatenate([colours.clip(0, 1), image[..., 3:]], -1) * 255).astype(np.uint8)


def write_picture(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(exist_ok=True, parents=True)
    Image.fromarray(straight(image)).save(path)


def frame(camera: Camera, name: str, **more: Any) -> dict[str, Any]:
    pose = [list(row) for row in camera.pose] + [[0.0, 0.0, 0.0, 1.0]]
    return {"file_path": name, "transform_matrix": pose, **more}


def write_blender(folder: Path, test: range = range(8, 10)) -> None:
    """As the scenes of NeRF: names without `.png`, an angle of view."""
    angle = 2 * atan(6 / SEEN[0].focal[0])
    for part, which in (("train", range(8)), ("test", test)):
        frames = [frame(SEEN[k], f"./{part}/r_{k}") for k in which]
        for k in which:
            write_picture(folder / part / f"r_{k}.png", RGBA[k])
        if frames:
            content = {"camera_angle_x": angle, "frames": frames}
            (folder / f"transforms_{part}.json").write_text(json.dumps(content))


def write_nerfstudio(folder: Path, **more: Any) -> None:
    """As `ns-process-data` writes what COLMAP found."""
    for k, image in enumerate(RGBA):
        write_picture(folder / "images" / f"frame_{k:05d}.png", image)
    content = {
        "w": 12, "h": 12, "fl_x": SEEN[0].focal[0], "fl_y": SEEN[0].focal[1], "cx": 6.0, "cy": 6.0,
        "k1": 0.0, "k2": 0, "p1": 0.0, "p2": 0.0, "camera_model": "OPENCV",
        "frames": [frame(c, f"images/frame_{k:05d}.png") for k, c in enumerate(SEEN)],
        **more,
    }  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps(content))


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def assert_same(views: Views, which: list[int], *, bits: float = 1.5) -> None:
    """Pictures and rays are those of the scene's cameras of these numbers, to a byte."""
    assert len(views.images) == len(views.cameras) == len(which)
    for image, camera, k in zip(views.images, views.cameras, which, strict=True):
        assert abs(image - RGBA[k]).max() < bits / 255
        found, wanted = (camera_rays(c, 1, 4).rows() for c in (camera, SEEN[k]))
        assert_near(found, wanted, loosen=3)


def test_a_folder_of_blender(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_blender(tmp_path)
    views = read_views(tmp_path)
    assert_same(views, list(range(10)))
    assert views.held_out == (False,) * 8 + (True,) * 2
    assert views.bounds is None
    assert views.file_bytes > 0
    assert kind_of(tmp_path) == "field"


def test_a_folder_of_nerfstudio(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path)
    wanted = [1, 2, 3, 4, 5, 6, 7, 9, 0, 8]
    for path in (tmp_path, tmp_path / "transforms.json"):
        views = read_views(path)
        assert_same(views, wanted)
        assert views.held_out == (False,) * 8 + (True,) * 2
        assert "every eighth view judges" in views.notes
        assert kind_of(path) == "field"


def test_nerfstudios_own_lists_say_what_judges(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    names = [f"images/frame_{k:05d}.png" for k in (3, 5)]
    write_nerfstudio(tmp_path, test_filenames=names)
    assert_same(read_views(tmp_path), [0, 1, 2, 4, 6, 7, 8, 9, 3, 5])


def test_frames_may_have_cameras_of_their_own(tmp_path: Path) -> None:
    """What a frame says goes before what the file says of all."""
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path, fl_x=99.0, cx=1.0)

    def own(content: dict[str, Any]) -> None:
        for each in content["frames"]:
            each |= {"fl_x": SEEN[0].focal[0], "cx": 6.0}

    edit(tmp_path / "transforms.json", own)
    assert_same(read_views(tmp_path), [1, 2, 3, 4, 5, 6, 7, 9, 0, 8])


def test_smaller_copies_have_cameras_of_their_size(tmp_path: Path) -> None:
    """A JSON of pictures twice the size: focal lengths and centres follow the pixels."""
    pytest.importorskip("PIL")
    twice = {"w": 24, "h": 24, "fl_x": 2 * SEEN[0].focal[0], "fl_y": 2 * SEEN[0].focal[1]}
    write_nerfstudio(tmp_path, **twice, cx=12.0, cy=12.0)
    assert_same(read_views(tmp_path), [1, 2, 3, 4, 5, 6, 7, 9, 0, 8])


def test_a_blender_folder_without_test_views_holds_out_every_eighth(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_blender(tmp_path, test=range(0))
    assert_same(read_views(tmp_path), [1, 2, 3, 4, 5, 6, 7, 0])


def test_many_test_views_judge_by_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("PIL")
    from ntkit.tasks.files import view_folders

    monkeypatch.setattr(view_folders, "_JUDGES", 1)
    write_blender(tmp_path)
    views = read_views(tmp_path)
    assert sum(views.held_out) == 1
    assert "1 of 2 held-out views judge" in views.notes


def test_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "scene.npz", **ARCHIVE)
    views = read_views(tmp_path / "scene.npz")
    assert_same(views, list(range(10)), bits=0.01)
    assert views.held_out == (False,) * 8 + (True,) * 2
    assert views.bounds == (1.0, 4.0)
    assert views.notes == ("no colour exceeds its alpha: colours were taken as times alpha",)
    assert kind_of(tmp_path / "scene.npz") == "field"


def test_colours_that_are_not_times_alpha(tmp_path: Path) -> None:
    """Told from the numbers, from the archive, or from what is asked."""
    path = tmp_path / "scene.npz"
    plain = np.stack([straight(image) for image in RGBA])
    np.savez(path, **{**ARCHIVE, "images": plain})
    views = read_views(path)
    assert_same(views, list(range(10)))
    assert views.notes == ("colours exceed their alpha: colours were taken as not times alpha",)
    np.savez(path, **ARCHIVE, premultiplied=np.array(False))
    said = read_views(path)
    asked = read_views(path, premultiplied=False)
    assert said.notes == asked.notes == ()
    for one, other, image in zip(said.images, asked.images, RGBA, strict=True):
        assert np.array_equal(one, other)
        assert abs(one[..., :3] - image[..., :3] * image[..., 3:]).max() < 1e-6


def test_what_an_archive_leaves_out(tmp_path: Path) -> None:
    path = tmp_path / "scene.npz"
    needed = {k: ARCHIVE[k] for k in ("poses", "focal")}
    np.savez(path, **needed, images=ARCHIVE["images"][..., :3])
    views = read_views(path)
    assert views.bounds is None
    assert [k for k, out in enumerate(views.held_out) if out] == [0, 8]
    assert all((image[..., 3] == 1).all() for image in views.images)
    assert views.notes == ("every eighth view judges",)


def test_what_a_folder_says_as_null_is_left_out(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path, w=None, h=None, cx=None, fl_y=None)
    assert read_views(tmp_path).cameras[0].size == (12, 12)


def test_shrunk_views_are_means_and_see_the_same(tmp_path: Path) -> None:
    path = tmp_path / "scene.npz"
    np.savez(path, **ARCHIVE)
    views = read_views(path, downscale=3)
    for image, camera, k in zip(views.images, views.cameras, range(10), strict=True):
        assert abs(image - RGBA[k].reshape(4, 3, 4, 3, 4).mean((1, 3))).max() < 1e-6
        wanted = camera_rays(SEEN[k], 1, 4).direction.reshape(4, 3, 4, 3, 3)[:, 1, :, 1]
        assert_near(camera_rays(camera, 1, 4).direction, wanted.reshape(-1, 3), loosen=3)


def changed(**arrays: Any) -> Callable[[Path], object]:
    return lambda path: np.savez(path / "scene.npz", **{**ARCHIVE, **arrays})


def without(name: str) -> Callable[[Path], object]:
    return lambda path: np.savez(
        path / "scene.npz", **{k: v for k, v in ARCHIVE.items() if k != name}
    )


def posed(row: int, column: int, value: float) -> np.ndarray:
    poses = ARCHIVE["poses"].copy()
    poses[3, row, column] = value
    return poses


@pytest.mark.parametrize(
    ("write", "match"),
    [
        (without("poses"), r"`.*scene.npz` has no `poses`: an archive of views holds"),
        (without("focal"), r"has no `focal`"),
        (changed(poses=posed(0, 0, 7)), r"View 3 of `.*` has a pose that is not rigid"),
        (changed(poses=posed(3, 0, 1)), r"View 3 of `.*` has a pose that is not rigid"),
        (changed(poses=-ARCHIVE["poses"]), "View 0 of .* not rigid"),
        (changed(poses=posed(0, 0, np.nan)), "View 3 of .* not 4 rows of 4 finite numbers"),
        (changed(poses=ARCHIVE["poses"][:5]), r"`poses` of .* has shape \(5, 4, 4\)"),
        (changed(images=ARCHIVE["images"][0]), r"`images` of .* is uint8 of shape \(12, 12, 4\)"),
        (changed(images=np.stack(RGBA) * 9), "has floats that are not from 0 to 1"),
        (changed(focal=np.array([1.0, 2.0])), r"`focal` of .* must be one finite number above 0, got an array of shape \(2,"),
        (changed(far=np.float32(0.5)), "`far` of .* must be one finite number above 1, got 0.5"),
        (without("far"), "has `near` and no `far`. Save both, or neither"),
        (without("near"), "has `far` and no `near`"),
        (changed(n_train=np.int64(99)), "`n_train` of .* must be a whole number up to its 10 views, got 99"),
        (changed(n_train=np.float64(0.4)), "must be a whole number up to its 10 views, got 0.4"),
        (changed(n_train=np.int64(1)), "has one view to train on, and a scene needs two"),
        (changed(images=ARCHIVE["images"] * 0 + 9), "has views of one constant colour"),
        (changed(poses=np.array([{}], dtype=object)), "no archive of plain NumPy arrays"),
        (lambda path: (path / "scene.npz").write_bytes(b"PK nonsense"), "no archive of plain|pickled"),
    ],
)  # fmt: skip
def test_archives_that_are_refused(
    tmp_path: Path, write: Callable[[Path], object], match: str
) -> None:
    write(tmp_path)
    with pytest.raises(ValueError, match=match) as caught:
        read_views(tmp_path / "scene.npz")
    assert "\n" not in str(caught.value)


def all_frames(**more: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: [each.update(more) for each in content["frames"]]


def first(**more: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["frames"][0].update(more)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c["frames"][0].pop("transform_matrix"), "has no pose: `transform_matrix` is miss"),
        (first(transform_matrix="north"), "`frame_00000.png` has a pose that is not 4 rows"),
        (first(transform_matrix=[[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]), "not rigid"),
        (first(file_path="../secret.png"), r"names `\.\./secret.png`, which is outside of its folder"),
        (first(file_path="/etc/hostname"), "which is outside of its folder"),
        (lambda c: c["frames"][0].pop("file_path"), "has a frame without `file_path`"),
        (lambda c: c.pop("fl_x"), "has no focal length: `fl_x` in pixels or"),
        (lambda c: c.update(fl_x="wide"), "`fl_x` of `frame_00001.png` must be a number, got 'wide'"),
        (lambda c: c.update(fl_x=-3), "`fl_x` of `frame_00001.png` must be above 0, got -3"),
        (lambda c: c.update(camera_angle_x=40), "`camera_angle_x` of `frame_00001.png` must be below pi, in radians, got 40"),
        (lambda c: c.update(k1=0.1), r"a lens that distorts \(`k1` is not 0\). Undistort"),
        (lambda c: c.update(camera_model="OPENCV_FISHEYE"), "`camera_model` is OPENCV_FISHEYE"),
        (lambda c: c.update(w=30), "is 12 x 12 pixels, and its camera 30 x 12"),
        (lambda c: c.update(frames=[]), "has no `frames`: a list of views with poses"),
    ],
)  # fmt: skip
def test_folders_that_are_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path)
    edit(tmp_path / "transforms.json", change)
    with pytest.raises(ValueError, match=match) as caught:
        read_views(tmp_path)
    assert "\n" not in str(caught.value)


def test_pictures_that_are_not_there(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path)
    edit(tmp_path / "transforms.json", first(file_path="images/none.png"))
    with pytest.raises(FileNotFoundError, match=r"names `images/none.png`, which is not there"):
        read_views(tmp_path)


def test_views_of_different_sizes_need_cameras_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    write_nerfstudio(tmp_path)
    write_picture(tmp_path / "images" / "frame_00004.png", RGBA[4][::2, ::2])
    with pytest.raises(ValueError, match="has views of different sizes: each frame needs its own"):
        read_views(tmp_path)
    edit(tmp_path / "transforms.json", all_frames(fl_x=SEEN[0].focal[0], w=12, h=12))
    assert sorted({image.shape for image in read_views(tmp_path).images}) == [
        (6, 6, 4),
        (12, 12, 4),
    ]


def test_files_of_other_kinds_hold_no_views(tmp_path: Path) -> None:
    (tmp_path / "ball.ply").write_bytes(b"ply\xcd")
    with pytest.raises(
        ValueError, match=r"`.*ball.ply` holds no views of a scene. Pass a folder with"
    ):
        read_views(tmp_path / "ball.ply")


def test_no_views_at_all(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    with pytest.raises(FileNotFoundError, match=r"has no transforms_train.json \(Blender\)"):
        read_views(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"does not exist. Pass a folder with transforms.json"
    ):
        read_views(tmp_path / "none")
    (tmp_path / "transforms.json").write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        read_views(tmp_path)


def test_pictures_of_other_channels_are_refused() -> None:
    from ntkit.tasks.files.views import with_alpha

    with pytest.raises(ValueError, match=r"a picture has shape \(4, 4, 5\): gray, RGB or RGBA"):
        with_alpha(np.zeros((4, 4, 5)), False)
    gray = with_alpha(np.full((4, 4), 51, np.uint8), False)
    np.testing.assert_allclose(gray[0, 0], [0.2, 0.2, 0.2, 1], rtol=1e-6)
