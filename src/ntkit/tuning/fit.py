"""One call from a task to a trained network."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from typing import Any, Literal

import torch
from torch import nn

from ntkit._core.chance import seeded
from ntkit._core.checks import positive, positive_int
from ntkit.encodings import AbstractEncoding
from ntkit.networks import mlp
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget, Evaluation, Optimiser, Precision
from ntkit.tasks.domain import Rendered
from ntkit.tasks.timing import steps_within
from ntkit.tasks.trainer import Trainer
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.plan import NetworkFactory, NetworkPlan, check_sigmoid
from ntkit.tuning.result import TuneResult
from ntkit.tuning.run_off import trained_briefly
from ntkit.tuning.tune import tune

__all__ = ["Fit", "fit"]


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained network, and what it was trained on.

    Attributes:
        task: What it was trained on.
        network: Coordinates `[n, d]` in [0, 1) to outputs `[n, o]`.
        budget: How long, and how.
        evaluations: Errors on the way and at the end.
        choice: The recommendation of the kernel, where no encoding was given.

    Example:
        >>> import torch, ntkit
        >>> picture = ntkit.tasks.Image(torch.rand(16, 16, generator=torch.Generator().manual_seed(0)))

        >>> fit = ntkit.fit(picture, encoding=ntkit.encodings.Basic(2), steps=2, width=8, depth=1)
        >>> isinstance(fit, Fit), fit.render(size=(4, 4)).values.shape
        (True, (4, 4, 1))
    """

    task: AbstractTask
    network: nn.Module
    budget: Budget
    evaluations: tuple[Evaluation, ...]
    choice: TuneResult | None = None

    @property
    def train_quality(self) -> float:
        """On what was trained on, by the metric of the task: PSNR in dB, or IoU; NaN before the first evaluation."""
        return self._quality(self.evaluations[-1].train) if self.evaluations else nan

    @property
    def held_out_quality(self) -> float:
        """The same on what was held out; NaN where nothing was."""
        return self._quality(self.evaluations[-1].held_out) if self.evaluations else nan

    def _quality(self, error: float) -> float:
        return self.task.metric.quality(error)

    def scores(self) -> dict[str, float]:
        """What else people ask of such data, by name and unit."""
        return self.task.scores(self.task.shown(self.network), self.network)

    def render(self, **how: Any) -> Rendered:
        """The field at any resolution.

        Args:
            how: `size`, `crop`, and of sounds and films `rate`, as of `render` of the task's class.
        """
        return self.task.render(self.network, self.task.domain, **how)


