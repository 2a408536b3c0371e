"""Views of a scene from folders in Blender's format (of NeRF's scenes) and in nerfstudio's (as made from COLMAP)."""

import json
from math import isfinite, pi, tan
from pathlib import Path
from typing import Any

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.measurements import Camera
from ntkit.tasks.files.pictures import decode_picture
from ntkit.tasks.files.sampling import check_memory
from ntkit.tasks.files.views import Views, checked_views, pose_of, shrunk, with_alpha

__all__ = ["read_folder"]

_BYTES = 120  # a pixel: its levels, its ray and its colour, and once more while they are made
_JUDGES = 25  # views that judge, at most: the two hundred of a Blender scene take minutes
_DISTORTIONS = ("k1", "k2", "k3", "k4", "p1", "p2")

_Frame = tuple[Path, dict[str, Any], dict[str, Any]]
"""The picture of a frame, what the JSON says of it, and what it says of all."""


def read_folder(path: Path, *, downscale: int, premultiplied: bool | None) -> Views:
    """The views of a folder; `read_views` says of which files.

    Args:
        path: The folder, or its `transforms.json`.
        downscale: Whole factor to shrink by.
        premultiplied: Whether colours are times alpha.

    Raises:
        FileNotFoundError: It has no such JSON.
    """
    folder = path if path.is_dir() else path.parent
    notes: list[str] = []
    if path.is_dir() and (folder / "transforms_train.json").is_file():
        frames = _frames(folder / "transforms_train.json", folder)
        judges = _judging(folder)
        if not judges:
            frames, judges = _every_eighth(frames, notes)
    elif (path if path.is_file() else folder / "transforms.json").is_file():
        source = path if path.is_file() else folder / "transforms.json"
        frames, judges = _named(_frames(source, folder), _json(source), notes)
    else:
        raise FileNotFoundError(
            f"`{shown(path)}` has no transforms_train.json (Blender) and no transforms.json (nerfstudio)."
        )
    if len(judges) > _JUDGES:
        picked = np.linspace(0, len(judges) - 1, _JUDGES).round().astype(int)
        notes.append(f"{_JUDGES} of {len(judges)} held-out views judge")
        judges = [judges[k] for k in picked]
    return _loaded(path, frames, judges, notes, downscale, bool(premultiplied))


def _loaded(
    path: Path,
    frames: list[_Frame],
    judges: list[_Frame],
    notes: list[str],
    downscale: int,
    premultiplied: bool,
) -> Views:
    """The pictures of frames, with their cameras."""
    images, cameras, size = [], [], 0
    count = len(frames) + len(judges)

    def check(pixels: int, channels: int) -> None:
        check_memory(
            path,
            samples=pixels * count,
            numbers=pixels * channels,
            bytes_per_sample=_BYTES,
            way_out="Pass `--downscale {}`.",
            axes=2,
            downscale=downscale,
        )

    for file, frame, whole in [*frames, *judges]:
        levels, more = decode_picture(file, check_size=check)
        notes += [note for note in more if note not in notes]
        image = with_alpha(levels, premultiplied)
        camera = _camera(file, frame, whole, image.shape[:2])
        (image,), (camera,) = shrunk([image], [camera], downscale)  # one by one: memory
        images.append(image)
        cameras.append(camera)
        size += file.stat().st_size
    _check_sizes(path, cameras, [*frames, *judges])
    held_out = (False,) * len(frames) + (True,) * len(judges)
    return checked_views(
        path, Views(tuple(images), tuple(cameras), held_out, None, tuple(notes), size)
    )


