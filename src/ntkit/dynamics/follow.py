"""A network in training and its prediction, step by step: for whoever watches while it runs."""

from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive_int
from ntkit.dynamics.lazy_history import LazyRow
from ntkit.dynamics.lazy_probe import LazyProbe, log_steps
from ntkit.dynamics.training import AbstractTraining, OptimiserFactory
from ntkit.grids import Grid

__all__ = ["Followed", "Seen", "descended", "follow", "inputs_of", "outputs_of", "stepper_of"]

_PROBED = 48
"""Training points on which the kernel's drift is measured, spread over all."""


@dataclass(frozen=True)
class Seen:
    """Both functions at one step.

    Attributes:
        predicted: `[m, o]`, at the points looked at.
        trained: `[m, o]`, of the network.
        distance: Between the two, relative to how far the prediction has moved: `|f - p| / |p - p_0|`; NaN at step 0.
        lazy: How far weights and tangent kernel have moved.

    Example:
        >>> import ntkit, torch
        >>> line = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(line.weight)
        >>> rule = ntkit.GradientDescent(ntkit.kernels.Linear(), torch.ones(1, 1), torch.tensor([2.0]), lr=0.5)
        >>> *_, last = follow(line, rule, steps=2, points=torch.ones(1, 1))
        >>> last.seen.predicted.item(), last.seen.trained.item(), last.seen.distance  # a line is its own linearisation
        (1.5, 1.5, 0.0)
    """

    predicted: Float[Tensor, "m o"]
    trained: Float[Tensor, "m o"]
    distance: float
    lazy: LazyRow


@dataclass(frozen=True)
class Followed:
    """One step.

    Attributes:
        step: Steps taken.
        predicted_loss: `1/2 * sum w (f - y)^2` of the prediction on the training points.
        trained_loss: That of the network.
        seen: More of it, where this is a step to look at.

    Example:
        >>> import ntkit, torch
        >>> line = torch.nn.Linear(1, 1, bias=False)
        >>> _ = torch.nn.init.zeros_(line.weight)
        >>> rule = ntkit.GradientDescent(ntkit.kernels.Linear(), torch.ones(1, 1), torch.tensor([2.0]), lr=0.5)
        >>> steps = follow(line, rule, steps=2, points=torch.ones(1, 1))
        >>> [(one.predicted_loss, one.trained_loss) for one in steps]  # each step halves the error, from 2 on
        [(2.0, 2.0), (0.5, 0.5), (0.125, 0.125)]
    """

    step: int
    predicted_loss: float
    trained_loss: float
    seen: Seen | None


