"""NumPy arrays from `.npy` and `.npz` files."""

import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ntkit._core.whole_files import shown

__all__ = ["read_array"]

_DAMAGED = (
    ValueError, EOFError, zipfile.BadZipFile, SyntaxError, TokenError, KeyError, TypeError, OverflowError,
    NotImplementedError, RecursionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
"""What NumPy has been seen to raise of files with flipped or missing bytes."""


def read_array(path: Path) -> np.ndarray:
    """The one array of a file.

    Raises:
        ValueError: It is damaged, pickled, or holds several arrays or no real numbers.
    """
    try:
        with path.open("rb") as file:
            found = _only(np.load(file, allow_pickle=False))
    except _DAMAGED as error:
        raise ValueError(f"`{shown(path)}` is no plain NumPy array: {error}.") from None
    kind = getattr(found, "dtype", None)
    if (
        not isinstance(found, np.ndarray)
        or found.dtype.kind not in "fiu"
        or found.ndim not in {1, 2, 3}
    ):
        axes = getattr(found, "ndim", 0)
        raise ValueError(
            f"`{shown(path)}` holds {kind} of {axes} axes; real numbers of 1 to 3 axes are needed."
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
