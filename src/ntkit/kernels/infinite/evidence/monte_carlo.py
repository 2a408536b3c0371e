"""The kernels of finite networks with fresh weights, averaged: what the limit is a limit of."""

import warnings
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, vmap

from ntkit._core.chance import seeded
from ntkit._core.running import StandIn
from ntkit.kernels.infinite.evidence.redraw import draws
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["MonteCarloEstimate", "estimate"]


class MonteCarloEstimate(NamedTuple):
    """A mean over random networks.

    Attributes:
        mean: `[n, n]`.
        standard_error: Of the mean, entry by entry, `[n, n]`.
    """

    mean: Float[Tensor, "n n"]
    standard_error: Float[Tensor, "n n"]


def estimate(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    n_samples: int,
    *,
    which: Literal["ntk", "nngp"],
    variances: Variances,
    generator: torch.Generator | None,
) -> MonteCarloEstimate:
    """The mean kernel of `n_samples` fresh copies of a module in float64, by Welford's recurrence.

    One seed comes from the generator, and all that is random after it (weights, resets, masks of
    dropout) from a state of its own: torch's default one is put back.

    Raises:
        ValueError: `n_samples` is below 2.
    """
    if n_samples < 2:
        raise ValueError(f"`n_samples` must be at least 2 for a standard error, got {n_samples}.")
    copy = deepcopy(module).double().requires_grad_(False)
    points = tuple(x.detach().double() for x in inputs)
    draw = draws(copy, variances)
    trained = {name for name, p in module.named_parameters() if p.requires_grad}
    mean = square = points[0].new_zeros(())
    place = torch.device("cpu") if generator is None else generator.device
    seed = int(torch.randint(2**62, (), generator=generator, device=place))
    with seeded(seed):
        kernels = partial(_tangents, trained) if which == "ntk" else _covariances
        for k, kernel in enumerate(kernels(copy, points, draw, n_samples)):
            step = kernel - mean
            mean = mean + step / (k + 1)
            square = square + step * (kernel - mean)
    error = (square / (n_samples * (n_samples - 1))).sqrt()
    return MonteCarloEstimate(mean.to(inputs[0].dtype), error.to(inputs[0].dtype))


def _tangent(trained: set[str], module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """`J J^T` of the trained parameters, averaged over the outputs."""
    parameters = {k: p.detach() for k, p in module.named_parameters() if k in trained}
    with torch.no_grad():
        size = module(*(x[:1] for x in inputs)).numel()

    run = StandIn(module)

    def output(values: dict[str, Tensor], index: int, *point: Tensor) -> Tensor:
        alone = tuple(x[None] for x in point)
        return run(values, alone, {}).flatten()[index]

    total = inputs[0].new_zeros(len(inputs[0]), len(inputs[0]))
    axes = (None, None, *(0,) * len(inputs))
    for index in range(size):
        with warnings.catch_warnings():  # attention goes point by point, which is all the same
            warnings.filterwarnings("ignore", message="There is a performance drop")
            rows = vmap(grad(output), axes, randomness="different")(parameters, index, *inputs)
        for block in rows.values():
            flat = block.flatten(1)
            total = total + flat @ flat.T
    return total / size


def _tangents(
    trained: set[str],
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    draw: Callable[[], None],
    count: int,
) -> Iterator[Tensor]:
    """A tangent kernel a draw."""
    for _ in range(count):
        draw()
        yield _tangent(trained, module, inputs)


@torch.no_grad()
def _covariances(
    module: nn.Module, inputs: tuple[Tensor, ...], draw: Callable[[], None], count: int
) -> list[Tensor]:
    """A product of outputs a draw, less the mean over the draws, so that their mean has no bias."""
    found = []
    for _ in range(count):
        draw()
        found.append(module(*inputs).reshape(len(inputs[0]), -1))
    values = torch.stack(found)
    values = (values - values.mean(0)) * (count / (count - 1)) ** 0.5
    return [v @ v.T / v.shape[1] for v in values]
