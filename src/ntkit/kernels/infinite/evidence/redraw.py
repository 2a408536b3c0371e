"""Networks drawn again as they were initialised, as far as their numbers tell."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from ntkit.kernels.infinite.rules.draws import Doubt, of_matrix, of_vector
from ntkit.kernels.infinite.rules.normalisation import keeps_units
from ntkit.kernels.infinite.rules.variances import Variances, mean_square

__all__ = ["draws"]

_FEW = 16
"""Entries from which a parameter's own are drawn from; of fewer only their mean square is told."""


def draws(module: nn.Module, variances: Variances) -> Callable[[], None]:
    """A function that draws a module's parameters again, in place.

    Layers of `ntkit.networks` draw unit Gaussians, those of torch with "default" as their own
    `reset_parameters` does. With "measured" each entry is one of the parameter's own, with a sign of
    chance unless the mean stands out: so uniform weights stay uniform, and positive ones positive.
    What is no draw of independent entries (constants, identities, tables of positions, blurs, few
    directions) stays as it is, and so do the scales and shifts of normalisation layers, slopes, and
    single numbers.
    """
    steps: list[Callable[[], None]] = []
    resets: list[Callable[[], None]] = []
    for layer in module.modules():
        own = [p.detach() for p in layer.parameters(recurse=False)]
        if not own or keeps_units(layer):
            continue
        if type(layer).__module__.startswith("ntkit.networks."):
            steps += [_gaussian(part, 1.0) for part in own if not _is_constant(part)]
        elif variances == "measured":
            is_layer = type(layer).__module__.startswith("torch.")
            for parameter in own:
                for part in _blocks(layer, parameter):
                    steps += _as_measured(part, is_layer=is_layer)
        else:
            resets.append(_reset_of(layer))

    def draw() -> None:
        for step in steps:
            step()
        for reset in reversed(resets):  # attention has the last word on its output layer's bias
            reset()

    return draw


def _as_measured(part: Tensor, *, is_layer: bool) -> Iterator[Callable[[], None]]:
    if part.numel() == 1 and not is_layer:
        return  # a bare number
    doubts = list(_doubts(part))
    if any(doubt.is_certain or not doubt.mean for doubt in doubts):
        return
    if part.numel() < _FEW:
        if not doubts:
            yield _gaussian(part, mean_square(part) ** 0.5)
        return
    pool, with_signs = part.flatten().clone(), not doubts

    def resample() -> None:
        where = torch.randint(len(pool), part.shape, device=part.device)
        part.copy_(pool[where])
        if with_signs:
            part.mul_(2.0 * torch.randint(2, part.shape, device=part.device) - 1)

    yield resample


def _doubts(part: Tensor) -> Iterator[Doubt]:
    """What speaks against independent draws; tables may have their channels at the end, or in front."""
    sizes = [size for size in part.shape if size > 1]
    if len(sizes) < 2:
        found = [of_vector(part)]
    else:
        table = part.reshape(sizes)
        found = [of_matrix(table)]
        if len(sizes) > 2:
            found += [of_matrix(table.flatten(0, -2)), of_matrix(table.flatten(1))]
    yield from (doubt for doubt in found if doubt is not None)


def _gaussian(part: Tensor, deviation: float) -> Callable[[], None]:
    def draw() -> None:
        part.normal_().mul_(deviation)

    return draw


def _is_constant(part: Tensor) -> bool:
    flat = part.flatten()
    return len(flat) > 3 and bool((flat == flat[0]).all())


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