def _json(path: Path) -> dict[str, Any]:
    """The object of a JSON.

    Raises:
        ValueError: It is none, or has no frames.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{shown(path)}` is no JSON: {error}.") from None
    frames = found.get("frames") if isinstance(found, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(f, dict) for f in frames):
        raise ValueError(f"`{shown(path)}` has no `frames`: a list of views with poses is needed.")
    return found


def _frames(path: Path, folder: Path) -> list[_Frame]:
    """The picture of each frame, what the JSON says of it, and what it says of all."""
    whole = _json(path)
    return [(_picture(path, folder, frame), frame, whole) for frame in whole["frames"]]


def _picture(path: Path, folder: Path, frame: dict[str, Any]) -> Path:
    """The file of a frame; Blender's names leave `.png` out.

    Raises:
        FileNotFoundError: It is not there.
        ValueError: It has no name, or one outside of the folder.
    """
    name = frame.get("file_path")
    if not isinstance(name, str) or not name:
        raise ValueError(f"`{shown(path)}` has a frame without `file_path`.")
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"`{shown(path)}` names `{shown(name)}`, which is outside of its folder.")
    for each in (file, file.with_name(file.name + ".png")):
        if each.is_file():
            return each
    raise FileNotFoundError(f"`{shown(path)}` names `{shown(name)}`, which is not there.")


def _judging(folder: Path) -> list[_Frame]:
    """The frames of the test or validation views whose pictures are there."""
    for name in ("transforms_test.json", "transforms_val.json"):
        if (folder / name).is_file():
            return _frames(folder / name, folder)
    return []


def _named(
    frames: list[_Frame], whole: dict[str, Any], notes: list[str]
) -> tuple[list[_Frame], list[_Frame]]:
    """Training and judging frames, by nerfstudio's lists of names where there are such."""
    names = whole.get("test_filenames") or whole.get("val_filenames")
    if not names:
        return _every_eighth(frames, notes)
    judging = [f for f in frames if f[1]["file_path"] in names]
    return [f for f in frames if f[1]["file_path"] not in names], judging


def _every_eighth(frames: list[_Frame], notes: list[str]) -> tuple[list[_Frame], list[_Frame]]:
    """As LLFF and mip-NeRF 360 hold out: every eighth view, from the first, in the order of names."""
    notes.append("every eighth view judges")
    ordered = sorted(frames, key=lambda frame: str(frame[0]))
    return [f for k, f in enumerate(ordered) if k % 8], ordered[::8]


def _camera(
    file: Path, frame: dict[str, Any], whole: dict[str, Any], size: tuple[int, int]
) -> Camera:
    """The camera of a frame; what it says of itself goes before what the JSON says of all.

    Raises:
        ValueError: There is no focal length, or a number is out of range, the lens distorts, or the picture has other
            sides.
    """

    def said(name: str) -> float | None:
        value = frame.get(name, whole.get(name))
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (number and isfinite(value)):
            raise ValueError(
                f"`{name}` of `{shown(file.name)}` must be a number, got {value!r:.40}."
            )
        return None if value is None else float(value)

    def above_0(name: str) -> float | None:
        value = said(name)
        if value is not None and value <= 0:
            raise ValueError(f"`{name}` of `{shown(file.name)}` must be above 0, got {value:g}.")
        return value

    bent = [name for name in _DISTORTIONS if said(name)]
    model = str(frame.get("camera_model", whole.get("camera_model", "OPENCV"))).upper()
    if bent or "FISHEYE" in model or "EQUIRECT" in model:
        what = f"`{bent[0]}` is not 0" if bent else f"`camera_model` is {model}"
        raise ValueError(
            f"`{shown(file.name)}` has a lens that distorts ({what}). Undistort the pictures first, as "
            "`colmap image_undistorter` does."
        )
    width, height = above_0("w") or size[1], above_0("h") or size[0]
    pose = pose_of(f"`{shown(file.name)}`", frame.get("transform_matrix"))
    angle = above_0("camera_angle_x")
    if angle is not None and angle >= pi:
        raise ValueError(
            f"`camera_angle_x` of `{shown(file.name)}` must be below pi, in radians, got {angle:g}."
        )
    fx = above_0("fl_x") or (width / 2 / tan(angle / 2) if angle else None)
    if fx is None:
        raise ValueError(
            f"`{shown(file.name)}` has no focal length: `fl_x` in pixels or `camera_angle_x` in radians."
        )
    # A picture of another size than the JSON says is a smaller copy, if its sides have the same ratio.
    if abs(size[1] / width * height - size[0]) > 1:
        raise ValueError(
            f"`{shown(file.name)}` is {size[1]} x {size[0]} pixels, and its camera {width:g} x {height:g}."
        )
    cx, cy, fy = said("cx"), said("cy"), above_0("fl_y") or fx
    centre = width / 2 if cx is None else cx, height / 2 if cy is None else cy
    camera = Camera(pose, (fx, fy), centre, (round(height), round(width)))
    return camera.resized(*size)


def _check_sizes(path: Path, cameras: list[Camera], frames: list[_Frame]) -> None:
    """Refuse pictures of different sizes whose frames do not say of which camera they are.

    Raises:
        ValueError: There are such.
    """
    if len({camera.size for camera in cameras}) > 1 and not all(
        {"fl_x", "w", "h"} <= set(frame) for _, frame, _ in frames
    ):
        raise ValueError(
            f"`{shown(path)}` has views of different sizes: each frame needs its own `fl_x`, `w` and `h`."
        )
