"""Mutated meshes, clouds and views of scenes, drawn by a seed, as their jobs meet them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

for _package in ("PIL", "trimesh", "igl"):
    pytest.importorskip(_package)

import trimesh  # noqa: E402
from PIL import Image  # noqa: E402

from ntkit.tasks import RadianceField, Shape  # noqa: E402
from tests.fuzz.files import damaged  # noqa: E402
from tests.spheres import cameras  # noqa: E402

__all__ = ["fault"]

_ODD = ["nan", "inf", "-1", "0", "1e400", "1e38", "99999999999", "x", "", "1 2", "1/1/1", "-7//3"]
_ODD_JSON = [
    None,
    -1,
    0,
    1e9,
    "x",
    "",
    [],
    [1, "a"],
    {},
    True,
    [[0.0] * 4] * 4,
    "../../etc",
    1e-300,
]


def fault(seed: int, folder: Path) -> str:
    """What must not be of a seed's file: an exception that is no refusal in one line; empty if all is well."""
    draw = np.random.default_rng(seed)
    with np.errstate(all="ignore"):
        read, path = (_mesh, _cloud, _views, _archive)[seed % 4](draw, folder)
    try:
        read(path)
    except (ValueError, FileNotFoundError, PermissionError) as error:
        said = str(error)
        plain = said.isprintable() and said.endswith((".", ")", "`")) and len(said) < 1000
        return "" if plain else f"not one plain line: {said!r}"
    except Exception as error:
        return f"{path.name}: {type(error).__name__}: {error}"
    return ""


def _shape(path: Path) -> Shape:
    return Shape(path, n_points=64)


def _field(path: Path) -> RadianceField:
    return RadianceField(path, n_samples=4)


_Made = tuple[Callable[[Path], object], Path]


def _mesh(draw: np.random.Generator, folder: Path) -> _Made:
    suffix = str(draw.choice(["ply", "obj", "stl", "glb", "off"]))
    mesh = trimesh.creation.icosphere(1)
    path = folder / f"a.{suffix}"
    mesh.export(path)
    content = path.read_bytes()
    if suffix in {"obj", "off"} and draw.integers(3):
        content = _odd_words(content.decode(), draw).encode()
    path.write_bytes(content if draw.integers(8) == 0 else damaged(content, draw))
    return _shape, path


def _cloud(draw: np.random.Generator, folder: Path) -> _Made:
    """An archive of arrays with odd shapes, types and values."""
    mesh = trimesh.creation.icosphere(1)
    arrays = {"vertices": mesh.vertices, "faces": mesh.faces}
    if draw.integers(2):
        arrays = {"points": mesh.vertices, "normals": mesh.vertex_normals}
    for name in list(arrays):
        change = draw.integers(7)
        if change == 0:
            arrays[name] = arrays[name][: int(draw.integers(0, 5))]
        elif change == 1:
            arrays[name] = arrays[name].astype(
                draw.choice(["f2", "i1", "u8", "c16", "?", "U3", "O"])
            )
        elif change == 2:
            arrays[name] = arrays[name] * draw.choice([np.nan, np.inf, 0.0, 1e300, -1.0, 1e-300])
        elif change == 3:
            arrays[name] = arrays[name].T
        elif change == 4:
            del arrays[name]
    path = folder / "a.npz"
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    if draw.integers(3) == 0:
        path.write_bytes(damaged(path.read_bytes(), draw))
    return _shape, path


def _views(draw: np.random.Generator, folder: Path) -> _Made:
    """A folder in Blender's or nerfstudio's format with odd values in its JSON, or damaged pictures."""
    frames: list[dict[str, object]] = []
    for k, camera in enumerate(cameras(3, 8)):
        pixels = draw.integers(0, 256, (8, 8, 4)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"r_{k}.png")
        pose = np.vstack([camera.pose, [0, 0, 0, 1]]).tolist()
        frames.append({"file_path": f"r_{k}.png", "transform_matrix": pose})
    content: dict[str, object] = {"camera_angle_x": 0.6, "frames": frames}
    for _ in range(int(draw.integers(0, 3))):
        odd = _ODD_JSON[int(draw.integers(len(_ODD_JSON)))]
        place = [content, frames[0], frames[2]][int(draw.integers(3))]
        keys = [*place, "w", "h", "fl_x", "k1", "cx", "camera_model", "test_filenames"]
        place[str(draw.choice(keys))] = odd
    if draw.integers(4) == 0:
        pose = np.array(frames[1]["transform_matrix"])
        pose[int(draw.integers(4)), int(draw.integers(4))] = draw.choice([
            np.nan,
            1e30,
            -2.0,
            np.inf,
        ])
        frames[1]["transform_matrix"] = pose.tolist()
    text = json.dumps(content)
    if draw.integers(4) == 0:
        text = _odd_words(text, draw)
    name = str(draw.choice(["transforms.json", "transforms_train.json"]))
    (folder / name).write_bytes(
        damaged(text.encode(), draw) if draw.integers(4) == 0 else text.encode()
    )
    if draw.integers(4) == 0:
        picture = folder / "r_1.png"
        picture.write_bytes(damaged(picture.read_bytes(), draw))
    return _field, folder


def _archive(draw: np.random.Generator, folder: Path) -> _Made:
    seen = cameras(3, 8)
    arrays: dict[str, object] = {
        "images": draw.integers(0, 256, (3, 8, 8, 4)).astype(np.uint8),
        "poses": np.stack([np.vstack([camera.pose, [0, 0, 0, 1]]) for camera in seen]),
        "focal": 12.0,
        "near": 1.0,
        "far": 4.0,
        "n_train": 2,
    }
    odd = [
        np.nan,
        -1,
        0,
        1e300,
        "x",
        np.zeros((2, 2)),
        np.zeros(0),
        True,
        1j,
        np.full((3, 4, 4), np.inf),
    ]
    for name in draw.choice(list(arrays), int(draw.integers(0, 3))):
        if draw.integers(4) == 0:
            arrays.pop(str(name), None)
        else:
            arrays[str(name)] = odd[int(draw.integers(len(odd)))]
    path = folder / "a.npz"
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]
    if draw.integers(3) == 0:
        path.write_bytes(damaged(path.read_bytes(), draw))
    return _field, path


def _odd_words(text: str, draw: np.random.Generator) -> str:
    """A few numbers of a text replaced."""
    places = [m.span() for m in re.finditer(r"-?\d+(\.\d+)?", text)]
    for k in sorted(draw.integers(0, len(places), int(draw.integers(1, 4))), reverse=True):
        start, end = places[k]
        text = text[:start] + str(draw.choice(_ODD)) + text[end:]
    return text
