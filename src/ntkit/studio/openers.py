"""Files as tasks, one function a kind: checked by their headers, and small enough to be moved live."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import Opening, Shown
from ntkit.tasks import Audio, Image, Volume
from ntkit.tasks.files.access import needed
from ntkit.tasks.files.arrays import array_shape
from ntkit.tasks.files.pictures import count_pictures

__all__ = ["MOST_PIXELS", "MOST_SAMPLES", "PREVIEW", "array", "photo", "scan", "sound"]

MOST_PIXELS = 32_000_000
"""Of a picture, or samples of a volume, before it is made smaller: decoding takes 24 bytes each for a moment."""

PREVIEW = 256
"""Pixels of the longer side, at most, of what is moved live."""

MOST_SAMPLES = 8192
"""Of a sound, at most, of what is moved live: half a second at 16 kHz."""

_MOST_CHANNELS = 8
"""Of a sound; more rows do not fit the page."""

_COLOURS = 3
"""Outputs that are shown as colours."""

_MOST_COLOURS = 4  # a last axis of at most so many is of channels
_DIGITS = 6  # of seconds, or more where a sample is shorter


def photo(path: Path, name: str) -> Shown:
    """The picture of an image file, the first if it holds several."""
    count, *size = count_pictures(path)
    _check(size)
    options: dict[str, Any] = {"frame": 0} if count > 1 else {}
    return _picture(path, name, size, options)


def array(path: Path, name: str) -> Shown:
    """A line of numbers as a sound, two axes as a picture, the middle of three as a slice.

    Raises:
        Refusal: It has other axes.
    """
    shape = array_shape(path)
    _check(shape)
    if len(shape) == 1:
        return _stretch(path, name, shape[0], 1, None)
    is_picture = len(shape) == 2 and shape[1] > _MOST_COLOURS
    if is_picture or (len(shape) == 3 and shape[2] <= _MOST_COLOURS):
        return _picture(path, name, shape[:2], {})
    if len(shape) != 3:
        raise Refusal(
            "axes",
            f"It is an array of shape {shape}. Shown are lines, pictures (a last axis of at most four is of "
            "channels) and the middle slice of three axes.",
            shape=str(shape),
        )
    at = {"slice": shape[0] // 2, "slices": shape[0]}
    return _picture(path, name, shape[1:], {"frame": at["slice"]}, at)


def scan(path: Path, name: str) -> Shown:
    """The middle slice across the last axis of a NIfTI, its second axis upwards."""
    shape = needed("ntkit.tasks.files.nifti").nifti_shape(path)
    _check(shape)
    factor = _factor((int(shape[0]), int(shape[1])))
    volume = Volume(path, downscale=factor)
    at = volume.shape[2] // 2
    whole = Image(volume.values[:, :, at].transpose(0, 1).flip(0))
    given = ", ".join([repr(name), *([f"downscale={factor}"] if factor > 1 else [])])
    lines = (
        "from ntkit.tasks import Image, Volume",
        "",
        f"slices = Volume({given}).values",
        f"task = Image(slices[:, :, {at}].transpose(0, 1).flip(0))",
    )
    saved = f"{name.split('.')[0] or 'scan'}-slice.npy"
    program = "; ".join((
        "import numpy",
        lines[0],
        lines[2],
        f"numpy.save({saved!r}, slices[:, :, {at}].transpose(0, 1).flip(0).numpy())",
    ))
    opening = Opening(lines, saved, (), (program,))
    size = (shape[1], shape[0])
    about = {"slice": at * factor, "slices": shape[2]}
    return Shown(name, _even(whole), size, factor, volume.notes, whole, opening, "slice", about)


def sound(path: Path, name: str) -> Shown:
    """The middle of a sound file."""
    return _stretch(path, name, *needed("ntkit.tasks.files.audio").sound_length(path))


def _stretch(path: Path, name: str, length: int, channels: int, rate: int | None) -> Shown:
    """Samples in the middle, an even number.

    Raises:
        Refusal: There are too many channels.
    """
    if channels > _MOST_CHANNELS:
        raise Refusal(
            "channels",
            f"The sound has {channels} channels, and at most {_MOST_CHANNELS} are shown.",
            n=channels,
            most=_MOST_CHANNELS,
        )
    count = min(length - length % 2, MOST_SAMPLES)
    first = (length - count) // 2
    unit = rate or 1
    digits = max(_DIGITS, len(str(unit)))
    start, stop = (round(k / unit, digits) for k in (first, first + count))
    options: dict[str, Any] = {"start": start, "stop": stop} if 0 < count < length else {}
    whole = Audio(path, **options)
    given = [repr(name), *(f"{key}={value}" for key, value in options.items())]
    opening = Opening(
        ("from ntkit.tasks import Audio", "", f"task = Audio({', '.join(given)})"),
        name,
        tuple(f"--{key} {value}" for key, value in options.items()),
    )
    about = {"rate": rate, "start": start, "stop": stop}
    return Shown(name, whole, (length,), 1, whole.notes, None, opening, "audio", about)


def _picture(
    path: Path,
    name: str,
    size: Sequence[int],
    options: dict[str, Any],
    at: dict[str, int] | None = None,
) -> Shown:
    factor = _factor(size)
    options = options | ({"downscale": factor} if factor > 1 else {})
    whole = Image(path, **options)
    given = [repr(name), *(f"{key}={value}" for key, value in options.items())]
    opening = Opening(
        ("from ntkit.tasks import Image", "", f"task = Image({', '.join(given)})"),
        name,
        tuple(f"--{key} {value}" for key, value in options.items()),
    )
    kind = "slice" if at else "image"
    size = size[0], size[1]
    return Shown(name, _even(whole), size, factor, whole.notes, whole, opening, kind, at or {})


def _factor(size: Sequence[int]) -> int:
    return max(1, -(-max(*size) // PREVIEW))


def _check(size: Sequence[int]) -> None:
    """Refuse what is too large by what its header says.

    Raises:
        Refusal: It has too many pixels.
    """
    pixels = 1
    for n in size:
        pixels *= n
    if pixels > MOST_PIXELS or pixels < 1:
        what = "picture" if len(size) == 2 else "file"
        raise Refusal(
            "large",
            f"The {what} has {pixels:,} {'pixels' if len(size) == 2 else 'samples'}, and the studio takes at most "
            f"{MOST_PIXELS:,}. Make it smaller.",
            n=f"{pixels:,}",
            most=f"{MOST_PIXELS:,}",
        )


def _even(whole: Image) -> Image:
    """Without the last row or column of odd sides, which the engine of grids leaves out, and without transparency."""
    height, width = (n - n % 2 for n in whole.shape)
    channels = _COLOURS if whole.n_outputs >= _COLOURS else 1
    return Image(whole.values[:height, :width, :channels])
