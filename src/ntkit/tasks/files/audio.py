"""Reading sound: WAV, FLAC, OGG and what else libsndfile reads, or an array."""

from pathlib import Path

import numpy as np
import soundfile

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.content import Content, Levels
from ntkit.tasks.files.sampling import BYTES_PER_SAMPLE, check_factor, check_memory, gridded

__all__ = ["read_audio", "sound_length"]

_WAY_OUT = "Pass a stretch of it with `--start` and `--stop`, in seconds."
_DEPTHS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "VORBIS": 16}
_UNKNOWN = 0x7FFFF000  # of a stream that was written before its length was known, or 0


def read_audio(
    path: Path,
    *,
    start: float | None = None,
    stop: float | None = None,
    downscale: int = 1,
    bytes_per_sample: int = BYTES_PER_SAMPLE,
) -> Content:
    """The pressure of a sound `[n, channels]`, divided by its largest absolute value.

    Args:
        path: The file; an array `.npy` of `[n]` or `[n, channels]` has no rate.
        start: Where to begin, in seconds (samples of an array).
        stop: Where to end, in seconds (samples of an array).
        downscale: Whole factor to shrink by, averaging neighbours.
        bytes_per_sample: Working memory of a sample, by which sounds that are too long are refused.

    Raises:
        ValueError: It is no sound, damaged, too short, too long, silent, or not finite.
    """
    check_factor(downscale)
    size = require_file(path, "a WAV, FLAC or OGG file")
    with reading(path, soundfile.SoundFileError):
        read = _array if is_array(path) else _sound
        values, rate, depth, notes = read(path, start, stop, downscale, bytes_per_sample)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise ValueError(f"it has {bad} NaN or infinite samples. Cut them out first.")
        peak = float(np.abs(values).max(initial=0.0))
        return gridded(
            path,
            values,
            notes=notes,
            spacing=(1 / rate,) if rate else None,
            units=("s",) if rate else ("sample",),
            file_bytes=size,
            downscale=downscale,
            levels=Levels(0.0, peak or 1.0),
            depth=depth,
        )


def sound_length(path: Path) -> tuple[int, int, int]:
    """Samples of a sound file, its channels, and its rate in Hz, by its header.

    Raises:
        ValueError: It is damaged, or no sound.
    """
    try:
        with path.open("rb") as raw, soundfile.SoundFile(raw) as file:
            return file.frames, file.channels, file.samplerate
    except soundfile.LibsndfileError as error:
        raise ValueError(f"`{shown(path)}` is damaged, or no sound: {error.error_string}") from None


def _sound(
    path: Path, start: float | None, stop: float | None, downscale: int, bytes_per_sample: int
) -> tuple[np.ndarray, int, int, list[str]]:
    """Samples in [-1, 1], their rate in Hz, bits, and notes.

    Raises:
        ValueError: It is damaged, or the stretch is none of it.
    """
    _refuse_cut_off(path)
    try:
        with path.open("rb") as raw, soundfile.SoundFile(raw) as file:
            first, last = _stretch(path, file.frames, file.samplerate, start, stop)
            _check(path, last - first, file.channels, downscale, bytes_per_sample)
            file.seek(first)
            values = file.read(last - first, dtype="float64", always_2d=True)
            rate, depth, total = file.samplerate, _DEPTHS.get(file.subtype, 32), file.frames
    except soundfile.LibsndfileError as error:
        raise ValueError(f"`{shown(path)}` is damaged, or no sound: {error.error_string}") from None
    if len(values) < last - first:
        raise ValueError(
            f"`{shown(path)}` is damaged: it ends after {len(values):,} of {last - first:,} samples."
        )
    notes = []
    if last - first < total:
        notes.append(f"seconds {first / rate:g} to {last / rate:g} of {total / rate:.3g}")
    return values, rate, depth, notes


def _array(
    path: Path, start: float | None, stop: float | None, downscale: int, bytes_per_sample: int
) -> tuple[np.ndarray, int, int, list[str]]:
    values = read_array(path, axes={1, 2})
    first, last = _stretch(path, len(values), 1, start, stop)
    values = values.reshape(len(values), -1)[first:last]
    _check(path, len(values), values.shape[1], downscale, bytes_per_sample)
    depth = 32 if values.dtype.kind == "f" else 8 * values.dtype.itemsize
    return values.astype(np.float64), 0, depth, []


def _check(path: Path, samples: int, channels: int, downscale: int, bytes_per_sample: int) -> None:
    """Refuse what would not fit."""
    check_memory(
        path,
        samples=samples,
        numbers=samples * channels,
        bytes_per_sample=bytes_per_sample,
        way_out=_WAY_OUT,
        downscale=downscale,
    )


def _stretch(
    path: Path, n: int, rate: int, start: float | None, stop: float | None
) -> tuple[int, int]:
    """The first sample and the one after the last.

    Raises:
        ValueError: There is nothing between them.
    """
    length = n / rate
    start, stop = start or 0.0, length if stop is None else stop
    if not (0 <= start < stop and start < length):
        unit = "s" if rate > 1 else "samples"
        raise ValueError(
            f"`--start {start:g} --stop {stop:g}` is no stretch of `{shown(path)}`, which has "
            f"{length:g} {unit}."
        )
    return round(start * rate), min(n, round(stop * rate))


def _refuse_cut_off(path: Path) -> None:
    """Refuse a WAV or OGG file whose end is missing, which libsndfile reads without a word.

    A WAV says how many bytes its samples take. The last page of an OGG says that it is the last.

    Raises:
        ValueError: The end is missing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] == b"RIFF" and head[8:] == b"WAVE":
            while len(chunk := file.read(8)) == 8:
                length, left = int.from_bytes(chunk[4:], "little"), size - file.tell()
                if chunk[:4] == b"data":
                    if left < length < _UNKNOWN:
                        raise ValueError(
                            f"`{shown(path)}` is cut off: {left:,} of {length:,} bytes are there."
                        )
                    return
                file.seek(length + length % 2, 1)
        elif head[:4] == b"OggS":
            file.seek(max(0, size - 2**17))
            tail = file.read()
            page = tail[max(0, tail.rfind(b"OggS")) :]  # flags are byte 5, lengths from byte 27
            whole = len(page) > 27 and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
            if not (whole and page[5] & 4):
                raise ValueError(f"`{shown(path)}` is cut off: its last page is missing.")
