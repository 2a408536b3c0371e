"""`ntkit tune --each`: every signal of a folder, and what the command line prints of it."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Annotated

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tyro.conf import arg

from ntkit._core.checks import positive_int
from ntkit._core.executor import Executor, Threads
from ntkit._core.whole_files import shown
from ntkit.cli.show import print_json
from ntkit.experiments.options import Whole
from ntkit.experiments.progress import Telling
from ntkit.experiments.signal_table import TABLE, SignalTable
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.tune_each import tune_each

__all__ = ["EachOptions", "run_each", "show_each"]


@dataclass(frozen=True)
class EachOptions:
    """Whether a folder is one signal or many, and who tunes them.

    Attributes:
        each: Tune every file and folder in the folder on its own, and write a table of them. The same command goes on
            where it was stopped.
        workers: Of --each: processes at a time; by default 1.
        scheduler: Of --each: tune on the workers of the Dask cluster at this address, such as tcp://host:8786.
    """

    each: bool = False
    workers: Whole = None
    scheduler: Annotated[str | None, arg(metavar="ADDRESS", help_behavior_hint="")] = None

    def check(self) -> None:
        """Refuse options of `--each` without it.

        Raises:
            ValueError: They are given, or both at the same time.
        """
        given = [n for n in ("workers", "scheduler") if getattr(self, n) is not None]
        if given and not self.each:
            raise ValueError(
                f"`--{given[0]}` is for the signals of a folder: pass `--each`, or leave it out."
            )
        if self.workers is not None:
            positive_int("workers", self.workers)
        if len(given) == 2:
            raise ValueError(
                "`--workers` are of this machine, and `--scheduler` has its own. Leave one out."
            )


def run_each(
    spec: TuneSpec, how: EachOptions, *, force: bool, command: str, telling: Telling
) -> SignalTable:
    """The table of a folder."""
    with ExitStack() as stack:
        executor: Executor = Threads(1 if how.workers is None else how.workers)
        if how.scheduler is not None:
            executor = _of_cluster(how.scheduler, stack)
        return tune_each(spec, executor=executor, force=force, command=command, telling=telling)


def _of_cluster(address: str, stack: ExitStack) -> Executor:
    """The workers of a cluster, until the stack is left.

    Raises:
        ModuleNotFoundError: Dask is not installed.
        ConnectionError: Nobody answers there.
    """
    try:
        from distributed import Client

        from ntkit.scale import DaskExecutor
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "`--scheduler` needs dask and distributed: `pip install 'ntkit[cluster]'`.",
            name=error.name,
        ) from error
    try:
        return DaskExecutor(stack.enter_context(Client(address)))
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"`--scheduler {address}` does not answer ({error}). Pass the address that the scheduler prints, such "
            "as tcp://host:8786."
        ) from None


def show_each(table: SignalTable, *, json: bool, quiet: bool) -> None:
    """One line a signal, and the summary."""
    if json:
        print_json({"folder": shown(table.folder), "rows": [asdict(row) for row in table.rows]})
        return
    if quiet:
        print(table.folder)
        return
    console = Console(highlight=False)
    found = Table(box=box.SIMPLE_HEAD)
    found.add_column("signal", overflow="fold")
    found.add_column("recommended")
    for name in ("predicted", "measured", "no\nencoding"):
        found.add_column(name, justify="right")
    for row in table.rows:
        values = (row.predicted, row.measured, row.no_encoding)
        found.add_row(
            escape(row.name),
            escape(row.recommended if row.is_well else row.state),
            *("-" if v is None else row.metric.written(v) for v in values),
            style=None if row.is_well else "yellow",
        )
    console.print(found)
    for row in table.rows:
        if row.error:
            console.print(
                f"  {escape(row.name)}: {escape(row.error)}", style="yellow", soft_wrap=True
            )
    for line in table.summary:
        console.print(line)
    console.print(f"\n{escape(shown(table.folder))}/{TABLE}.html", soft_wrap=True)
