"""Trainings that end at a step of the test's choice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

pytest.importorskip("tyro")
pytest.importorskip("filelock")
pytest.importorskip("safetensors")

from ntkit.experiments import training
from ntkit.tasks import Trainer

__all__ = ["Killed", "kill", "stopping"]


class Killed(BaseException):
    """Stands for a process that ended."""


def kill() -> None:
    raise Killed


@contextmanager
def stopping(monkeypatch: pytest.MonkeyPatch, at: int, how: Callable[[], None]) -> Iterator[None]:
    """`how` happens after that many steps, of all trainings together."""
    taken = 0

    class Stopped(Trainer):
        def _advance(self) -> float:
            nonlocal taken
            loss = super()._advance()
            taken += 1
            if taken == at:
                how()
            return loss

    with monkeypatch.context() as patch:
        patch.setattr(training, "Trainer", Stopped)
        yield
