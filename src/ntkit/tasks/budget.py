"""How long, and how, a network is trained; and what a training reached."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, isinf
from typing import Literal, get_args

import torch
from torch import nn

from ntkit._core.checks import number, positive, positive_int, replace_fields

__all__ = ["Budget", "Evaluation", "Optimiser", "Precision"]

Optimiser = Literal["adam", "sgd"]
Precision = Literal["float32", "bfloat16"]

_TORCH: dict[Optimiser, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "sgd": torch.optim.SGD,
}
_AVERAGED: tuple[Optimiser, ...] = ("adam",)


@dataclass(frozen=True)
class Budget:
    """How long, and how, a network is trained.

    Attributes:
        optimiser: "adam" or "sgd" (no momentum).
        lr: Learning rate.
        steps: Number of steps.
        batch_size: Samples a step, drawn anew each time; all of them if there are fewer.
        falling: Share of the steps, the last ones, over which the rate falls evenly to 0; none if it is 0.
        precision: "bfloat16" multiplies matrices in it, with weights, features and errors kept in float32: about twice
            as fast where the processor has such products.

    Example:
        >>> str(Budget("adam", 1e-3, 2000))
        'adam, lr 0.001, 2,000 steps of 4,096 samples'
        >>> [Budget(lr=1.0, steps=4, falling=0.5).rate(step) for step in range(4)]
        [1.0, 1.0, 1.0, 0.5]
    """

    optimiser: Optimiser = "adam"
    lr: float = 1e-3
    steps: int = 2000
    batch_size: int = 4096
    falling: float = 0.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if self.optimiser not in _TORCH:
            raise ValueError(f'`optimiser={self.optimiser!r}` must be "adam" or "sgd".')
        replace_fields(
            self,
            lr=positive("lr", self.lr),
            steps=positive_int("steps", self.steps),
            batch_size=positive_int("batch_size", self.batch_size),
            falling=number("falling", self.falling),
        )
        if not 0 <= self.falling <= 1:
            raise ValueError(
                f"`falling={self.falling!r}` must be a share of the steps, from 0 to 1."
            )
        if self.precision not in get_args(Precision):
            raise ValueError(f'`precision={self.precision!r}` must be "float32" or "bfloat16".')

    def with_steps(self, steps: int) -> "Budget":
        """The same, of so many steps."""
        return replace(self, steps=steps)

    def rate(self, done: int) -> float:
        """Of the step that follows so many."""
        left, fall = self.steps - done, self.falling * self.steps
        return self.lr * min(1.0, left / fall) if fall else self.lr

    def torch_optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimiser that takes the steps."""
        return _TORCH[self.optimiser](list(parameters), lr=self.lr)

    @property
    def averages(self) -> bool:
        """Whether it ends hovering about a better place: then an average of the weights is kept as well."""
        return self.optimiser in _AVERAGED

    def __str__(self) -> str:
        steps = "1 step" if self.steps == 1 else f"{self.steps:,} steps"
        samples = "1 sample" if self.batch_size == 1 else f"{self.batch_size:,} samples"
        fall = f", the rate falling to 0 over the last {self.falling:.0%}" if self.falling else ""
        half = f", {self.precision}" if self.precision != "float32" else ""
        return f"{self.optimiser}, lr {self.lr:g}, {steps} of {samples}{fall}{half}"


@dataclass(frozen=True)
class Evaluation:
    """Errors of a network at a step.

    Attributes:
        step: Steps taken.
        train: Error on what is trained on, by the metric of the task: the mean square error, or one less the IoU.
        held_out: The same on what is held out; NaN if nothing is.
        averaged: Whether they are those of the averaged weights.

    Example:
        >>> import torch, ntkit
        >>> picture, g = ntkit.tasks.Image(torch.linspace(0, 1, 64).reshape(8, 8)), torch.Generator().manual_seed(0)
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(2), 1, width=8, depth=1, generator=g)
        >>> first, last = ntkit.tasks.train(net, picture, Budget(steps=100), evaluate_at=[1, 100])
        >>> first.step, last.step, last.held_out < first.held_out
        (1, 100, True)
    """

    step: int
    train: float
    held_out: float
    averaged: bool = False

    @property
    def is_finite(self) -> bool:
        """Whether the errors are numbers: False for a training that diverged."""
        return isfinite(self.train) and not isinf(self.held_out)
