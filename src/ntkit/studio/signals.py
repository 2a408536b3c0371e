"""A dropped file as a task: a picture, a sound, or a slice of a volume."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from ntkit._core.whole_files import shown
from ntkit.studio.openers import MOST_PIXELS, MOST_SAMPLES, PREVIEW, array, photo, scan, sound
from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import Shown

__all__ = ["MOST_BYTES", "MOST_PIXELS", "MOST_SAMPLES", "PREVIEW", "Shown", "opened", "received"]

MOST_BYTES = 48 * 2**20
"""Of an uploaded file."""

_ENDINGS = {".npy": array, ".nii": scan, ".nii.gz": scan}
"""What names tell; whatever else there is tells it by its first bytes."""


def opened(path: Path, name: str) -> Shown:
    """What a file holds.

    Args:
        path: Where it lies.
        name: What people call it.

    Raises:
        Refusal: It holds nothing that is shown, has too many pixels, or is damaged.
    """
    ending = _ending(path.name)
    try:
        if ending:
            return _ENDINGS[ending](path, name)
        return sound(path, name) if _is_sound(path) else photo(path, name)
    except Refusal:
        raise
    except (ValueError, OSError) as error:
        detail, is_part = _without_flags(str(error).replace(shown(path), name))
        if not is_part:
            raise Refusal("file", detail, name=name, detail=detail) from None
        advice = "Save the part that you mean as a file of its own, and drop that."
        raise Refusal("part", f"{detail} {advice}".strip(), name=name, detail=detail) from None


def received(data: bytes | memoryview, name: str) -> Shown:
    """What an uploaded file holds, by way of a private folder that is removed at once.

    Args:
        data: Its bytes.
        name: What the page calls it; of it one of three known endings reaches the file system.

    Raises:
        ValueError: It is nothing that is shown, or has too many pixels or bytes.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"`{name}` has more than {MOST_BYTES // 2**20} MiB.")
    with TemporaryDirectory(prefix="ntkit-studio-") as folder:
        path = Path(folder) / f"upload{_ending(name)}"
        path.write_bytes(data)
        return opened(path, name)


def _without_flags(text: str) -> tuple[str, bool]:
    """What the library says, without advice on flags of the command line, which the page does not have; and if there was any."""
    sentences = re.split(r"(?<=[.!?:;]) ", " ".join(text.split()))
    kept = [s for s in sentences if "`--" not in s]
    return " ".join(kept), len(kept) < len(sentences)


def _ending(name: str) -> str:
    """The known ending of a name, from our own table."""
    return next((ending for ending in _ENDINGS if name.lower().endswith(ending)), "")


def _is_sound(path: Path) -> bool:
    """By the first bytes: WAV, FLAC or OGG."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[:4] in {b"fLaC", b"OggS"} or (head[:4] == b"RIFF" and head[8:] == b"WAVE")
