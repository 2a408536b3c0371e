"""A network trained for real, to look at while it learns."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.tasks.budget import Budget
from ntkit.tasks.domain import evaluated
from ntkit.tasks.metrics import psnr
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.trainer import Trainer
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkPlan

__all__ = ["Trained", "trained"]


@dataclass(frozen=True)
class Trained:
    """A network after some steps.

    Attributes:
        step: Steps taken.
        field: `[*shape, o]`, what it shows, where this is a step to look at.
        train: PSNR on the training samples there, dB.
        held_out: PSNR on the held-out samples there, dB.
    """

    step: int
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
    looks: int = 4,
) -> Iterator[Trained]:
    """Train a network, and yield after each step: pictures some times on the way, the last at the end.

    A family other than ReLU networks gets as many parameters as the plan's ReLU network, and the multiple of the
    budget's rate that it usually takes. Whoever has seen enough leaves the iterator. A training that diverges is a
    `NumericalError`.

    Args:
        task: Samples of a grid.
        candidate: An encoding in front of a ReLU network, or a family.
        budget: Steps, rate and batches.
        plan: The network.
        looks: How many times its field is shown.

    Raises:
        ValueError: The samples are on no grid.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(0.5 + 0.4 * torch.sin(25 * torch.arange(64.0) / 64))
        >>> plan = NetworkPlan(1, 1, width=16, depth=2)
        >>> *_, last = trained(wave, Candidate("siren", 4.0), budget=Budget(steps=50), plan=plan)
        >>> last.step, last.field.shape
        (50, torch.Size([64, 1]))
    """
    if task.grid is None:
        raise ValueError(
            "`trained(task, ...)` shows fields on a grid, and these samples are on none."
        )
    network = plan.trainable(candidate)
    trainer = Trainer(network, task, plan.budget_of(candidate, budget))
    shown = {
        max(1, round(budget.steps * (i + 1) / looks)) for i in range(positive_int("looks", looks))
    }

    def pause(step: int, loss: float) -> None:
        del step, loss
        raise _Pause

    while trainer.step < budget.steps:
        with suppress(_Pause):
            trainer.run(evaluate_at=(), on_step=pause)
        if trainer.step not in shown:
            yield Trained(trainer.step)
            continue
        field = evaluated(network, task.points()).double().reshape(*task.shape, task.n_outputs)
        fitted, between = task.errors(field)
        yield Trained(trainer.step, field, psnr(fitted), psnr(between))
