"""Writing sound: WAV, FLAC, OGG, or `.npy`."""

from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from ntkit._core.whole_files import shown, write_bytes
from ntkit.tasks.files.array_writer import clipped, require_finite, write_array
from ntkit.tasks.files.content import Levels
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["write_audio"]

_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}


def write_audio(
    path: Path, values: np.ndarray, *, rate: float, levels: Levels | None = None, depth: int = 16
) -> list[str]:
    """Write a sound, whole, in the format of its name; what was clipped is returned as notes.

    Args:
        path: Where to write: .wav, .flac, .ogg or .npy.
        values: `[n, channels]` in fitted units.
        rate: Samples a second, in Hz; rounded to a whole number.
        levels: What fitted units are: the full range of the file if `None`.
        depth: Bits a sample; a WAV of 32 is floating, and is not clipped.

    Raises:
        ValueError: The name is of no such format, the rate is no rate, or the values are not finite.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return write_array(path, values, levels=levels)
    if suffix not in _FORMATS:
        raise ValueError(wrong_ending(path, (".wav", ".flac", ".ogg", ".npy"), what="audio"))
    if not 1 <= rate < 2**31:
        raise ValueError(f"`rate={rate!r}` must be a number of samples a second, in Hz, from 1.")
    pressure = (levels or Levels(0, 1)).back(values)
    if suffix == ".ogg":
        subtype = "VORBIS"
    elif suffix == ".wav" and depth > 24:
        subtype = "FLOAT"
    else:
        subtype = "PCM_16" if depth <= 16 else "PCM_24"
    notes: list[str] = []
    if subtype == "FLOAT":
        require_finite(pressure)
    else:
        pressure, notes = clipped(pressure, -1.0)
    if round(rate) != rate:
        notes.append(f"the rate of {rate:g} Hz was rounded to {round(rate)} Hz")
    buffer = BytesIO()
    try:
        soundfile.write(buffer, pressure, round(rate), format=_FORMATS[suffix], subtype=subtype)
    except (soundfile.SoundFileError, ValueError) as error:
        raise ValueError(
            f"`{shown(path)}` cannot hold {pressure.shape[1]} channels at {round(rate)} Hz: {error}"
        ) from None
    write_bytes(path, buffer.getvalue())
    return notes
