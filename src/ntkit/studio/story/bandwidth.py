"""Which bandwidth: what is learned between the samples, and what is not."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ntkit.dynamics import GradientFlow
from ntkit.encodings import Gaussian
from ntkit.grids import Grid
from ntkit.kernels import InfiniteKernel
from ntkit.studio.asks import Ask, Reply, number, numbers
from ntkit.studio.desk import Desk
from ntkit.studio.story.bias import kernel_on
from ntkit.tasks import psnr_between

__all__ = ["ASKS", "BANDWIDTHS", "LINE", "N_FREQUENCIES", "kernels"]

LINE = Grid(128)
"""Samples of the signal, of which every other one is trained on."""

BANDWIDTHS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 11.0, 16.0, 23.0, 32.0)
"""Cycles per unit of coordinate."""

N_FREQUENCIES = 64
"""So many that the kernel looks smooth."""


def kernels(desk: Desk) -> list[InfiniteKernel]:
    """Of the network on Gaussian features, one at each bandwidth."""
    return desk.drawer("bandwidths").kept(
        "all",
        lambda: [
            kernel_on(Gaussian(1, N_FREQUENCIES, b, torch.Generator().manual_seed(0)))
            for b in BANDWIDTHS
        ],
    )


def _signal(values: Mapping[str, Any]) -> Tensor:
    """What is drawn.

    Raises:
        ValueError: It has another number of samples.
    """
    drawn = numbers(values, "signal", -2, 2, most=len(LINE))
    if len(drawn) != len(LINE):
        raise ValueError(f"`signal` must have {len(LINE)} samples.")
    return torch.as_tensor(drawn, dtype=torch.float64)


def _fitted(kernel: InfiniteKernel, signal: Tensor, time: float) -> Tensor:
    """The function after training on every other sample."""
    points = LINE.points().double()
    return GradientFlow(kernel, points[::2], signal[::2]).predict(points, [time])[0]


def fit(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The function at one bandwidth."""
    at = round(number(values, "at", 0, len(BANDWIDTHS) - 1))
    signal, time = _signal(values), number(values, "time", 0, 1e9)
    found = _fitted(kernels(desk)[at], signal, time)
    yield Reply({
        "at": at,
        "place": LINE.points()[:, 0].tolist(),
        "function": found.tolist(),
        "trained": psnr_between(found[::2], signal[::2]),
        "unseen": psnr_between(found[1::2], signal[1::2]),
    })


def sweep(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """PSNR on both kinds of samples, as far as the bandwidths are done."""
    signal, time = _signal(values), number(values, "time", 0, 1e9)
    trained: list[float] = []
    unseen: list[float] = []
    for kernel in kernels(desk):
        found = _fitted(kernel, signal, time)
        trained.append(psnr_between(found[::2], signal[::2]))
        unseen.append(psnr_between(found[1::2], signal[1::2]))
        if len(trained) in {4, 8, len(BANDWIDTHS)}:
            yield Reply({"bandwidths": BANDWIDTHS, "trained": trained, "unseen": unseen})


ASKS: Mapping[str, Ask] = {"fit": Ask(fit), "sweep": Ask(sweep, is_long=True)}
