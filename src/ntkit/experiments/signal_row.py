"""What is told of one signal of many: a row of the table of a data set."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path

from ntkit._core.whole_files import shown
from ntkit.experiments.results import TuneRun, metric_of
from ntkit.experiments.run_folder import SPEC, RunFolder
from ntkit.experiments.run_from_json import is_planned, read_run
from ntkit.tasks import AbstractMetric

__all__ = ["SignalRow", "row_of"]


@dataclass(frozen=True, kw_only=True)
class SignalRow:
    """One signal.

    Attributes:
        name: Of its file or folder.
        state: "done", "diverged", "failed", "partial", or "waiting" where its turn has not come.
        folder: Name of its run folder; empty where there is none.
        kind: Of data; empty where nothing was read.
        recommended: The recommendation in words.
        encoding: Its name; that of the family for another network.
        bandwidth: In cycles per unit of coordinate; None where the encoding has none.
        predicted: Quality that was predicted, on held-out samples, or on those trained on with the goal "fit".
        measured: The same after real training; None without.
        no_encoding: The same of the network with no encoding.
        seconds: Time that the choice and the trainings took.
        error: Why it failed or diverged, in one line.

    Example:
        >>> SignalRow(name="a.png", state="failed", error="`a.png` is empty.").is_well
        False
    """

    name: str
    state: str
    folder: str = ""
    kind: str = ""
    recommended: str = ""
    encoding: str = ""
    bandwidth: float | None = None
    predicted: float | None = None
    measured: float | None = None
    no_encoding: float | None = None
    seconds: float | None = None
    error: str = ""

    @property
    def is_well(self) -> bool:
        """Whether there is a recommendation, and all that was asked is done."""
        return self.state == "done"

    @property
    def metric(self) -> AbstractMetric:
        """In what it is judged."""
        return metric_of(self.kind)


def row_of(data: Path, folder: Path, error: str | None) -> SignalRow:
    """The row of a signal by what its run folder holds.

    Args:
        data: Its file.
        folder: Its run folder, which may not be there.
        error: Why it failed; None if it did not.
    """
    name = shown(data.name)
    if not (folder / SPEC).is_file():
        return SignalRow(
            name=name, state="waiting" if error is None else "failed", error=error or ""
        )
    try:
        result = RunFolder(folder).result
        if not is_planned(result):
            state = "partial" if error is None else "failed"
            return SignalRow(name=name, state=state, folder=shown(folder.name), error=error or "")
        run = read_run(folder)
    except (ValueError, OSError) as damage:
        text = error or str(damage)
        return SignalRow(name=name, state="failed", folder=shown(folder.name), error=text)
    assert isinstance(run, TuneRun)
    return _of_run(name, run, error)


def _of_run(name: str, run: TuneRun, error: str | None) -> SignalRow:
    if run.diverged:
        return SignalRow(
            name=name,
            state="diverged",
            folder=shown(run.folder.name),
            kind=run.domain.kind,
            error=run.diverged,
        )
    result, side = run.result, "held_out" if run.result.goal == "generalise" else "train"
    rows = run.summary()
    measured = [row[f"{side}_measured"] for row in rows]
    is_plain = result.choice.name == "identity"
    others = measured[:1] if is_plain else measured[1:2]
    return SignalRow(
        name=name,
        state="failed" if error else "partial" if run.partial else "done",
        folder=shown(run.folder.name),
        kind=run.domain.kind,
        recommended=result.choice.label,
        encoding=result.choice.name,
        bandwidth=result.bandwidth,
        predicted=_known(getattr(result.predicted, side)),
        measured=_known(measured[0]) if measured else None,
        no_encoding=_known(others[0]) if others else None,
        seconds=result.seconds + sum(row["seconds"] for row in rows),
        error=error or "",
    )


def _known(value: float | None) -> float | None:
    return None if value is None or isnan(value) else value
