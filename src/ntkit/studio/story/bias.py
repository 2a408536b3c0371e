"""Spectral bias: on a circle the modes are waves, and slow ones come first."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ntkit.dynamics import GradientFlow
from ntkit.encodings import Basic
from ntkit.encodings.base import AbstractEncoding
from ntkit.grids import Grid
from ntkit.kernels import InfiniteKernel, ntk
from ntkit.networks import mlp
from ntkit.spectra import amplitudes, kernel_spectrum, waves
from ntkit.studio.asks import Ask, Reply, number, numbers
from ntkit.studio.desk import Desk

__all__ = ["ASKS", "CIRCLE", "CYCLES", "CircleKernel", "kernel_on", "target"]

CIRCLE = Grid(128)
"""Places on the circle, in turns."""

CYCLES = (1, 2, 4, 8, 16)
"""Of the waves that the target is mixed of."""


def kernel_on(encoding: AbstractEncoding) -> InfiniteKernel:
    """The NTK of a ReLU network of two hidden layers on an encoding."""
    return ntk(mlp(encoding, 1, width=64, depth=2, parametrisation="ntk"))


def target(values: Mapping[str, Any]) -> Tensor:
    """The waves that the page asks for, mixed."""
    heights = numbers(values, "heights", 0, 1, most=len(CYCLES))
    return waves(CIRCLE.points()[:, 0].double(), CYCLES, heights)


class CircleKernel:
    """A kernel on the circle, and what is worked out of it once.

    Args:
        encoding: Of the network.
    """

    def __init__(self, encoding: AbstractEncoding) -> None:
        self.kernel: InfiniteKernel = kernel_on(encoding)
        points = CIRCLE.points()
        row = self.kernel(points[:1], points)[0]
        frequency, rate = kernel_spectrum(self.kernel, CIRCLE.shape)
        self.said: dict[str, Any] = {
            "shape": (row / row[0]).tolist(),
            "frequency": frequency[1:33].tolist(),
            "rate": (len(CIRCLE) * rate)[1:33].tolist(),
        }

    def learned(self, wanted: Tensor, time: float) -> dict[str, list[float]]:
        """What gradient flow has made of the target, its waves, and the rate of each frequency."""
        function = GradientFlow(self.kernel, CIRCLE, wanted).predict(CIRCLE, [time])[0]
        found = amplitudes(function)
        heights = [float(found[k]) for k in CYCLES]
        return {"function": function.tolist(), "heights": heights, **self.said}


def learn(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The function on the plain circle at a time."""
    known: CircleKernel = desk.drawer("bias").kept("plain", lambda: CircleKernel(Basic(1)))
    wanted, time = target(values), number(values, "time", 0, 1e9)
    yield Reply({
        "turns": CIRCLE.points()[:, 0].tolist(),
        "target": wanted.tolist(),
        "cycles": CYCLES,
        "time": time,
        **known.learned(wanted, time),
    })


ASKS: Mapping[str, Ask] = {"learn": Ask(learn)}
