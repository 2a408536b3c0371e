"""Angles of views: typed, as a range, or from a file; in degrees."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array

__all__ = ["angles_of", "seem_radians"]

_FEW = 3
"""With no more views than so many, small angles are no sign of radians."""

_TURN = 6.3
"""A turn in radians, rounded up."""


def angles_of(texts: Sequence[str]) -> list[float]:
    """Degrees, one a view.

    Args:
        texts: `["0:180:30"]` for 30 views from 0, without 180; the name of a .npy or .txt file; or numbers.

    Raises:
        ValueError: They are none of these, or no finite numbers.

    Example:
        >>> angles_of(["0:180:4"]), angles_of(["0", "22.5"])
        ([0.0, 45.0, 90.0, 135.0], [0.0, 22.5])
    """
    if len(texts) == 1 and texts[0].count(":") == 2:
        return _range(texts[0])
    if len(texts) == 1 and not _is_number(texts[0]):
        return _from_file(Path(texts[0]))
    bad = [text for text in texts if not _is_number(text)]
    if bad or not texts:
        none = f"`{bad[0]}` is none" if bad else "nothing was given"
        raise ValueError(
            f"`--angles {' '.join(texts)}` must be FROM:TO:COUNT, the name of a file, or numbers in degrees; {none}."
        )
    return _finite(f"`--angles {' '.join(texts)}`", [float(text) for text in texts])


def seem_radians(degrees: Sequence[float]) -> bool:
    """Whether angles are so small, for so many, that they are probably radians."""
    return len(degrees) > _FEW and max(map(abs, degrees)) <= _TURN


def _range(text: str) -> list[float]:
    """Evenly from the first number on, without the second.

    Raises:
        ValueError: There are no two numbers and a count.
    """
    first, end, count = text.split(":")
    if not (_is_number(first) and _is_number(end) and count.isdigit() and 0 < int(count) <= 10**6):
        raise ValueError(
            f"`--angles {text}` must be FROM:TO:COUNT, two numbers in degrees and how many, such as 0:180:30."
        )
    start, step = float(first), (float(end) - float(first)) / int(count)
    return _finite(f"`--angles {text}`", [start + k * step for k in range(int(count))])


def _from_file(path: Path) -> list[float]:
    """One number a view.

    Raises:
        ValueError: It holds something else.
    """
    require_file(path, "the angles in degrees: FROM:TO:COUNT, a .npy or .txt file, or numbers")
    with reading(path):
        if is_array(path):
            values = read_array(path, axes={1, 2})
        else:
            values = np.array(_numbers(path.read_text(encoding="utf-8", errors="replace")))
        if values.size != max(values.shape, default=0) or values.size == 0:
            raise ValueError(
                f"it has shape {values.shape}: one angle a view is needed, in degrees."
            )
    return _finite(f"`{shown(path)}`", values.ravel().astype(float).tolist())


def _numbers(text: str) -> list[float]:
    """The numbers of a text, between blanks, commas or semicolons; what follows a # is a comment, as NumPy writes it.

    Raises:
        ValueError: A word is none.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    words = " ".join(lines).replace(",", " ").replace(";", " ").split()
    bad = [word for word in words if not _is_number(word)]
    if bad:
        raise ValueError(
            f"it holds {bad[0][:20]!r}, which is no number: one angle a view is needed, in degrees."
        )
    return [float(word) for word in words]


def _finite(name: str, values: list[float]) -> list[float]:
    """The values, refused if one is not finite.

    Raises:
        ValueError: One is not.
    """
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has angles that are NaN or infinite.")
    return values


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
