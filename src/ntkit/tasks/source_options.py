"""Options that belong to files alone, or to arrays alone: the other kind of source would not heed them."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["refuse_unheeded"]


def refuse_unheeded(
    source: object, *, of_files: Mapping[str, object], of_arrays: Mapping[str, object]
) -> None:
    """Refuse what was given for the other kind of source.

    Args:
        source: A path or its text is a file, all else an array.
        of_files: What only the reading of a file heeds, None where it was left out.
        of_arrays: What a file says itself, the same.

    Raises:
        ValueError: Something was given for the other kind.
    """
    is_file = isinstance(source, Path | str)
    for name, value in (of_arrays if is_file else of_files).items():
        if value is not None:
            raise ValueError(
                f"`{name}` is for arrays in memory: a file is taken as it says itself. Leave it out."
                if is_file
                else f"`{name}={value!r}` is for files: an array is taken as it is. Leave it out, and pass the "
                "part, or the averages, that you want."
            )
