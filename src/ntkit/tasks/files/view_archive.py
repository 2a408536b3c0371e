"""Views of a scene from the arrays of an `.npz` archive."""

import zipfile
import zlib
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.measurements import Camera
from ntkit.tasks.files.views import Views, checked_views, pose_of, shrunk, with_alpha

__all__ = ["read_archive"]

_NEEDED = ("images", "poses", "focal")
_ALSO = ("near", "far", "n_train", "premultiplied")


def read_archive(path: Path, *, downscale: int, premultiplied: bool | None) -> Views:
    """The views of an archive; `read_views` says of which arrays.

    Args:
        path: The file.
        downscale: Whole factor to shrink by.
        premultiplied: Whether colours are times alpha; None to ask the archive, then its numbers.

    Raises:
        ValueError: An array is missing, pickled, or of another shape, or nothing can be learned.
    """
    found = _arrays(path)
    images, poses = found["images"], found["poses"]
    if images.ndim != 4 or images.dtype.kind not in "uf" or images.shape[-1] not in {3, 4}:
        raise ValueError(
            f"`images` of `{shown(path)}` is {images.dtype} of shape {images.shape}: bytes or floats of shape "
            "[views, height, width, 3 or 4] are needed."
        )
    if images.dtype.kind == "f" and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(f"`images` of `{shown(path)}` has floats that are not from 0 to 1.")
    n, height, width = images.shape[:3]
    if poses.shape not in {(n, 4, 4), (n, 3, 4)}:
        raise ValueError(
            f"`poses` of `{shown(path)}` has shape {poses.shape}: one pose [4, 4] for each of {n} views is needed."
        )
    focal = _number(path, found, "focal", 0)
    n_train = _n_train(path, found, n) if "n_train" in found else None
    said, notes = _premultiplied(images, found, premultiplied)
    if n_train is None:
        notes.append("every eighth view judges")
    cameras = [
        Camera(pose_of(f"View {k} of `{shown(path)}`", p), (focal, focal), (width / 2, height / 2), (height, width))
        for k, p in enumerate(poses)
    ]  # fmt: skip
    small, seen = shrunk([with_alpha(image, said) for image in images], cameras, downscale)
    held_out = tuple(k % 8 == 0 if n_train is None else k >= n_train for k in range(n))
    return checked_views(
        path, Views(small, seen, held_out, _bounds(path, found), tuple(notes), path.stat().st_size)
    )


def _arrays(path: Path) -> dict[str, Any]:
    """The arrays that are known, by name.

    Raises:
        ValueError: It is no archive of plain arrays, or one is missing.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [name for name in _NEEDED if name not in archive.files]
            found = {name: archive[name] for name in (*_NEEDED, *_ALSO) if name in archive.files}
    except (
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        TypeError,
        AttributeError,
    ) as error:
        raise ValueError(f"`{shown(path)}` is no archive of plain NumPy arrays: {error}.") from None
    if missing:
        raise ValueError(
            f"`{shown(path)}` has no `{missing[0]}`: an archive of views holds `images`, `poses` and `focal`."
        )
    return found


def _bounds(path: Path, found: dict[str, Any]) -> tuple[float, float] | None:
    """Depths where the scene begins and ends, if the archive says so.

    Raises:
        ValueError: It says one of the two alone.
    """
    missing = [name for name in ("near", "far") if name not in found]
    if len(missing) == 2:
        return None
    if missing:
        there = "near" if missing == ["far"] else "far"
        raise ValueError(
            f"`{shown(path)}` has `{there}` and no `{missing[0]}`. Save both, or neither to take them from the cameras."
        )
    near = _number(path, found, "near", 0)
    return near, _number(path, found, "far", near)


def _n_train(path: Path, found: dict[str, Any], n: int) -> int:
    """How many views are trained on.

    Raises:
        ValueError: It is no whole number, or there are not so many.
    """
    number = _number(path, found, "n_train", 0)
    if number != int(number) or number > n:
        raise ValueError(
            f"`n_train` of `{shown(path)}` must be a whole number up to its {n} views, got {number:g}."
        )
    return int(number)


def _number(path: Path, found: dict[str, Any], name: str, low: float) -> float:
    """An array of one number.

    Raises:
        ValueError: It is no finite number above `low`.
    """
    array = found[name]
    if array.size == 1 and array.dtype.kind in "iuf" and low < float(array.reshape(-1)[0]) < inf:
        return float(array.reshape(-1)[0])
    got = array.item() if array.size == 1 else f"an array of shape {array.shape}"
    raise ValueError(
        f"`{name}` of `{shown(path)}` must be one finite number above {low:g}, got {got!s:.40}."
    )


def _premultiplied(
    images: np.ndarray, found: dict[str, Any], said: bool | None
) -> tuple[bool, list[str]]:
    """Whether colours are times alpha, and how that is known."""
    if images.shape[-1] == 3:
        return False, []
    if said is None and "premultiplied" in found:
        said = bool(found["premultiplied"].any())
    if said is not None:
        return said, []
    inside = bool((images[..., :3] <= images[..., 3:]).all())
    text = "no colour exceeds its alpha" if inside else "colours exceed their alpha"
    answer = "taken as times alpha" if inside else "taken as not times alpha"
    return inside, [f"{text}: colours were {answer}"]
