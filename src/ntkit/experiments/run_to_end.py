"""A run from its beginning, or from where it stopped, to its end; the same for all commands."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from ntkit._core.errors import NumericalError
from ntkit._core.whole_files import shown
from ntkit.experiments.options import AbstractSpec
from ntkit.experiments.progress import Telling
from ntkit.experiments.results import AbstractRun
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.run_from_json import is_planned, read_run, read_spec
from ntkit.experiments.run_start import Begun, Opened, begin, begin_again
from ntkit.experiments.run_to_json import write_run

__all__ = ["Stages", "go_on", "start"]

_Spec = TypeVar("_Spec", bound=AbstractSpec)
_Run = TypeVar("_Run", bound=AbstractRun)
_Task = TypeVar("_Task", bound=Opened)


@dataclass(frozen=True)
class Stages(Generic[_Spec, _Task, _Run]):
    """What the runs of a command do, one after the other.

    Attributes:
        opened: Reads the data and checks every option; nothing is written before.
        plan: All that comes before the training; it is written before that begins. Of a reconstruction, the whole work.
        finish: The training, and what follows; it goes on with what is in the folder.
    """

    opened: Callable[[_Spec], _Task]
    plan: Callable[[_Spec, Begun[_Task], Telling], _Run]
    finish: Callable[[_Run, _Task, Telling], None]


def start(
    spec: _Spec, stages: Stages[_Spec, _Task, _Run], force: bool, command: str, telling: Telling
) -> _Run:
    """A new run; where its plan fails, no folder is left.

    Args:
        spec: What is asked.
        stages: What is done.
        force: Write into the folder asked for although it holds something.
        command: The command line, for the report.
        telling: Who is told of it.
    """
    with begin(spec, stages.opened, force=force, command=command) as begun:
        try:
            run = stages.plan(spec, begun, telling)
        except Exception:
            begun.folder.discard()  # there is nothing to keep, and nothing to go on from
            raise
        write_run(run)
        telling.recommended(run)
        stages.finish(run, begun.task, telling)
    return run


def go_on(
    path: Path, kind: type[_Spec], stages: Stages[_Spec, _Task, _Run], telling: Telling
) -> _Run:
    """The run of a folder, to its end; one that is whole is returned as it is.

    The folder stays, whatever fails: what was trained in it before may be worth hours.

    Args:
        path: The run folder.
        kind: Of its spec.
        stages: As in `start`; what was planned is not planned again.
        telling: Who is told of it.

    Raises:
        ValueError: It is a run of another command.
        NumericalError: It came to its end by diverging.
    """
    folder = RunFolder(path)
    spec = read_spec(folder)
    if not isinstance(spec, kind):
        raise ValueError(
            f"`{shown(path)}` is a run of `ntkit {spec.command}`: go on with `ntkit {spec.command} --resume {shown(path)}`."
        )
    with folder.locked():
        run: _Run | None = read_run(path) if is_planned(folder.result) else None  # pyright: ignore[reportAssignmentType]
        if run is not None and run.diverged:
            raise NumericalError(f"`{shown(path)}` is at its end. {run.diverged}")
        if run is not None and not run.partial:
            telling.recommended(run)
            return run
        begun = begin_again(folder, spec, stages.opened)
        if run is None:
            run = stages.plan(spec, begun, telling)
            write_run(run)
        telling.recommended(run)
        stages.finish(run, begun.task, telling)
    return run
