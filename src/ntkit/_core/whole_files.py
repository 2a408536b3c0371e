"""Files that are whole or absent: written under another name, then renamed."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["read_json", "shown", "write_bytes", "write_json", "write_with"]


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a temporary file beside `path`, which then takes its name.

    A process that dies meanwhile leaves the old file as it was.

    Raises:
        OSError: It cannot be written; the message names the file.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OSError(
            f"`{shown(path)}` could not be written: {error.strerror or error}. Make room, or pass "
            "another folder.",
        ) from None
    finally:
        part.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, whole."""
    write_with(path, lambda part: part.write_bytes(content))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write an object; numbers that JSON has no word for become text ("inf", "nan")."""
    text = json.dumps(_plain(content), indent=2, allow_nan=False)  # ASCII: any file name survives
    write_bytes(path, (text + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file, where "inf" and "nan" stand as text: `float` reads them.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds no JSON object.
    """
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"`{shown(path)}` does not exist.") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{shown(path)}` is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise ValueError(f"`{shown(path)}` holds {type(found).__name__}, and no JSON object.")
    return found


def shown(path: Path | str) -> str:
    """A file's name as it can be printed anywhere: bytes that are no text appear as escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
