"""The kernels of finite networks with fresh weights, averaged: what the limit is a limit of."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import grad, vmap

from ntkit._core.running import StandIn
from ntkit.kernels.infinite.variances import Variances, mean_square

__all__ = ["Estimate", "estimate"]

_KEPT = (
    *(nn.LayerNorm, nn.RMSNorm, nn.GroupNorm),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    nn.PReLU,
)
"""Layers whose parameters are not drawn."""


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
    draw = _draws(copy, variances)
    sample = _tangent if which == "ntk" else _covariance
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


def _draws(module: nn.Module, variances: Variances) -> Callable[[], None]:
    """A function that draws a module's weights in place, with the variances that the rules take.

    Layers of `ntkit.networks` draw unit Gaussians. Others draw with the mean square of their entries
    ("measured"), or as their own `reset_parameters` does ("default"). Normalisation layers keep
    their scales and shifts.
    """
    gaussian: list[tuple[Tensor, float]] = []
    resets: list[Callable[[], None]] = []
    for layer in module.modules():
        own = [p.detach() for p in layer.parameters(recurse=False)]
        if not own or isinstance(layer, _KEPT):
            continue
        if type(layer).__module__.startswith("ntkit.networks."):
            gaussian += [(part, 1.0) for part in own]
        elif variances == "measured":
            blocks = [part for parameter in own for part in _blocks(layer, parameter)]
            gaussian += [(part, mean_square(part) ** 0.5) for part in blocks]
        else:
            resets.append(_reset_of(layer))

    def draw() -> None:
        for part, deviation in gaussian:
            part.normal_().mul_(deviation)
        for reset in reversed(resets):  # attention has the last word on its output layer's bias
            reset()

    return draw


def _blocks(layer: nn.Module, parameter: Tensor) -> tuple[Tensor, ...]:
    """The parts of a parameter that have variances of their own: queries, keys and values."""
    stacked = isinstance(layer, nn.MultiheadAttention) and len(parameter) == 3 * layer.embed_dim
    return parameter.chunk(3) if stacked else (parameter,)


def _reset_of(layer: nn.Module) -> Callable[[], None]:
    reset = getattr(layer, "reset_parameters", None) or getattr(layer, "_reset_parameters", None)
    if reset is None:
        raise ValueError(
            f"`{layer}` has no `reset_parameters`, so no default draw is known. "
            'Use `variances="measured"`.'
        )
    return reset


def _tangent(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """`J J^T` averaged over the outputs; slopes of PReLU count as constants, as in its rule."""
    constants = {id(p) for m in module.modules() if isinstance(m, nn.PReLU) for p in m.parameters()}
    parameters = {k: p.detach() for k, p in module.named_parameters() if id(p) not in constants}
    with torch.no_grad():
        size = module(*(x[:1] for x in inputs)).numel()

    run = StandIn(module)

    def output(values: dict[str, Tensor], index: int, *point: Tensor) -> Tensor:
        alone = tuple(x[None] for x in point)
        return run(values, alone, {}).flatten()[index]

    total = inputs[0].new_zeros(())
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
