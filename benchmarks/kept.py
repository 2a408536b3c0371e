"""Results of long runs in one JSON file, written after each case, also by several processes."""

import json
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from filelock import FileLock

Entry = dict[str, Any]


def read(path: Path) -> dict[str, Entry]:
    """What is there, by key."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def keep(path: Path, key: str, entry: Entry) -> dict[str, Entry]:
    """Write it to what is there, also where another process adds other cases."""
    with FileLock(Path(gettempdir()) / f"ntkit-{path.stem}.lock"):
        found = {**read(path), key: entry}
        lines = [f"{json.dumps(k)}: {json.dumps(found[k])}" for k in sorted(found)]
        whole = path.with_suffix(".part")
        whole.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        whole.replace(path)
    return found
