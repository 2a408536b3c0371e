"""The folder of a checkpoint, looked at before the work whose state it will hold."""

from pathlib import Path
from tempfile import TemporaryFile

from ntkit._core.whole_files import shown

__all__ = ["SOLVE", "checked_folder"]

SOLVE = "solve.pt"
"""Name of the state of a solve."""


def checked_folder(folder: object, *files: str) -> Path | None:
    """`checkpoint=` as a folder that is there and can be written into; None of None.

    Asked before any work: the first state is written seconds or hours later.

    Args:
        folder: As it was passed; made if it is not there.
        files: What will be written there.

    Raises:
        TypeError: It is no path.
        ValueError: It is empty, or holds a character that no name has.
        OSError: It cannot be made, or not be written into.
    """
    if folder is None:
        return None
    if not isinstance(folder, str | Path):
        raise TypeError(f"`checkpoint={folder!r}` must be the name of a folder, or None for none.")
    if folder == "" or "\0" in str(folder):
        raise ValueError(
            f"`checkpoint={str(folder)!r}` is no name of a folder. Pass another, or None for no checkpoint."
        )
    path = Path(folder)
    try:
        wrong = _wrong(path, files)
        if wrong is None:
            path.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=path):
                pass
    except OSError as error:
        wrong = f"cannot be written into: {error.strerror or error}"
    if wrong is not None:
        raise OSError(
            f"`checkpoint={shown(path)}` {wrong}. Pass another folder; it is made if it is not there."
        )
    return path


def _wrong(path: Path, files: tuple[str, ...]) -> str | None:
    """What stands there already, where it is in the way."""
    if path.exists() and not path.is_dir():
        return "is a file"
    taken = next((name for name in files if (path / name).is_dir()), None)
    return None if taken is None else f"holds a folder of the name `{taken}`"
