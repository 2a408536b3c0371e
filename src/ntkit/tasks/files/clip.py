"""Frames of a moving picture before they are decoded, and which of them are meant."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown

__all__ = ["Clip", "Stretch"]


@dataclass(frozen=True)
class Clip:
    """Frames that are yet to be decoded.

    Attributes:
        frames: One after the other, `[h, w]` or `[h, w, c]`, of the places that `kept` names.
        kept: Which frames of the source, in order.
        total: How many it has.
        size: Height and width.
        step: Time between frames of the source in `unit`.
        unit: "s" or "frame".
        notes: What was converted; frames add to it as they are decoded.
        file_bytes: Size of what is read.
    """

    frames: Iterator[np.ndarray]
    kept: range
    total: int
    size: tuple[int, int]
    step: float
    unit: str
    notes: list[str]
    file_bytes: int


@dataclass(frozen=True)
class Stretch:
    """Which frames are meant.

    Attributes:
        start: Where to begin, in the unit of time of the source.
        stop: Where to end, in the same unit.
        every: One frame of so many.
    """

    start: float | None
    stop: float | None
    every: int

    def of(self, path: Path, total: int, step: float) -> range:
        """The frames of a source that has so many, so far apart.

        Raises:
            ValueError: There are none.
        """
        first = ceil((self.start or 0.0) / step - 1e-6)
        last = total if self.stop is None else min(total, ceil(self.stop / step - 1e-6))
        if not 0 <= first < last:
            raise ValueError(
                f"`--start {self.start or 0:g} --stop {total * step if self.stop is None else self.stop:g}` "
                f"is no stretch of `{shown(path)}`, which has {total} frames in {total * step:g}."
            )
        return range(first, last, self.every)
