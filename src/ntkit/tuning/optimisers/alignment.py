"""What Adam's first steps make of an encoding: features that align with the signal."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.encodings import AbstractFourier
from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.lattice import is_lattice, trimmed

__all__ = ["align"]

_STEPS = 200
"""Steps in which what the signal is mostly made of is learned; see `benchmarks/adam_curves`."""

_SUMMED = 2**15  # samples, evenly spread, that a sum goes over at most
_FLAT = 1e-20  # of the mean square: a constant, but for rounding


def align(encoding: AbstractFourier, task: AbstractSamples, budget: Budget) -> None:
    """Give `encoding` the amplitudes whose kernel stands for a network that Adam has begun to train.

    A kernel at its start takes large bandwidths for far slower, at short budgets, than they are: a
    network soon sees more of the frequencies that its signal is made of, and less of the rest. This
    is a stand-in for that, in the one place where it is cheap. Adam moves a weight by about `lr` a
    step as long as its gradient keeps its sign; on the feature of frequency `b` it drifts by
    `lr s / sqrt(1 + s^2)` a step, where `s^2 = B |r(b)|^2 / |r|^2` is the power of its gradient to
    that of the noise of minibatches of `B`, and wanders `lr sqrt(T)` in `T` steps besides. In the first
    200 steps the residual `r` is the signal, and weights on what that is made of outgrow those at the
    start, `1 / sqrt(3 f)` for `f` features. Later the residual is about white, `|r(b)|^2 / |r|^2 = 1 / n`,
    and all weights grow alike.

    It is no prediction of the first layer: there, real weights turn to the same frequencies, but their
    squares grow to 1.2 to 1.8 times the others' where this says 5 to 17 (astronaut, bandwidths 20 and
    45). Deeper layers align as well, which is in no amplitude. What the stand-in is worth is
    measured by `benchmarks/adam_curves`.

    The amplitudes are those for the end of the budget; the sum of their squares stays.

    Args:
        encoding: Its amplitudes are changed in place.
        task: What is learned.
        budget: Adam's learning rate, steps and batch size.

    Source: Ba et al. 2022 (arXiv:2205.01445), for one large step of the first layer.
    """
    on_lattice = is_lattice(task)
    y = trimmed(task)[task.measurement.lattice] if on_lattice else task.measurement(task.values)
    axes = list(range(y.ndim - 1))
    n, whole = y[..., 0].numel(), float(y.square().mean())
    y = y - y.mean(axes, keepdim=True)
    variance = float(y.square().mean())
    if variance <= _FLAT * whole:
        return
    batch = min(budget.batch_size, n)
    frequencies = encoding.frequencies.double()
    power = _on_lattice(y, frequencies) if on_lattice else _anywhere(task, y, frequencies)
    share = power / (variance * y.shape[-1])
    early, late = min(budget.steps, _STEPS), max(0, budget.steps - _STEPS)
    ratio = batch * share
    walk = early**2 * ratio / (1 + ratio) + budget.steps
    walk += late**2 * batch / (n + batch)
    start = 1 / (3 * encoding.out_dim)
    grown = encoding.amplitudes.double().square() * (1 + budget.lr**2 * walk / start)
    grown *= encoding.energy / grown.sum()
    encoding.amplitudes.copy_(grown.sqrt())


def _on_lattice(y: Float[Tensor, "..."], frequencies: Float[Tensor, "m d"]) -> Float[Tensor, " m"]:
    """`|1/n sum_i y_i exp(-2 pi i b.x_i)|^2` of the whole cycles next to each frequency, summed over outputs."""
    shape, n = y.shape[:-1], y[..., 0].numel()
    cycles = frequencies.round().long()
    at = tuple(cycles[:, k] % size for k, size in enumerate(shape))
    waves = torch.fft.fftn(y, dim=list(range(len(shape))))[at]
    return (waves.abs() / n).square().sum(-1)


def _anywhere(
    task: AbstractSamples, y: Float[Tensor, "n o"], frequencies: Float[Tensor, "m d"]
) -> Float[Tensor, " m"]:
    """The same at any points, as a sum over 32,768 of them at most."""
    every = max(1, len(y) // _SUMMED)
    x, y = task.training()[0][::every], y[::every]
    phase = -2 * pi * (x @ frequencies.T)
    waves = torch.polar(torch.ones_like(phase), phase)
    return (waves.T @ y.to(waves.dtype) / len(y)).abs().square().sum(-1)
