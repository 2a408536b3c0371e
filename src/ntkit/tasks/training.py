"""The real thing: training a coordinate network on a signal with PyTorch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ntkit._core.checks import positive, positive_int, replace_fields
from ntkit._core.devices import device_of
from ntkit.tasks.signals import Signal

__all__ = ["Budget", "Checkpoint", "Optimiser", "decayed_average", "evaluate", "train"]

Optimiser = Literal["adam", "sgd"]

_EVALUATION_ROWS = 8192
_ENCODED_ROWS = 2**19  # a gigabyte of 512 features
_DECAY = 20  # `g` of the averaged weights
_JUDGED_ROWS = 2**14  # of each kind, at checkpoints before the last


@dataclass(frozen=True)
class Budget:
    """How long, and how, a network is trained on the mean squared error.

    Attributes:
        optimiser: "adam" or "sgd" (no momentum).
        lr: Learning rate.
        steps: Number of steps.
        batch_size: Samples a step, drawn anew each time; all of them if there are fewer.

    Example:
        >>> str(Budget("adam", 1e-3, 2000))
        'adam, lr 0.001, 2,000 steps of 4,096 samples'
    """

    optimiser: Optimiser = "adam"
    lr: float = 1e-3
    steps: int = 2000
    batch_size: int = 4096

    def __post_init__(self) -> None:
        if self.optimiser not in {"adam", "sgd"}:
            raise ValueError(f'`optimiser={self.optimiser!r}` must be "adam" or "sgd".')
        replace_fields(
            self,
            lr=positive("lr", self.lr),
            steps=positive_int("steps", self.steps),
            batch_size=positive_int("batch_size", self.batch_size),
        )

    def __str__(self) -> str:
        return (
            f"{self.optimiser}, lr {self.lr:g}, {self.steps:,} steps of {self.batch_size:,} samples"
        )


@dataclass(frozen=True)
class Checkpoint:
    """Errors of a network at a step.

    Attributes:
        step: Steps taken.
        train: Mean square error on the training samples.
        held_out: Mean square error on the held-out samples.
        averaged: Whether they are those of the averaged weights.
    """

    step: int
    train: float
    held_out: float
    averaged: bool = False


def train(
    network: nn.Module,
    signal: Signal,
    budget: Budget,
    *,
    checkpoints: Sequence[int] | None = None,
    average: bool = False,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, float], None] | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
) -> list[Checkpoint]:
    """Train `network` in place on every other sample of `signal`, in float32, where its parameters are.

    At a constant learning rate Adam ends on a step that misses what it hovers about by several dB in a
    good fit. An average over the last steps does not: with `average` the network gets it wherever it fits
    the training samples better than the last step.

    Args:
        network: Coordinates `[n, d]` to outputs `[n, o]`. A leading parameter-free encoding of an
            `nn.Sequential` is computed once.
        signal: What to fit.
        budget: Optimiser, learning rate, steps and batch size; the loss is the mean square error.
        checkpoints: Steps after which to evaluate, on all samples at the last step and on some
            16,000 of each kind before; the last step if left out.
        average: Whether to keep a running average of the weights besides: of step `k` with weight
            `(g + 1) / (g + k)`, about the last tenth of the steps (Shamir and Zhang 2013, section 3,
            polynomial decay).
        generator: Source of the batches, on the CPU.
        on_step: Called after each step with its number and its batch's loss.
        on_checkpoint: Called with each evaluation.

    Returns:
        One `Checkpoint` an evaluation.
    """
    encoding, body = _split(network)
    mask = signal.held_out().flatten()
    device = device_of(network)
    points = signal.grid.points().float().to(device=device)
    targets = signal.values.reshape(len(points), -1).float().to(device=device)
    mask = mask.to(device=device)
    x, y = points[~mask], targets[~mask]
    n = len(y)
    if budget.steps * min(budget.batch_size, n) > n and n <= _ENCODED_ROWS:  # else batch by batch
        with torch.no_grad():
            x = encoding(x)
        encoding_left: nn.Module = nn.Identity()
    else:
        encoding_left = encoding
    optimiser = _optimiser(body, budget)
    mean = AveragedModel(body, avg_fn=decayed_average) if average else None
    best: nn.Module = body
    done: list[Checkpoint] = []
    stops = {budget.steps} if checkpoints is None else set(checkpoints)
    try:
        for step in range(1, budget.steps + 1):
            if n > budget.batch_size:
                batch = torch.randint(n, (budget.batch_size,), generator=generator).to(x.device)
                inputs, outputs = x.index_select(0, batch), y.index_select(0, batch)
            else:
                inputs, outputs = x, y
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(body(encoding_left(inputs)), outputs)
            loss.backward()
            optimiser.step()
            if mean is not None:
                mean.update_parameters(body)
            if on_step:
                on_step(step, float(loss.detach()))
            if step in stops:
                few = 1 if step == budget.steps else max(1, n // _JUDGED_ROWS)
                best, error = _better(body, mean, x[::few], y[::few], encoding_left)
                held_out = evaluate(best, points[mask][::few], targets[mask][::few], encoding)
                done.append(Checkpoint(step, error, held_out, averaged=best is not body))
                if on_checkpoint:
                    on_checkpoint(done[-1])
        if mean is not None and budget.steps not in stops:
            best, _ = _better(body, mean, x, y, encoding_left)
    finally:  # also where it is interrupted: the weights that were judged best go on from there
        if best is not body:
            with torch.no_grad():
                for own, averaged in zip(body.parameters(), best.parameters(), strict=True):
                    own.copy_(averaged)
    return done


def decayed_average(averaged: Tensor, weight: Tensor, steps: Tensor | int) -> Tensor:
    """An average of so many steps with one more: the `avg_fn` of `train(..., average=True)`."""
    return averaged.lerp(weight, average_share(int(steps)))


def average_share(steps: int) -> float:
    """What the next step counts in an average of so many."""
    return (_DECAY + 1) / (_DECAY + 1 + steps)


def _better(
    body: nn.Module, mean: AveragedModel | None, x: Tensor, y: Tensor, encoding: nn.Module
) -> tuple[nn.Module, float]:
    """Of the weights and their average those that fit better, and their error."""
    error = evaluate(body, x, y, encoding)
    if mean is not None:
        averaged = evaluate(mean.module, x, y, encoding)
        if averaged < error:
            return mean.module, averaged
    return body, error


def evaluate(network: nn.Module, inputs: Tensor, targets: Tensor, encoding: nn.Module) -> float:
    """Mean square error of `network` (on encoded inputs), a few thousand rows at a time."""
    total = 0.0
    with torch.no_grad():
        for x, y in zip(
            inputs.split(_EVALUATION_ROWS), targets.split(_EVALUATION_ROWS), strict=True
        ):
            output = network(encoding(x))
            total += float(((output - y) ** 2).sum(dtype=torch.float64))
    return total / targets.numel()


def _split(network: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A leading module without parameters, and the rest; `network` itself if there is none."""
    if type(network) is nn.Sequential and len(network) > 1:
        first = network[0]
        if not any(True for _ in first.parameters()):
            return first, network[1:]
    return nn.Identity(), network


def _optimiser(body: nn.Module, budget: Budget) -> torch.optim.Optimizer:
    parameters = [p for p in body.parameters() if p.requires_grad]
    if budget.optimiser == "adam":
        return torch.optim.Adam(parameters, lr=budget.lr, fused=True)
    return torch.optim.SGD(parameters, lr=budget.lr)
