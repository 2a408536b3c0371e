"""NumPy arrays from `.npy` and `.npz` files."""

import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ntkit._core.whole_files import shown

__all__ = ["array_shape", "is_array", "read_array"]

_DAMAGED = (
    ValueError, EOFError, zipfile.BadZipFile, SyntaxError, TokenError, KeyError, TypeError, OverflowError,
    NotImplementedError, RecursionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What NumPy has been seen to raise of files with flipped or missing bytes."""


def is_array(path: Path) -> bool:
    """Whether the name is one of an array."""
    return path.suffix.lower() in {".npy", ".npz"}


def array_shape(path: Path) -> tuple[int, ...]:
    """Of the array of a `.npy` file, by its header: its numbers are not read.

    Raises:
        ValueError: It is damaged, shorter than it says, or pickled.
    """
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).shape
    except (*_DAMAGED, OSError, AttributeError) as error:
        raise ValueError(f"`{shown(path)}` is no plain NumPy array: {_reason(error)}.") from None


def read_array(path: Path, *, axes: Collection[int] = (1, 2, 3), kinds: str = "fiu") -> np.ndarray:
    """The one array of a file.

    Args:
        path: The file.
        axes: How many axes it may have.
        kinds: Which kinds of numbers, in NumPy's letters.

    Raises:
        ValueError: It is damaged, pickled, or holds several arrays, no real numbers or other axes.
    """
    try:
        with path.open("rb") as file:
            found = _only(np.load(file, allow_pickle=False))
    except _DAMAGED as error:
        raise ValueError(f"`{shown(path)}` is no plain NumPy array: {_reason(error)}.") from None
    kind = getattr(found, "dtype", None)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds or found.ndim not in axes:
        wanted = f"{min(axes)} to {max(axes)}" if len(axes) > 1 else str(min(axes))
        raise ValueError(
            f"`{shown(path)}` holds {kind} of {getattr(found, 'ndim', 0)} axes; real numbers of {wanted} "
            "axes are needed."
        )
    return found


def _only(found: Any) -> Any:
    """The array of an archive that holds one.

    Raises:
        ValueError: It holds another number.
    """
    if not isinstance(found, np.lib.npyio.NpzFile):
        return found
    with found:
        if len(found.files) == 1:
            return found[found.files[0]]
        names = ", ".join(found.files) or "none"
        raise ValueError(
            f"it holds {len(found.files)} arrays ({names}), and one is needed. Save that one as a .npy file"
        )


def _reason(error: BaseException) -> str:
    """What NumPy says, without its advice to run what a file holds."""
    said = str(error).rstrip(".")
    return (
        "it is of another format, or holds objects instead of numbers" if "pickle" in said else said
    )
