"""A run from its beginning, or from where it stopped, to its end; the same for all commands."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ntkit._core.errors import NumericalError
from ntkit._core.whole_files import shown
from ntkit.experiments.begin import Begun, begin, begin_again
from ntkit.experiments.content import write_run
from ntkit.experiments.reading import is_planned, read_run
from ntkit.experiments.results import AbstractRun
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.spec import FitSpec, TuneSpec
from ntkit.experiments.telling import Telling
from ntkit.tasks import AbstractTask

__all__ = ["go_on", "start"]

_Spec = TypeVar("_Spec", TuneSpec, FitSpec)
_Run = TypeVar("_Run", bound=AbstractRun)


def start(
    spec: _Spec,
    plan: Callable[[_Spec, Begun, Telling], _Run],
    finish: Callable[[_Run, AbstractTask, Telling], None],
    force: bool,
    command: str,
    telling: Telling,
) -> _Run:
    """A new run.

    Args:
        spec: What is asked.
        plan: All that comes before the training; it is written before that begins.
        finish: The training, and what follows.
        force: Write into the folder asked for although it holds something.
        command: The command line, for the report.
        telling: Who is told of it.
    """
    with begin(spec, force=force, command=command) as begun:
        run = plan(spec, begun, telling)
        write_run(run)
        telling.recommended(run)
        finish(run, begun.task, telling)
    return run


def go_on(
    path: Path,
    kind: type[_Spec],
    plan: Callable[[_Spec, Begun, Telling], _Run],
    finish: Callable[[_Run, AbstractTask, Telling], None],
    telling: Telling,
) -> _Run:
    """The run of a folder, to its end; one that is whole is returned as it is.

    Args:
        path: The run folder.
        kind: Of its spec.
        plan: As in `start`, where the run was stopped before.
        finish: As in `start`; it goes on with what is in the folder.
        telling: Who is told of it.

    Raises:
        ValueError: It is a run of another command.
        NumericalError: It came to its end by diverging.
    """
    folder = RunFolder(path)
    job = folder.spec.get("job", "tune")
    if job != kind.job:
        raise ValueError(
            f"`{shown(path)}` is a run of `ntkit {job}`: go on with `ntkit {job} --resume {shown(path)}`."
        )
    spec = kind.from_dict(folder.spec)
    with folder.locked():
        run: _Run | None = read_run(path) if is_planned(folder.result) else None  # pyright: ignore[reportAssignmentType]
        if run is not None and run.diverged:
            raise NumericalError(f"`{shown(path)}` is at its end. {run.diverged}")
        if run is not None and not run.partial:
            telling.recommended(run)
            return run
        begun = begin_again(folder, spec)
        if run is None:
            run = plan(spec, begun, telling)
            write_run(run)
        telling.recommended(run)
        finish(run, begun.task, telling)
    return run
