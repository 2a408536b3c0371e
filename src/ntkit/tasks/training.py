"""The real thing: training a coordinate network on a signal with PyTorch."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.trainer import Trainer

__all__ = ["train"]


def train(
    network: nn.Module,
    task: AbstractTask,
    budget: Budget,
    *,
    evaluate_at: Sequence[int] | None = None,
    average: bool = False,
    keep_best: bool = False,
    generator: torch.Generator | None = None,
    on_step: Callable[[int, float], None] | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
) -> list[Evaluation]:
    """Train `network` in place on the training samples of `task`, in float32, where its parameters are.

    At a constant learning rate Adam ends on a step that misses what it hovers about by several dB in a
    good fit. An average over the last steps does not: with `average` the network gets it wherever it fits
    the training samples better than the last step.

    Args:
        network: Coordinates `[n, d]` to outputs `[n, o]`. A leading parameter-free encoding of an
            `nn.Sequential` is computed once.
        task: What to fit.
        budget: Optimiser, learning rate, steps and batch size; the loss is that of the task.
        evaluate_at: Steps after which to evaluate, on all samples at the last step and on some
            16,000 of each kind before; the last step if left out.
        average: Whether to keep a running average of the weights besides: of step `k` with weight
            `(g + 1) / (g + k)`, about the last tenth of the steps (Shamir and Zhang 2013, section 3,
            polynomial decay).
        keep_best: Whether the network gets the weights of that evaluation which fits best what is held out.
        generator: Source of the batches, on the CPU.
        on_step: Called after each step with its number and its batch's loss.
        on_evaluation: Called with each evaluation.

    Returns:
        One `Evaluation` a step of `evaluate_at`.

    A loss that is no longer finite is a `NumericalError`; the network is left as that step found it.

    Example:
        >>> import torch, ntkit
        >>> picture = ntkit.tasks.Image(torch.rand(8, 8))
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(2), 1, width=8, depth=1)
        >>> train(net, picture, ntkit.tasks.Budget(steps=2), evaluate_at=[2])[-1].step
        2
    """
    trainer = Trainer(
        network, task, budget, average=average, keep_best=keep_best, generator=generator
    )
    try:
        trainer.run(evaluate_at=evaluate_at, on_step=on_step, on_evaluation=on_evaluation)
    finally:  # also where it is interrupted: the weights that were judged best go on from there
        trainer.take_better()
    return trainer.evaluations
