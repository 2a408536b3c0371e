"""A network trained for real, to look at while it learns; from several seeds, as what it reaches depends on them."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive_int
from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.trainer import Trainer
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkPlan

__all__ = ["Trained", "trained"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A network after some steps.

    Attributes:
        step: Steps taken.
        network: With the weights of now; at the end, of the better of the last and the averaged ones.
        seed: Of frequencies, weights and batches, beside that of the plan.
        field: `[*shape, o]`, what it said when it was looked at last; None before.
        train: PSNR of that on the training samples, dB.
        held_out: PSNR of that on the held-out samples, dB.

    Example:
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
        >>> plan = NetworkPlan(1, 1, width=16, depth=2)
        >>> course = trained(wave, Candidate("siren", 4.0), budget=Budget(steps=20), plan=plan, seed=1)
        >>> first, *_, last = [one for one in course if one.field is not None]
        >>> last.step, last.train > first.train  # dB
        (20, True)
    """

    step: int
    network: nn.Module
    seed: int = 0
    field: Float[Tensor, "..."] | None = None
    train: float | None = None
    held_out: float | None = None


class _Pause(Exception):
    """Ends a run at a step, from where it goes on."""


def trained(
    task: AbstractSamples,
    candidate: Candidate,
    *,
    budget: Budget,
    plan: NetworkPlan,
    seed: int = 0,
    looks: int = 4,
) -> Iterator[Trained]:
    """Train a network as `ntkit.fit` does, and yield after each step; it is looked at some times on the way, and at the end.

    A family other than ReLU networks gets as many parameters as the plan's ReLU network, and the multiple of the
    budget's rate that it usually takes. Whoever has seen enough leaves the iterator. A training that diverges is a
    `NumericalError`.

    Args:
        task: Samples of a grid.
        candidate: An encoding in front of a ReLU network, or a family.
        budget: Steps, rate and batches; averaged weights are kept where it says so.
        plan: The network. Seed 0 is its own.
        seed: What is added to the seed of the plan.
        looks: How many times its field is shown.

    Raises:
        ValueError: The samples are on no grid.

    Example:
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
        >>> plan = NetworkPlan(1, 1, width=16, depth=2)
        >>> *_, last = trained(wave, Candidate("siren", 4.0), budget=Budget(steps=50), plan=plan, seed=1)
        >>> last.step, last.field.shape
        (50, torch.Size([64, 1]))
    """
    if task.grid is None:
        raise ValueError(
            "`trained(task, ...)` shows fields on a grid, and these samples are on none."
        )
    own = replace(plan, seed=plan.seed + seed)
    network, whole = own.trainable(candidate), own.budget_of(candidate, budget)
    draw = torch.Generator().manual_seed(own.seed)
    trainer = Trainer(network, task, whole, average=whole.averages, generator=draw)
    shown = {
        max(1, round(budget.steps * (i + 1) / looks)) for i in range(positive_int("looks", looks))
    }

    def pause(step: int, loss: float) -> None:
        del step, loss
        raise _Pause

    known = Trained(0, network, seed)
    while trainer.step < budget.steps:
        with suppress(_Pause):
            trainer.run(evaluate_at=(), on_step=pause)
        known = replace(known, step=trainer.step)
        if trainer.step in shown:
            if trainer.step == budget.steps:
                trainer.take_better()
            field = task.shown(network)
            fitted, between = task.errors(field)
            known = replace(known, field=field, train=psnr(fitted), held_out=psnr(between))
        yield known
