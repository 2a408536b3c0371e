"""Warnings that point at the user's line, however deep in the library they are given."""

import sys
import warnings

__all__ = ["warn"]

_OURS = ("ntkit", "jaxtyping", "beartype", "torch")
"""Packages whose frames are between a user's call and the place of a warning: a module of ours is called
by way of PyTorch's."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """`warnings.warn` at the innermost line that is not the library's own."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None:
        name = str(frame.f_globals.get("__name__", ""))
        inside = name.partition(".")[0] in _OURS or frame.f_code.co_filename.startswith(
            "<@beartype"
        )
        if not inside:
            break
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
