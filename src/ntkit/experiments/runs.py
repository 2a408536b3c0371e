"""The runs that there are: what each was, and how far it came."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ntkit._core.whole_files import shown
from ntkit.experiments.results import metric_of
from ntkit.experiments.run_folder import SPEC, RunFolder
from ntkit.tuning import Candidate

__all__ = ["RunEntry", "list_runs"]


@dataclass(frozen=True)
class RunEntry:
    """One run folder.

    Attributes:
        folder: Its path.
        job: What was done.
        input: The file that it was done for.
        started: When, as an ISO date.
        state: "done", "partial", "diverged" or "unreadable".
        choice: The recommendation, or what was trained; empty if there is none.
        held_out: Measured quality of the recommended network on what is held out; None if not trained.
        size: Bytes.
        kind: Of data, which says in what it is judged.
    """

    folder: str
    job: str
    input: str
    started: str
    state: str
    choice: str
    held_out: float | None
    size: int
    kind: str = "image"


def list_runs(folder: Path) -> list[RunEntry]:
    """The run folders inside `folder`, oldest first.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"`{shown(folder)}` is no folder. Name the one that holds your runs; `ntkit tune` writes "
            "into `runs` in the folder where it is started."
        )
    found = [_entry(path) for path in folder.iterdir() if (path / SPEC).is_file()]
    return sorted(found, key=lambda entry: (entry.started, entry.folder))


def _entry(path: Path) -> RunEntry:
    folder = RunFolder(path)
    changed = datetime.fromtimestamp((path / SPEC).stat().st_mtime, UTC)
    started, name, job = changed.isoformat(timespec="seconds"), "", "tune"
    state, choice, held_out, kind = "unreadable", "", None, "image"
    try:
        asked = folder.spec
        name = Path(asked["data"] if "data" in asked else asked["photo"]).name
        job = " ".join([asked.get("job", "tune"), *([asked["of"]] if "of" in asked else [])])
        result = folder.result
        started = result.get("started", started)
        state = "partial" if result["partial"] else "diverged" if result.get("diverged") else "done"
        if result.get("encoding"):
            axes = tuple(result.get("axes") or ())
            choice = Candidate(result["encoding"], result["bandwidth"], axes).label
        choice = result.get("choice_in_words", choice)
        rows = result.get("verified", [])
        kind = result.get("kind", "image")
        found = result.get(f"held_out_{metric_of(kind).key}")
        measured = rows[0]["held_out_measured"] if rows else found
        held_out = None if measured is None else float(measured)
    except (ValueError, KeyError, TypeError, OSError):
        state = "unreadable"
    return RunEntry(str(path), job, name, started, state, choice, held_out, folder.size, kind)
