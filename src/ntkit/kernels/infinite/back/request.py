"""How a Gram matrix is asked for: where it goes, in how much memory, and whether a bar is shown."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from tqdm import tqdm

from ntkit._core.checks import positive_int
from ntkit.kernels.infinite.back.result_memory import Out

__all__ = ["MEMORY", "Request"]

MEMORY = 2**28
"""Default budget of all tables of the pairs at hand."""

_PATIENCE = 2.0
"""Seconds from which a job counts as long."""


@dataclass(frozen=True)
class Request:
    """The options of a call.

    Attributes:
        out: Where the result goes; None for fresh memory.
        memory: Bytes for the tables of the pairs that are computed at a time.
        progress: Whether to show a bar; None for long jobs at a terminal.
    """

    out: Out | None = None
    memory: int = MEMORY
    progress: bool | None = None

    def threads(self, bytes_per_pair: int, device: torch.device) -> int:
        """Tiles that may be computed at a time; one on a GPU, whose work stands in one queue.

        Raises:
            ValueError: One pair takes more than the budget.
        """
        positive_int("memory", self.memory)
        if bytes_per_pair > self.memory:
            raise ValueError(
                f"`memory={self.memory}` is less than the {bytes_per_pair} bytes that one pair of "
                "these points takes. Pass at least that, or points with fewer positions "
                "(`kernel.plan(x)` shows where they are)."
            )
        if device.type != "cpu":
            return 1
        return min(torch.get_num_threads(), self.memory // bytes_per_pair)

    def follow(self, done: Iterable[int], total: int) -> None:
        """Run through `done`, pairs finished at each step, with a bar."""
        if self.progress is False:
            for _ in done:
                pass
            return
        start, finished, bar = time.monotonic(), 0, None
        patience = _PATIENCE if self.progress is None else 0.0
        with ExitStack() as stack:
            for pairs in done:
                finished += pairs
                if bar is not None:
                    bar.update(pairs)
                elif time.monotonic() - start >= patience:  # to make one takes a millisecond
                    bar = stack.enter_context(self._bar(total, finished))

    def _bar(self, total: int, finished: int) -> tqdm:
        hidden = None if self.progress is None else False
        return tqdm(
            total=total,
            initial=finished,
            unit="pairs",
            unit_scale=True,
            disable=hidden,
            desc="kernel",
        )
