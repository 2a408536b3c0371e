"""How loops are compiled.

Loops that share helpers stand in one file, although it is long: numba keeps what it compiled on disk for as long as
the file of the function is the same, and would not see that a helper in another file has changed.
"""

from typing import Any

import numba

__all__ = ["OPTIONS"]


def _can_be_kept() -> bool:
    """Whether numba finds a folder, beside these files or in the user's cache, to keep machine code in."""
    try:
        numba.njit(cache=True)(_can_be_kept)
    except RuntimeError:
        return False
    return True


OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": _can_be_kept(),
    "error_model": "numpy",  # a division that may raise is not made many at a time
    "fastmath": {"contract", "nsz"},
}
"""numba does not see a change here: delete `__pycache__` after one, where it keeps machine code."""
