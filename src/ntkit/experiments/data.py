"""From what a run is asked to its task."""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from pathlib import Path

from ntkit._core.whole_files import shown
from ntkit.experiments.spec import DataSpec
from ntkit.tasks import JOBS, AbstractTask
from ntkit.tasks.files import kind_of

__all__ = ["digest", "open_task"]

_OPTIONS = {f.name: f.default for f in fields(DataSpec) if f.name not in {"data", "kind"}}
"""How data may be read, with what is not asked for; each job takes some."""


def open_task(spec: DataSpec) -> AbstractTask:
    """The task of a spec, its data read.

    Raises:
        ValueError: There is no such kind of data, or an option is not for it. Data that cannot be read is refused by its reader.
    """
    kind = spec.kind or kind_of(spec.data, frame=spec.frame)
    if kind not in JOBS:
        raise ValueError(f"`--as {kind}` must be one of {', '.join(JOBS)}.")
    job: Callable[..., AbstractTask] = JOBS[kind]
    given = {k: getattr(spec, k) for k, v in _OPTIONS.items() if getattr(spec, k) != v}
    strange = [_flag(name) for name in given if name not in signature(job).parameters]
    if strange:
        takes = [_flag(n) for n in _OPTIONS if n in signature(job).parameters]
        raise ValueError(
            f"`{strange[0]}` is not for {kind}, as which `{shown(spec.data)}` is read. Leave it out, say what the "
            f"data is with `--as`, or use one of {', '.join(takes)}."
        )
    task = job(spec.data, **given)  # pyright: ignore[reportCallIssue]
    share = getattr(spec, "hold_out", None)
    return task if share is None else task.keep_out(share, seed=0)


def _flag(name: str) -> str:
    """What the command line calls an option."""
    return f"--{name.replace('_', '-')}"


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of a folder's files, those of its folders included."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    found = hashlib.sha256()
    for each in sorted(p for p in path.rglob("*") if p.is_file()):
        name = each.relative_to(path).as_posix()
        found.update(f"{name}\n{digest(each)}\n".encode("utf-8", "surrogateescape"))
    return found.hexdigest()
