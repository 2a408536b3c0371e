"""What a session looks at: a task, and how its file is opened elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ntkit._core.pixels import rgba
from ntkit.tasks import Signal

__all__ = ["Kind", "Opening", "Shown", "drawn"]

Kind = Literal["image", "audio", "slice"]


@dataclass(frozen=True)
class Opening:
    """How a file is opened outside of the studio, for lines to copy.

    Attributes:
        python: Lines that make `task` of it.
        name: Of the file, for the command line.
        flags: Of `ntkit tune`.
        before: Commands that must come first.
    """

    python: tuple[str, ...] = ()
    name: str = ""
    flags: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Shown:
    """What a session looks at.

    Attributes:
        name: Of the file: text, and nothing else.
        task: The signal, its sides even; of a picture the longer one has at most 256 pixels.
        size: Samples along each axis in the file.
        downscale: By how much it was made smaller.
        notes: What was converted while it was read.
        read: The task as the library reads the file: sides may be odd, and there may be transparency.
        opening: How that is done.
        kind: What it is.
        about: What else the page says of it: which slice, which stretch of time.
    """

    name: str
    task: Signal
    size: tuple[int, ...]
    downscale: int
    notes: tuple[str, ...]
    read: Signal | None = None
    opening: Opening = Opening()
    kind: Kind = "image"
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> Signal:
        """As the library reads the file."""
        return self.read or self.task


def drawn(values: Tensor) -> np.ndarray:
    """A field as the page draws it: the pixels of a picture, the numbers of a curve."""
    return rgba(values) if values.ndim == 3 else values.float().numpy()