def fit(
    task: AbstractTask,
    *,
    encoding: AbstractEncoding | None = None,
    network: nn.Module | NetworkFactory | None = None,
    hold_out: float | Literal["usual"] | None = "usual",
    optimiser: Optimiser = "adam",
    lr: float = 1e-3,
    steps: int = 2000,
    seconds: float | None = None,
    batch_size: int = 4096,
    falling: float = 0.0,
    precision: Precision = "float32",
    width: int = 256,
    depth: int = 4,
    n_frequencies: int = 256,
    sigmoid: bool = False,
    device: str | torch.device = "cpu",
    generator: torch.Generator | None = None,
    evaluate_at: Sequence[int] | None = None,
    on_step: Callable[[int, float], bool | None] | None = None,
) -> Fit:
    """Train a coordinate network on a task, by default on all of its samples.

    Args:
        task: What is fitted, of `ntkit.tasks`.
        encoding: Its first layer. If left out, the kernel chooses one for these samples, as `ntkit.tune` does.
        network: What is trained: a module that takes coordinates (its encoding is its own; it is trained in place),
            or a function that makes one on an encoding. If left out, a ReLU network of `width` and `depth`.
        hold_out: Share of the known samples that is not trained on, drawn at random, to judge by; None for what
            the task itself holds out. "usual" is nothing, but for views of a radiance field that were set aside.
        optimiser: "adam" or "sgd".
        lr: Learning rate.
        steps: Number of steps.
        seconds: A time, in place of the steps. What is chosen is chosen for the steps of a Gaussian encoding in it.
        batch_size: Samples a step.
        falling: Share of the steps, the last ones, over which the rate falls evenly to 0. 0.5 does much good to networks
            of sines, as `ntkit.networks.siren`. What is chosen has as much as its family needs, at least.
        precision: "bfloat16" for products of half the length, of networks that begin with Fourier features: about twice as
            fast where the processor has them. Weights, features and errors stay in float32.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Frequencies of an encoding that the kernel chooses.
        sigmoid: Whether a sigmoid stands behind the read-out.
        device: Where to train.
        generator: Source of the weights and batches; a fixed seed if left out.
        evaluate_at: Steps after which to evaluate; the last one if left out.
        on_step: Called after each step with its number and its batch's loss; where it returns True, the
            training ends there.

    Returns:
        The fit; its network stays on the device.

    Raises:
        ValueError: An argument is out of range, or `encoding` or `sigmoid` is given beside a finished network.

    A training that diverges is a `NumericalError`.

    Example:
        >>> from ntkit.tasks import Image
        >>> ramp = torch.linspace(0, 1, 16).expand(16, 16)
        >>> found = fit(Image(ramp), steps=200, width=32, depth=2, n_frequencies=16)
        >>> found.train_quality > 30
        True
        >>> found.render(size=(8, 8)).values.shape
        (8, 8, 1)
    """
    if hold_out == "usual":
        chosen_task = task.to_fit()
    else:
        chosen_task = task if hold_out is None else task.keep_out(hold_out)
    budget = Budget(optimiser, lr, steps, batch_size, falling, precision)
    seconds = None if seconds is None else positive("seconds", seconds)
    seed = 0 if generator is None else int(torch.randint(2**31, (1,), generator=generator))
    width, depth = positive_int("width", width), positive_int("depth", depth)
    choice = None
    if isinstance(network, nn.Module):
        if encoding is not None:
            raise ValueError(
                "`encoding` and a finished `network` are given: which is meant? Put the encoding in front of the "
                "network, or pass a function that makes one on it."
            )
        if sigmoid:
            raise ValueError(
                "`sigmoid=True` is of networks that `fit` makes, and a finished `network` is given. Put an "
                "`nn.Sigmoid()` behind it yourself."
            )
        trained = network
    elif encoding is not None:
        trained = _on(encoding, network, chosen_task, width, depth, seed)
        if sigmoid:
            check_sigmoid(chosen_task)
            layers = trained if isinstance(trained, nn.Sequential) else [trained]
            trained = nn.Sequential(*layers, nn.Sigmoid())
    else:
        if seconds is not None:
            plan = NetworkPlan(
                task.in_dim, task.n_outputs, width, depth, n_frequencies, factory=network
            )
            like = plan.trainable(Candidate("gaussian", 10.0))
            budget = budget.with_steps(steps_within(seconds, like, chosen_task, budget))
        choice = tune(
            chosen_task,
            optimiser=optimiser,
            lr=lr,
            steps=budget.steps,
            batch_size=batch_size,
            sigmoid=sigmoid,
            network=network,
            generator=torch.Generator().manual_seed(seed),
            width=width,
            depth=depth,
            n_frequencies=n_frequencies,
            run_off=partial(trained_briefly, device=device),
        )
        trained = choice.build(choice.choice)
        own = choice.budget_of(choice.choice)
        falling = max(own.falling, budget.falling)
        budget = replace(own, falling=falling, precision=budget.precision)
    trained = trained.to(device)
    if seconds is not None:
        probe = deepcopy(trained)
        within = steps_within(seconds, probe, chosen_task, budget)
        budget = budget.with_steps(within)
    return _trained(chosen_task, trained, budget, choice, seed, evaluate_at, on_step)


def _on(
    encoding: AbstractEncoding,
    factory: NetworkFactory | None,
    task: AbstractTask,
    width: int,
    depth: int,
    seed: int,
) -> nn.Module:
    """A network on an encoding, its weights drawn with a seed."""
    if factory is None:
        draw = torch.Generator().manual_seed(seed)
        return mlp(encoding, task.n_outputs, width=width, depth=depth, generator=draw)
    with seeded(seed):
        return factory(encoding)


def _trained(
    task: AbstractTask,
    network: nn.Module,
    budget: Budget,
    choice: TuneResult | None,
    seed: int,
    evaluate_at: Sequence[int] | None,
    on_step: Callable[[int, float], bool | None] | None,
) -> Fit:
    trainer = Trainer(
        network,
        task,
        budget,
        average=budget.averages,
        generator=torch.Generator().manual_seed(seed),
    )

    def told(step: int, loss: float) -> None:
        if on_step is not None and on_step(step, loss):
            raise _Enough

    stops = None if evaluate_at is None else sorted({*evaluate_at, budget.steps})
    try:
        trainer.run(evaluate_at=stops, on_step=told)
    except _Enough:
        trainer.judge()
    finally:
        trainer.take_better()
    return Fit(task, network, budget, tuple(trainer.evaluations), choice)


class _Enough(Exception):
    """`on_step` said so."""
