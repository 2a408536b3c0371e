"""One network from several seeds: what a training reaches depends on them, and where."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive_int
from ntkit.tasks.budget import Budget, Evaluation
from ntkit.tasks.samples import AbstractSamples
from ntkit.tasks.trainer import Trainer
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkPlan

__all__ = ["Seedling", "train_seed"]


@dataclass(frozen=True, eq=False)
class Seedling:
    """A training from one seed, as far as it has come.

    Attributes:
        seed: Of frequencies, weights and batches, beside that of the plan.
        step: Steps taken.
        evaluation: Errors when it was looked at last; None before.
        field: `[*shape, o]`, what the network said then.
        network: With the weights of now; of the better of last and averaged ones at the end.
    """

    seed: int
    step: int
    evaluation: Evaluation | None
    field: Float[Tensor, "..."] | None
    network: nn.Module


def train_seed(
    task: AbstractSamples,
    candidate: Candidate,
    *,
    budget: Budget,
    plan: NetworkPlan,
    seed: int,
    tell: Callable[[Seedling], None],
    looks: int = 4,
) -> Seedling:
    """Train the network of a plan from another seed, and look at it on the way.

    Args:
        task: What is fitted.
        candidate: Its encoding.
        budget: The training, of which averaged weights are kept, as `ntkit.fit` does.
        plan: The network. Seed 0 is its own.
        seed: What is added to the seed of the plan.
        tell: Is told after each step. What it raises ends the training.
        looks: How often to evaluate it, the end included.

    Returns:
        What `tell` was told last.

    Where training diverges, a `NumericalError`.

    Example:
        >>> from ntkit.tasks import Signal
        >>> wave = Signal(torch.sin(torch.arange(64.0) / 5) / 2)
        >>> plan, heard = NetworkPlan(1, 1, width=16, depth=1, n_frequencies=8), []
        >>> asked = dict(budget=Budget(steps=20), plan=plan, tell=heard.append, looks=2)
        >>> last = train_seed(wave, Candidate("gaussian", 2.0), seed=1, **asked)
        >>> last.step, len({id(s.field) for s in heard if s.field is not None}), last.field.shape
        (20, 2, torch.Size([64, 1]))
    """
    looks = positive_int("looks", looks)
    own = replace(plan, seed=plan.seed + seed)
    network = own.trainable(candidate)
    draw = torch.Generator().manual_seed(own.seed)
    trainer = Trainer(network, task, budget, average=budget.averages, generator=draw)
    known = Seedling(seed, 0, None, None, network)
    stops = {max(1, round(budget.steps * (k + 1) / looks)) for k in range(looks)}

    def looked(evaluation: Evaluation) -> None:
        nonlocal known
        if evaluation.step == budget.steps:
            trainer.take_better()
        known = replace(
            known, step=evaluation.step, evaluation=evaluation, field=task.shown(network)
        )
        tell(known)

    def stepped(step: int, loss: float) -> None:
        nonlocal known
        del loss
        known = replace(known, step=step)
        if step not in stops:
            tell(known)

    trainer.run(evaluate_at=sorted(stops), on_step=stepped, on_evaluation=looked)
    return known
