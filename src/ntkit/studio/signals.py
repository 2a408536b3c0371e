"""A dropped file as a task: checked before it is decoded, small enough to be moved live."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ntkit._core.whole_files import shown
from ntkit.tasks import Image
from ntkit.tasks.files.pictures import count_pictures

__all__ = ["MOST_BYTES", "MOST_PIXELS", "PREVIEW", "Shown", "opened", "received"]

MOST_BYTES = 48 * 2**20
"""Of an uploaded file."""

MOST_PIXELS = 32_000_000
"""Of a picture, before it is made smaller: its decoding takes 24 bytes a pixel and channel for a moment."""

PREVIEW = 256
"""Pixels of the longer side, at most, of what is moved live."""

_COLOURS = 3


@dataclass(frozen=True, eq=False)
class Shown:
    """What a session looks at.

    Attributes:
        name: Of the file: text, and nothing else.
        task: The picture, its sides even, its longer one at most 256 pixels.
        size: Height and width of the picture in the file.
        downscale: By how much it was made smaller.
        notes: What was converted while it was read.
        read: The task as the library reads the file: sides may be odd, and there may be transparency.
        python: Lines that open it so, as `task`.
        command: Lines that must come first, what the command line calls the file, and flags.
    """

    name: str
    task: Image
    size: tuple[int, int]
    downscale: int
    notes: tuple[str, ...]
    read: Image | None = None
    python: tuple[str, ...] = ()
    command: tuple[tuple[str, ...], str, tuple[str, ...]] = ((), "", ())

    @property
    def whole(self) -> Image:
        """As the library reads the file."""
        return self.read or self.task


def opened(path: Path, name: str) -> Shown:
    """The picture of a file.

    Args:
        path: Where it lies.
        name: What people call it.

    Raises:
        ValueError: It holds no single picture, has too many pixels, or is damaged.
    """
    try:
        count, *size = count_pictures(path)
        _check(count, size)
        factor = max(1, -(-max(size) // PREVIEW))
        options: dict[str, Any] = {"downscale": factor} if factor > 1 else {}
        options |= {"frame": 0} if count > 1 else {}
        whole = Image(path, **options)
        given = [repr(name), *(f"{key}={value}" for key, value in options.items())]
        return Shown(
            name,
            _even(whole),
            (size[0], size[1]),
            factor,
            whole.notes,
            whole,
            ("from ntkit.tasks import Image", "", f"task = Image({', '.join(given)})"),
            ((), name, tuple(f"--{key} {value}" for key, value in options.items())),
        )
    except ValueError as error:
        raise ValueError(str(error).replace(shown(path), name)) from None


def received(data: bytes | memoryview, name: str) -> Shown:
    """The picture of an uploaded file, by way of a private folder that is removed at once.

    Args:
        data: Its bytes.
        name: What the page calls it; it reaches no file system.

    Raises:
        ValueError: It is no picture, or has too many pixels or bytes.
    """
    if len(data) > MOST_BYTES:
        raise ValueError(f"`{name}` has more than {MOST_BYTES // 2**20} MiB.")
    with TemporaryDirectory(prefix="ntkit-studio-") as folder:
        path = Path(folder) / "upload"
        path.write_bytes(data)
        return opened(path, name)


def _check(count: int, size: Sequence[int]) -> None:
    """Refuse a picture by what its header says.

    Raises:
        ValueError: It has too many pixels.
    """
    pixels = size[0] * size[1]
    if pixels > MOST_PIXELS or count < 1:
        raise ValueError(
            f"The picture has {pixels:,} pixels, and the studio takes at most {MOST_PIXELS:,}. Make it smaller."
        )


def _even(whole: Image) -> Image:
    """Without the last row or column of odd sides, which the engine of grids leaves out, and without transparency."""
    height, width = (n - n % 2 for n in whole.shape)
    channels = _COLOURS if whole.n_outputs >= _COLOURS else 1
    return Image(whole.values[:height, :width, :channels])
