"""Opening files: what is refused is one line that names the file, whichever library found it."""

import logging
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from ntkit._core.whole_files import shown

__all__ = [
    "heard",
    "needed",
    "one_line",
    "reading",
    "require_file",
    "require_folder",
    "sorted_entries",
    "sorted_files",
]

_DAMAGED = (
    OSError, SyntaxError, EOFError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError,
    RecursionError, NotImplementedError, AssertionError, RuntimeError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip
"""What decoders have been seen to raise of files with flipped or missing bytes."""

_EXTRAS = {
    "PIL": "app", "png": "app", "tifffile": "app", "soundfile": "audio", "nibabel": "volume",
    "pydicom": "volume", "av": "video", "trimesh": "shape", "igl": "shape", "skimage": "shape", "scipy": "shape",
    "h5py": "mri",
}  # fmt: skip
"""Which extra of ntkit brings a package."""

_LOGGERS = {
    "Pillow": "PIL",
    "nibabel": "nibabel.global",
    "pydicom": "pydicom",
    "tifffile": "tifffile",
    "PyAV": "libav",
}
"""Where a library logs."""


@contextmanager
def reading(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Have every failure inside become one line that names the file.

    Args:
        path: The file or folder, as it is named in messages.
        also: Further exceptions by which a library says that a file is damaged.

    Raises:
        FileNotFoundError: It is not there.
        ImportError: A library is missing.
        PermissionError: It may not be read.
        ValueError: It is damaged, or refused by what is inside.
    """
    try:
        yield
    except (PermissionError, FileNotFoundError) as error:
        text = str(error)
        if "`" in text:
            raise
        reason = "permission denied" if isinstance(error, PermissionError) else "a file is missing"
        raise type(error)(f"`{shown(path)}` may not be read: {reason}.") from None
    except ImportError:
        raise
    except ValueError as error:
        text = one_line(error)
        message = text if "`" in text else f"`{shown(path)}` cannot be used: {text}"
        raise ValueError(message) from None
    except (*_DAMAGED, *also) as error:
        raise ValueError(f"`{shown(path)}` is damaged: {one_line(error)}") from None


@contextmanager
def heard(library: str, notes: list[str]) -> Iterator[None]:
    """Have what a library warns of inside become notes; what it logs is not printed.

    Args:
        library: Its name for people, a key of `_LOGGERS`.
        notes: The list that grows.
    """
    logger = logging.getLogger(_LOGGERS[library])
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [logging.NullHandler()], False
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            yield
    finally:
        logger.handlers, logger.propagate = before
    texts = dict.fromkeys(" ".join(str(w.message).split()) for w in said)
    notes += [f"{library} warned: {text}" for text in texts]


def one_line(error: Exception) -> str:
    """What an exception says, in one printable line that ends with a full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(c if c.isprintable() else "?" for c in text)
    text = text if len(text) < 300 else text[:300] + "..."
    return text if text.endswith(".") else text + "."


def require_file(path: Path, what: str) -> int:
    """The size of a file that is there and has bytes.

    Args:
        path: The file.
        what: What should be passed instead, for the message.

    Raises:
        FileNotFoundError: There is none, or a folder.
        ValueError: It has no bytes.
    """
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise FileNotFoundError(f"`{shown(path)}` {kind}. Pass {what}.")
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"`{shown(path)}` is empty: the file has no bytes.")
    return size


def require_folder(path: Path, what: str) -> None:
    """Refuse what is no folder.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not path.is_dir():
        kind = "is a file" if path.is_file() else "does not exist"
        raise FileNotFoundError(f"`{shown(path)}` {kind}. Pass {what}.")


def sorted_files(folder: Path) -> list[Path]:
    """The files of a folder, hidden ones left out, in natural order: 2 comes before 10."""
    return [p for p in sorted_entries(folder) if p.is_file()]


def sorted_entries(folder: Path) -> list[Path]:
    """The files and folders in a folder, hidden ones left out, in natural order."""
    found = (p for p in folder.iterdir() if not p.name.startswith("."))
    return sorted(found, key=lambda p: (_natural(p.name), p.name))


def needed(module: str) -> Any:
    """A module of ntkit whose library is an extra.

    Args:
        module: Its full name.

    Raises:
        ImportError: The library is not installed; the message says how to.
        ModuleNotFoundError: Something else is missing.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _EXTRAS:
            raise
        extra = _EXTRAS[library]
        raise ImportError(
            f"`{library}` is needed for such files: `pip install 'ntkit[{extra}]'`."
        ) from None


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Numbers in a name as numbers, and all before text."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]
