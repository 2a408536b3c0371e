"""Every signal of a folder tuned on its own, by several processes, and a table of what was found."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from ntkit._core.executor import Executor, Threads, check_executor
from ntkit._core.threads import free_cores
from ntkit._core.whole_files import shown
from ntkit.experiments.progress import Telling
from ntkit.experiments.run_before import other_option
from ntkit.experiments.run_folder import RunFolder
from ntkit.experiments.signal_row import row_of
from ntkit.experiments.signal_table import SignalTable, write_table
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.tune_process import TuneProcess
from ntkit.tasks.files.access import require_folder, sorted_entries

__all__ = ["tune_each"]

_HERE = Threads()


def tune_each(
    spec: TuneSpec,
    *,
    executor: Executor = _HERE,
    force: bool = False,
    command: str = "",
    telling: Telling | None = None,
) -> SignalTable:
    """Tune each signal of a folder as `run_tune` does, and write a table of them.

    A signal is a file, or a folder of frames, slices or views; hidden ones are left out. Each has a process of its own
    and a run folder of its own in `spec.out`, with its report, beside `table.csv` and `table.html`. One that fails does
    not end the others: its row says why.

    Call it again after it was stopped or killed, and it goes on: runs that are done stay, one that had begun continues
    from its checkpoint, failed ones are tried again. A file that has changed is tuned again.

    Args:
        spec: What is asked of each; `data` is the folder of signals, and `out` that of the runs (by default
            `runs/tune-each-NAME`). Without `threads`, the free cores are shared among the processes.
        executor: Where the signals are tuned: `ntkit.scale.Threads(2)` for two processes of this machine at a time, or
            `ntkit.scale.DaskExecutor(client)` for a cluster whose machines see both folders.
        force: Replace runs in `out` that were asked for with other options.
        command: The command line, for the reports.
        telling: Who is told of it.

    Raises:
        TypeError: The executor is none, or `spec` no `TuneSpec`.

    A folder that holds no signal is a `ValueError`; runs in `out` that were asked for with other options are a `FileExistsError`.

    Example:
        >>> from ntkit.experiments import TuneSpec, tune_each
        >>> from ntkit.scale import Threads
        >>> table = tune_each(TuneSpec(Path("photos")), executor=Threads(2))  # doctest: +SKIP
    """
    check_executor(executor)
    if not isinstance(spec, TuneSpec):
        raise TypeError(
            f"`spec` must be a `TuneSpec`, got {type(spec).__name__}. Pass `TuneSpec(Path('photos'))`."
        )
    spec.check()
    out = (spec.out or Path("runs") / f"tune-each-{spec.data.absolute().name}").absolute()
    specs = _specs(spec, out, executor)
    telling = telling or Telling()
    out.mkdir(parents=True, exist_ok=True)
    with RunFolder(out).locked(), ExitStack() as stack:
        if not force:
            _refuse_others(specs)
        stops = getattr(executor, "is_called_off", None)  # a cluster says so at its workers
        if executor.shares_memory:  # the first signal lets trainings end at a step
            interruption = stack.enter_context(telling.interruption.handled())
            stack.enter_context(interruption.deferred())
            stops = partial(getattr, interruption, "asked")
        return _tuned(out, specs, executor, TuneProcess(command, stops), telling)


def _tuned(
    out: Path, specs: Sequence[TuneSpec], executor: Executor, work: TuneProcess, telling: Telling
) -> SignalTable:
    """The table, written after each signal."""
    rows = [row_of(s.data, s.out, None) for s in specs if s.out is not None]
    for k, error in enumerate(executor.map(work, specs)):
        spec = specs[k]
        assert spec.out is not None
        rows[k] = row_of(spec.data, spec.out, error)
        write_table(SignalTable(out, tuple(rows)))
        telling.stage(f"{k + 1} of {len(specs)}: {rows[k].name} {rows[k].state}")
    return SignalTable(out, tuple(rows), interrupted=telling.interruption.asked)


def _specs(spec: TuneSpec, out: Path, executor: Executor) -> list[TuneSpec]:
    """What is asked of each signal.

    Raises:
        ValueError: There is none.
    """
    require_folder(spec.data, "a folder of signals")
    folder = spec.data.absolute()
    signals = [p for p in sorted_entries(folder) if not out.is_relative_to(p)]
    if not signals or out == folder:
        what = "is also the folder of the runs" if signals else "holds no signal"
        raise ValueError(
            f"`{shown(spec.data)}` {what}. Pass a folder of files, and another with `--out`."
        )
    count = executor.count if isinstance(executor, Threads) else None
    threads = spec.threads or (1 if count is None else max(1, free_cores() // count))
    return [replace(spec, data=p, out=out / p.name, threads=threads) for p in signals]


def _refuse_others(specs: Sequence[TuneSpec]) -> None:
    """Refuse runs that were asked for otherwise.

    Raises:
        FileExistsError: There is one.
    """
    for spec in specs:
        name = other_option(spec)
        if name is not None and spec.out is not None:
            raise FileExistsError(
                f"`{shown(spec.out)}` is a run with another `{name}`. Pass another folder with `--out`, or "
                "`--force` to replace such runs."
            )
