"""The kernels of finite networks with fresh weights, averaged: what the limit is a limit of."""

import warnings
from copy import deepcopy
from functools import partial
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, vmap

from ntkit._core.running import StandIn
from ntkit.kernels.infinite.evidence.redraw import draws
from ntkit.kernels.infinite.variances import Variances

__all__ = ["Estimate", "estimate"]


class Estimate(NamedTuple):
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
) -> Estimate:
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
    sample = partial(_tangent, trained) if which == "ntk" else _covariance
    mean = square = points[0].new_zeros(())
    device = points[0].device
    place = torch.device("cpu") if generator is None else generator.device
    seed = int(torch.randint(2**62, (), generator=generator, device=place))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        for k in range(n_samples):
            draw()
            kernel = sample(copy, points)
            step = kernel - mean
            mean = mean + step / (k + 1)
            square = square + step * (kernel - mean)
    error = (square / (n_samples * (n_samples - 1))).sqrt()
    return Estimate(mean.to(inputs[0].dtype), error.to(inputs[0].dtype))


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


@torch.no_grad()
def _covariance(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    values = module(*inputs).flatten(1)
    return values @ values.T / values.shape[1]
