"""The kernels of finite networks with fresh weights, averaged: what the limit is a limit of."""

from collections.abc import Callable
from copy import deepcopy
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ntkit.kernels.infinite.variances import Variances, mean_square

__all__ = ["Estimate", "estimate"]

_KEPT = (nn.LayerNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.PReLU)
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
    """The mean kernel of `n_samples` fresh copies of a module, by Welford's recurrence.

    Raises:
        ValueError: `n_samples` is below 2, or a layer cannot be drawn.
    """
    if n_samples < 2:
        raise ValueError(f"`n_samples` must be at least 2 for a standard error, got {n_samples}.")
    copy = deepcopy(module).to(inputs[0].dtype)
    draws = _Draws(copy, variances)
    mean = square = torch.zeros((), dtype=torch.float64)
    for k in range(n_samples):
        draws.draw(generator)
        kernel = _tangent(copy, inputs) if which == "ntk" else _covariance(copy, inputs)
        step = kernel.double() - mean
        mean = mean + step / (k + 1)
        square = square + step * (kernel.double() - mean)
    error = (square / (n_samples * (n_samples - 1))).sqrt()
    return Estimate(mean.to(inputs[0].dtype), error.to(inputs[0].dtype))


class _Draws:
    """How a module's weights are drawn, with the variances that the infinite-width rules take.

    Layers of `ntkit.networks` draw unit Gaussians. Others draw with the mean square of their entries
    ("measured"), or as their own `reset_parameters` does ("default"). Normalisation layers keep
    their scales and shifts.
    """

    def __init__(self, module: nn.Module, variances: Variances) -> None:
        self._gaussian: list[tuple[Tensor, float]] = []
        self._resets: list[Callable[[], None]] = []
        for layer in module.modules():
            own = [p.detach() for p in layer.parameters(recurse=False)]
            if not own or isinstance(layer, _KEPT):
                continue
            if type(layer).__module__.startswith("ntkit.networks."):
                self._gaussian += [(part, 1.0) for part in own]
            elif variances == "measured":
                blocks = [part for parameter in own for part in _blocks(layer, parameter)]
                self._gaussian += [(part, mean_square(part) ** 0.5) for part in blocks]
            else:
                self._resets.append(_reset_of(layer))

    def draw(self, generator: torch.Generator | None) -> None:
        """Fresh weights, in place."""
        for part, deviation in self._gaussian:
            part.normal_(generator=generator).mul_(deviation)
        if self._resets:  # they know no generator
            seed = int(torch.randint(2**62, (), generator=generator))
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                for reset in self._resets:
                    reset()


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
    """`J J^T` averaged over the outputs."""
    parameters = {k: p.detach() for k, p in module.named_parameters() if p.requires_grad}
    with torch.no_grad():
        size = module(*inputs).flatten(1).shape[1]

    def output(values: dict[str, Tensor], index: int, *point: Tensor) -> Tensor:
        alone = tuple(x[None] for x in point)
        return functional_call(module, values, alone).flatten()[index]

    total = torch.zeros((), dtype=inputs[0].dtype)
    for index in range(size):
        batched = vmap(grad(output), in_dims=(None, None, *(0,) * len(inputs)))
        rows = batched(parameters, index, *inputs)
        for block in rows.values():
            flat = block.flatten(1)
            total = total + flat @ flat.T
    return total / size


@torch.no_grad()
def _covariance(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    values = module(*inputs).flatten(1)
    return values @ values.T / values.shape[1]
