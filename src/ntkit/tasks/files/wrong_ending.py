"""What is said of a name of no format."""

from collections.abc import Sequence
from pathlib import Path

from ntkit._core.whole_files import shown

__all__ = ["wrong_ending"]


def wrong_ending(path: Path, endings: Sequence[str], *, what: str) -> str:
    """The words of the error.

    Args:
        path: Where to write.
        endings: Of the formats.
        what: What is written.
    """
    return (
        f"`{shown(path)}` has an ending in which no {what} is written. Pass a name that ends in "
        f"{', '.join(endings[:-1])} or {endings[-1]}."
    )
