"""How runs begin, and begin again: what is the same for all jobs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, prod
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import torch
from torch import nn

from ntkit._core.devices import usable_device
from ntkit._core.threads import use_threads
from ntkit._core.whole_files import shown
from ntkit.experiments.budgets import parse_budget
from ntkit.experiments.data import digest
from ntkit.experiments.options import AbstractSpec
from ntkit.experiments.progress import Telling
from ntkit.experiments.run_folder import RESULT, SPEC, RunFolder
from ntkit.experiments.spec import DataSpec, FitSpec, TuneSpec
from ntkit.tasks import AbstractSamples, AbstractTask, Budget, Domain
from ntkit.tasks.timing import steps_within
from ntkit.tuning import Candidate, NetworkPlan

__all__ = [
    "Begun",
    "Opened",
    "announce",
    "asked_budget",
    "begin",
    "begin_again",
    "budget_of",
    "common_of",
    "device_of_spec",
    "in_time",
]

_SECONDS_A_MEGASAMPLE = 20.0  # of a choice between a dozen candidates, measured on two cores


@runtime_checkable
class Opened(Protocol):
    """Data that were read."""

    @property
    def domain(self) -> Domain:
        """What their coordinates and numbers stand for."""
        ...

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """Samples along each axis."""
        ...


_Spec = TypeVar("_Spec", bound=AbstractSpec)
_Task = TypeVar("_Task", bound=Opened)


@dataclass(frozen=True)
class Begun(Generic[_Task]):
    """A run that may be written.

    Attributes:
        folder: Its folder, locked.
        task: Its data.
        threads: CPU threads.
        said: What `result.json` holds so far.
    """

    folder: RunFolder
    task: _Task
    threads: int
    said: dict[str, Any]


@contextmanager
def begin(
    spec: _Spec, opened: Callable[[_Spec], _Task], *, force: bool, command: str
) -> Iterator[Begun[_Task]]:
    """A new run: its data are read and every option is checked before anything is written.

    Args:
        spec: What is asked.
        opened: Reads its data.
        force: Write into the folder asked for although it holds something.
        command: The command line, for the report.
    """
    spec.check()
    threads = use_threads(spec.threads)
    task = opened(spec)
    said = {
        "partial": True,
        "job": spec.job,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "threads": threads,
        "input_sha256": digest(spec.data),
        "command": command,
    }
    with RunFolder.new(spec.out, spec.default_name, force=force) as folder:
        folder.write(RESULT, said)
        folder.write(SPEC, spec.to_dict())
        yield Begun(folder, task, threads, said)


def begin_again(folder: RunFolder, spec: _Spec, opened: Callable[[_Spec], _Task]) -> Begun[_Task]:
    """A run that was stopped, with the threads that it had; its folder is locked by the caller.

    Args:
        folder: Its folder.
        spec: What was asked.
        opened: Reads its data.

    Raises:
        ValueError: The data are no longer what they were.
    """
    said = folder.result
    threads = use_threads(said.get("threads") or spec.threads)
    if not spec.data.exists() or said.get("input_sha256") not in {None, digest(spec.data)}:
        raise ValueError(
            f"`{shown(spec.data)}` is no longer what the run in `{shown(folder.path)}` was started with. "
            "Put the old file back, or start a new run."
        )
    return Begun(folder, opened(spec), threads, said)


def common_of(begun: Begun[Any]) -> dict[str, Any]:
    """What all runs have, but for the spec and the notes."""
    return {
        "folder": begun.folder.path,
        "domain": begun.task.domain,
        "axis_counts": begun.task.axis_counts,
        "threads": begun.threads,
        "started": begun.said["started"],
        "input_digest": begun.said["input_sha256"],
        "command": begun.said.get("command", ""),
    }


def announce(spec: DataSpec, task: AbstractTask, telling: Telling) -> None:
    """Say beforehand how long a choice will take that takes minutes, and how to have it sooner."""
    seconds = prod(task.domain.shape) / 1e6 * _SECONDS_A_MEGASAMPLE
    if seconds > 60 and isinstance(task, AbstractSamples):
        shape = " x ".join(map(str, task.shape))
        factor = max(2, ceil((seconds / 30) ** (1 / task.in_dim)))
        telling.notice(
            f"{shape} samples: the choice will take about {seconds / 60:.0f} min. `--downscale "
            f"{factor * spec.downscale}` takes half a minute, for the smaller {task.kind}."
        )


def budget_of(spec: TuneSpec | FitSpec, plan: NetworkPlan, task: AbstractTask) -> Budget:
    """The budget in steps, where a time was asked for by those of a network on Gaussian features."""
    asked = asked_budget(spec, task)
    return in_time(spec, plan.trainable(Candidate("gaussian", 10.0)), task, asked)


def asked_budget(spec: TuneSpec | FitSpec, task: AbstractTask) -> Budget:
    """The budget as it stands in the spec: of one step where a time was asked for."""
    return parse_budget(spec.budget, spec.batch_size or task.batch_size).budget


def in_time(
    spec: TuneSpec | FitSpec, network: nn.Module, task: AbstractTask, budget: Budget
) -> Budget:
    """The budget with as many steps of this network as the time takes that was asked for, if one was; by timing some.

    The network is changed.
    """
    seconds = parse_budget(spec.budget, budget.batch_size).seconds
    if seconds is None:
        return budget
    trained = network.to(device_of_spec(spec))
    return budget.with_steps(steps_within(seconds, trained, task, budget))


def device_of_spec(spec: TuneSpec | FitSpec) -> torch.device:
    """The device to train on; one that is not there is refused."""
    return usable_device(spec.device)
