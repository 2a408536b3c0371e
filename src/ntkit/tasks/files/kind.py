"""Which kind of data a file or a folder holds, told from its content."""

from pathlib import Path
from typing import Literal

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file, sorted_files
from ntkit.tasks.files.arrays import read_array
from ntkit.tasks.files.mesh import SHAPES, shape_in
from ntkit.tasks.files.video import FILMS
from ntkit.tasks.files.views import VIEWS

__all__ = ["KINDS", "Kind", "kind_of"]

Kind = Literal["image", "audio", "volume", "video", "points", "shape", "field"]

KINDS: tuple[Kind, ...] = ("image", "audio", "volume", "video", "points", "shape", "field")

_SOUNDS = {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif", ".au", ".w64", ".caf"}
_TABLES = {".csv", ".tsv", ".txt", ".dat"}
_VOLUMES = (".nii", ".nii.gz", ".mgz", ".hdr", ".img", ".dcm", ".ima")
_BY_NAME = (("audio", _SOUNDS), ("points", _TABLES), ("video", FILMS), ("shape", SHAPES))
_COLOURS = 4  # a last axis of at most so many is of channels


def kind_of(path: Path, *, frame: int | None = None) -> Kind:
    """What a file holds: "image", "audio", "volume", "video", "points", "shape" or "field".

    Args:
        path: A file, or a folder of frames, of a DICOM series, of views of a scene, or with one mesh.
        frame: Which picture of several is meant, where one was named: a stack is then an image.

    Where it is not clear, a `ValueError` says so in one line and offers `--as`.
    """
    if path.is_dir():
        return _folder(path)
    require_file(path, "an image, a sound, a volume, a video, a table, a mesh, or a .npy array")
    name, suffix = path.name.lower(), path.suffix.lower()
    with reading(path):
        if suffix == ".npz":
            return _archive(path, frame)
        if suffix == ".npy":
            return _array(path, read_array(path, axes=range(1, 5)).shape, frame)
        for kind, suffixes in _BY_NAME:
            if suffix in suffixes:
                return kind  # pyright: ignore[reportReturnType]
        if name.endswith(_VOLUMES):
            return "volume"
        if name in VIEWS:
            return "field"
        return _by_content(path, frame)


def _by_content(path: Path, frame: int | None) -> Kind:
    """By the first bytes, and for pictures by their number.

    Raises:
        ValueError: It is nothing that is known.
    """
    with path.open("rb") as file:
        head = file.read(132)
    if head[:4] in {b"fLaC", b"OggS"} or (head[:4] == b"RIFF" and head[8:12] == b"WAVE"):
        return "audio"
    if head[128:] == b"DICM":
        return "volume"
    if head[:4] == b"glTF" or head[:4] in {b"ply\n", b"ply\r"}:
        return "shape"
    try:
        count = needed("ntkit.tasks.files.pictures").count_pictures(path)[0]
    except ValueError as error:
        if "not an image" not in str(error):
            raise
        raise ValueError(
            f"`{shown(path)}` is no file whose kind can be told. Pass `--as {'|'.join(KINDS)}`, or an image, "
            "a sound, a NIfTI, a GIF, a CSV, a PLY, or a .npy array."
        ) from None
    # A JPEG of several pictures (MPO, of phones) is the photo and its previews.
    if count == 1 or frame is not None or head[:2] == b"\xff\xd8":
        return "image"
    return "volume" if head[:2] in {b"II", b"MM"} else "video"


def _archive(path: Path, frame: int | None) -> Kind:
    """By the names of an archive's arrays.

    Raises:
        ValueError: They do not tell.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        names = archive.files
    if {"points", "values"} <= set(names):
        return "points"
    if {"images", "poses"} <= set(names):
        return "field"
    if {"vertices", "faces"} <= set(names) or {"points", "normals"} <= set(names):
        return "shape"
    if len(names) != 1:
        raise ValueError(
            f"`{shown(path)}` holds {len(names)} arrays ({', '.join(names)}): say what they are. Pass "
            "`--as points` if they are columns, or save one of them as a .npy file."
        )
    return _array(path, read_array(path, axes=range(1, 5)).shape, frame)


def _array(path: Path, shape: tuple[int, ...], frame: int | None) -> Kind:
    """By the axes of an array.

    Raises:
        ValueError: They do not tell.
    """
    if frame is not None and len(shape) > 1:
        shape = shape[1:]
    colours = bool(shape) and shape[-1] <= _COLOURS
    if len(shape) == 1:
        return "audio"
    if len(shape) == 2 and not colours:
        return "image"
    if len(shape) == 3:
        return "image" if colours else "volume"
    if len(shape) == 4 and colours:
        return "video"
    offers = {2: "`--as audio` (channels last) or `--as points`"}
    offer = offers.get(len(shape), "`--as volume` with `--frame`, or `--as video`")
    raise ValueError(f"`{shown(path)}` is an array of shape {shape}: say what it is. Pass {offer}.")


def _folder(path: Path) -> Kind:
    """By the files of a folder.

    Raises:
        ValueError: They are neither frames nor a series, or both.
    """
    files = sorted_files(path)
    if any(f.name in VIEWS for f in files):
        return "field"
    if any(f.suffix.lower() in SHAPES for f in files):
        shape_in(path)
        return "shape"
    slices = [f for f in files if f.suffix.lower() in {".dcm", ".ima"} or _begins_as_dicom(f)]
    pictures = [f for f in files if f.suffix.lower() in needed("ntkit.tasks.files.frames").PICTURES]
    if bool(slices) == bool(pictures):
        what = (
            "both DICOM slices and pictures"
            if slices
            else "no pictures, DICOM slices, views or mesh"
        )
        raise ValueError(
            f"`{shown(path)}` holds {what}. Pass a folder of one of them, or `--as volume` or `--as video`."
        )
    return "volume" if slices else "video"


def _begins_as_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"
