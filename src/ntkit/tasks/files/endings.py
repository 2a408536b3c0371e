"""Whether a name is one that can be written to, asked before the work is done."""

from collections.abc import Sequence
from pathlib import Path

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed
from ntkit.tasks.files.wrong_ending import wrong_ending

__all__ = ["check_ending"]

_WRITERS = {
    **dict.fromkeys((".ply", ".obj", ".stl", ".glb", ".off"), "mesh_writer"),
    **dict.fromkeys((".wav", ".flac", ".ogg"), "audio_writer"),
    **dict.fromkeys((".nii", ".nii.gz"), "volume_writer"),
    ".mp4": "movie",
}
"""The module of ours that writes it, where that asks for a package of an extra of its own."""


def check_ending(path: Path, endings: Sequence[str], *, what: str) -> None:
    """Refuse a name of no format, or of one whose package is not installed.

    Args:
        path: Where to write.
        endings: Of the formats.
        what: What is written, for the message.

    Raises:
        FileNotFoundError: Its folder is not there.
        ValueError: It ends otherwise.
    """
    name = path.name.lower()
    ending = next((e for e in sorted(endings, key=len, reverse=True) if name.endswith(e)), None)
    if ending is None:
        raise ValueError(wrong_ending(path, endings, what=what))
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`{shown(path)}` is in a folder that is not there. Make it, or pass another name."
        )
    if ending in _WRITERS:
        needed(f"ntkit.tasks.files.{_WRITERS[ending]}")