def follow(
    module: nn.Module,
    training: AbstractTraining,
    optimiser: OptimiserFactory | None = None,
    *,
    steps: int,
    points: Grid | Tensor,
    looked: Collection[int] | None = None,
) -> Iterator[Followed]:
    """Train a copy of `module` on the data of `training`, and yield after each step what both have come to.

    Where the rule has no `f0` it predicts a function that starts at zero, and the network's own start is taken off
    it: `f - f_0` is trained on the targets and shown. Its tangent kernel is that of the network. Whoever has seen
    enough leaves the iterator.

    Args:
        module: The network; left as it is.
        training: The prediction: `GradientDescent`, `Momentum`, ...
        optimiser: As for `ntkit.compare`.
        steps: Steps to train.
        points: Where the functions are looked at.
        looked: Steps to look at; ten in each factor of ten if left out.

    Yields:
        Steps 0 to `steps`.

    A rule without steps of its own is refused where the optimiser is left out, and so is a network whose outputs are
    not as many as the targets. All losses are predicted at the first step: about a millisecond each.

    Source: Lee et al. 2019 (arXiv:1902.06720), section 3.2.

    Example:
        >>> import ntkit
        >>> g = torch.Generator().manual_seed(0)
        >>> net = ntkit.networks.mlp(
        ...     ntkit.encodings.Basic(1), 1, width=512, depth=2, parametrisation="ntk", generator=g
        ... )
        >>> grid = ntkit.Grid(16)
        >>> y = torch.sin(6 * grid.points()[:, 0])
        >>> rule = ntkit.GradientDescent(ntkit.ntk(net), grid, y, lr=0.02)
        >>> *_, last = follow(net, rule, steps=50, points=grid)
        >>> last.step, bool(last.seen.distance < 0.1)
        (50, True)
    """
    make = stepper_of("follow", training, optimiser)
    steps = positive_int("steps", steps)
    at = set(log_steps(steps) if looked is None else looked)
    network = deepcopy(module)
    like = next(p for p in network.parameters() if p.requires_grad)
    x, shown = inputs_of(training.points, like), inputs_of(points, like)
    n_outputs = training.targets.reshape(len(x), -1).shape[1]
    with torch.no_grad():
        starts = training.has_start
        shift = None if starts else outputs_of(network, x, n_outputs)
        f0 = torch.zeros(()) if starts else outputs_of(network, shown, n_outputs)
    stepper = make([p for p in network.parameters() if p.requires_grad])
    lr = float(stepper.param_groups[0]["lr"])
    moments = [training.moment(step, lr) for step in range(steps + 1)]
    losses = training.loss(moments).tolist()
    order = sorted(step for step in at if step <= steps)
    predictions = training.predict(points, [moments[step] for step in order])
    predicted = dict(
        zip(order, predictions.double().reshape(len(order), len(shown), -1), strict=True)
    )
    first = training.predict(points, [moments[0]]).double().reshape(len(shown), -1)
    probe = LazyProbe(network, x[:: max(1, len(x) // _PROBED)])

    for step, loss in descended(network, training, stepper, steps=steps, shift=shift):
        seen = None
        if step in predicted:
            with torch.no_grad():
                trained = outputs_of(network, shown, n_outputs).double() - f0.double()
            moved = float((predicted[step] - first).norm())
            apart = float((trained - predicted[step]).norm())
            probe.record(step, loss=loss)
            row = probe.history.table[-1]
            seen = Seen(predicted[step], trained, apart / moved if moved else torch.nan, row)
        yield Followed(step, losses[step], loss, seen)


def descended(
    network: nn.Module,
    training: AbstractTraining,
    stepper: torch.optim.Optimizer,
    *,
    steps: int,
    shift: Float[Tensor, "n o"] | None = None,
) -> Iterator[tuple[int, float]]:
    """Train a network in place on the data of a rule; yields the step and the loss, before the next is taken.

    Args:
        network: What is trained.
        training: Whose points, targets, weights and ridge.
        stepper: The optimiser, of the network's parameters.
        steps: Steps to take.
        shift: What the targets are raised by.

    Yields:
        Steps from 0 to `steps`, and `1/2 * sum w (f - y)^2`.
    """
    parameters = [p for p in network.parameters() if p.requires_grad]
    start = [p.detach().clone() for p in parameters] if training.ridge else []
    x = inputs_of(training.points, parameters[0])
    weights = training.sample_weights.to(parameters[0])[:, None]
    y = training.targets.to(parameters[0]).reshape(len(x), -1)
    y = y if shift is None else y + shift
    for step in range(steps + 1):
        stepper.zero_grad()
        with torch.set_grad_enabled(step < steps):
            loss = 0.5 * (weights * (outputs_of(network, x, y.shape[1]) - y) ** 2).sum()
        yield step, float(loss.detach())
        if step == steps:
            return
        loss.backward()
        for p, p0 in zip(parameters, start, strict=False):
            if p.grad is not None:
                p.grad.add_(p.detach() - p0, alpha=training.ridge)
        stepper.step()


def stepper_of(
    caller: str, training: AbstractTraining, optimiser: OptimiserFactory | None
) -> OptimiserFactory:
    """The optimiser that is asked for, or that of the rule.

    Raises:
        ValueError: There is neither.
    """
    make = optimiser or training.optimiser()
    if make is None:
        raise ValueError(
            f"`{caller}(optimiser=...)`: a flow has no steps of its own. Pass one, for example "
            "`lambda p: torch.optim.SGD(p, lr=0.01)` with a learning rate small enough."
        )
    return make


def inputs_of(points: Grid | Tensor, like: Tensor) -> Tensor:
    """Points where the network computes, in its precision unless they are whole numbers."""
    x = points.points() if isinstance(points, Grid) else points
    return x.to(like) if x.is_floating_point() else x.to(like.device)


def outputs_of(network: nn.Module, x: Tensor, n_outputs: int) -> Float[Tensor, "n o"]:
    """What the network gives, one row a point.

    Raises:
        ValueError: It has not as many outputs as the targets.
    """
    found = network(x)
    if found.numel() != len(x) * n_outputs or len(found) != len(x):
        raise ValueError(
            f"`module(points)` has shape {tuple(found.shape)}, and the targets have {len(x)} points of "
            f"{n_outputs} outputs. Give both as many."
        )
    return found.reshape(len(x), n_outputs)
