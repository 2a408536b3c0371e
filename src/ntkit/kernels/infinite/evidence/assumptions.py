"""Numbers that are no independent zero-mean draws, though the rules take them as such: said, or refused."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit._core.outside import warn
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.rules.draws import (
    Doubt,
    are_unit_gaussian,
    of_matrix,
    of_scales,
    of_vector,
)
from ntkit.kernels.infinite.rules.kinds import norm_of
from ntkit.kernels.infinite.rules.normalisation import BATCH, scale_and_shift
from ntkit.kernels.infinite.rules.variances import Variances, mean_of

__all__ = ["Finding", "check_draws", "findings"]

_LARGE = 0.05
"""Of the units' variance: a known mean above it (a quarter of the spread) is refused, not warned of."""

_SMALL = 1e-6
"""And below it (a thousandth of the spread) it moves kernels by less than a part in five hundred."""

_NAMED = 3
"""Findings that are named."""

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


@dataclass(frozen=True)
class Finding:
    """A parameter in doubt.

    Attributes:
        place: The step.
        name: Of the parameter.
        doubt: What is wrong with it.
        is_shift: Whether it is added to units.
    """

    place: int
    name: str
    doubt: Doubt
    is_shift: bool = False


def findings(lowered: Lowered, variances: Variances) -> Iterator[Finding]:
    """The parameters that lowering takes as draws, and that do not look like draws."""
    for place, drawn in lowered.drawn.items():
        owner = drawn.owner
        if drawn.kind == "norm":
            yield from _of_norm(place, drawn)
        elif drawn.kind == "layer":
            assert isinstance(owner, nn.Module)
            if variances == "measured":
                yield from _of_layer(place, drawn, owner)
        elif drawn.kind in {"shift", "token"} and not drawn.mean:
            assert isinstance(owner, Tensor)
            yield from _found(place, drawn.name, of_vector(owner), is_shift=True)
        elif drawn.kind == "table":
            assert isinstance(owner, Tensor)
            table = owner.reshape(-1, owner.shape[-1]) if owner.ndim > 1 else owner[None]
            yield from _found(place, drawn.name, of_matrix(table), is_shift=True)


def check_draws(
    lowered: Lowered, variances: Variances, sizes: dict[int, float], said: set[object]
) -> None:
    """Refuse what moves the kernel for certain and much, and warn of the rest.

    Args:
        lowered: Its steps.
        variances: Where those of plain layers come from.
        sizes: By step, the variance of its units at a point.
        said: The parameters that were warned of before; it grows.

    Raises:
        UnsupportedLayerError: A parameter is a constant, an identity or the like.
    """
    _check_ours(lowered, said)
    graph, doubtful = Graph(lowered), []
    for found in findings(lowered, variances):
        share = 1.0
        if found.is_shift:
            if graph.bends(found.place) is None and not _beside_a_mean(lowered, found.place):
                continue  # only the mean square counts, and that is exact
            share = found.doubt.mean**2 / max(sizes.get(found.place, 0.0), 1e-300)
            if found.doubt.mean and share < _SMALL:
                continue
        if found.doubt.is_certain and share > _LARGE:
            raise UnsupportedLayerError(
                f"`{found.name}`: {found.doubt.what}. The limit holds for independent draws of mean "
                "zero, and would be another kernel. Draw it (`reset_parameters()`, "
                '`nn.init.normal_`), set shifts to zero, pass `variances="default"` for layers as '
                "PyTorch draws them, or take the empirical kernel, `ntkit.empirical_ntk`."
            )
        doubtful.append(found)
    if {f.name for f in doubtful} - said:
        listed = "; ".join(f"`{f.name}`: {f.doubt.what}" for f in doubtful[:_NAMED])
        more = f"; and {len(doubtful) - _NAMED} more" if len(doubtful) > _NAMED else ""
        warn(
            "The limit takes weights as independent draws of mean zero, as of a network before "
            f"training, and some here do not look it: {listed}{more}. The kernel is that of draws of "
            'the same mean squares. For the network as it was initialised pass `variances="default"`; '
            "for the one at hand take `ntkit.empirical_ntk`."
        )
    said |= {f.name for f in doubtful}


def present_mean(drawn: Drawn) -> float:
    """The mean of the shifts of a layer or parameter as they are now."""
    owner = drawn.owner
    if isinstance(owner, BATCH):
        return mean_of(scale_and_shift(owner)[1])
    norm = norm_of(owner)
    own = getattr(owner, "bias", None) if norm is None else norm.shift
    shift = owner if isinstance(owner, Tensor) else own
    return 0.0 if shift is None else mean_of(shift)


def _of_layer(place: int, drawn: Drawn, layer: nn.Module) -> Iterator[Finding]:
    """A plain layer's weights and biases, as they are measured."""
    if isinstance(layer, nn.MultiheadAttention):
        names = ("query", "key", "value")
        parts = [] if layer.in_proj_weight is None else layer.in_proj_weight.chunk(3)
        for name, part in zip(names, parts, strict=False):
            yield from _found(place, f"{drawn.name}.in_proj_weight ({name})", of_matrix(part))
        yield from _found(place, f"{drawn.name}.out_proj.weight", of_matrix(layer.out_proj.weight))
        if layer.out_proj.bias is not None:
            doubt = of_vector(layer.out_proj.bias)
            yield from _found(place, f"{drawn.name}.out_proj.bias", doubt, is_shift=True)
        return
    weight, bias = getattr(layer, "weight", None), getattr(layer, "bias", None)
    if not type(layer).__module__.startswith("torch."):
        return  # a rule of the user's own knows what its numbers are
    if isinstance(weight, Tensor):
        if isinstance(layer, _TRANSPOSED):
            weight = weight.transpose(0, 1)
        yield from _found(place, _joined(drawn.name, "weight"), of_matrix(weight))
    if isinstance(bias, Tensor) and not drawn.mean:
        yield from _found(place, _joined(drawn.name, "bias"), of_vector(bias), is_shift=True)


def _of_norm(place: int, drawn: Drawn) -> Iterator[Finding]:
    """Scales, which must be alike where a nonlinearity follows, and shifts."""
    layer = drawn.owner
    norm = norm_of(layer)
    if norm is not None:
        assert isinstance(layer, nn.Module)
        scale, shift = norm.scale, norm.shift
        names = _name_in(layer, scale, "weight"), _name_in(layer, shift, "bias")
    else:
        scale, shift = scale_and_shift(layer)
        names = "weight / sqrt(running_var)", "bias and running_mean"
    if scale is not None:
        # Counted as a shift: what follows decides, and a mean square is exact.
        yield from _found(place, _joined(drawn.name, names[0]), of_scales(scale), is_shift=True)
    if shift is not None and not drawn.mean:
        yield from _found(place, _joined(drawn.name, names[1]), of_vector(shift), is_shift=True)


def _name_in(layer: nn.Module, tensor: Tensor | None, otherwise: str) -> str:
    """What a layer calls one of its own tensors."""
    named = (*layer.named_parameters(), *layer.named_buffers())
    return next((name for name, own in named if own is tensor), otherwise)


def _check_ours(lowered: Lowered, said: set[object]) -> None:
    """Warn of layers in the NTK parametrisation whose entries somebody has set: no rule reads them."""
    for drawn in lowered.drawn.values():
        owner = drawn.owner
        if not isinstance(owner, nn.Module) or not type(owner).__module__.startswith("ntkit."):
            continue
        for part, parameter in owner.named_parameters(recurse=False):
            name = _joined(drawn.name, part)
            if name in said or are_unit_gaussian(parameter):
                continue
            said.add(name)
            square = float(parameter.detach().double().square().mean())
            warn(
                f"`{name}` has a mean square of {square:.2g}, and a layer in the NTK parametrisation "
                "stands for unit Gaussians, which its kernel is of whatever it holds. Set `w_std` and "
                "`b_std` (`bias=False`) in place of the entries, or use the layer of `torch.nn`."
            )


def _found(
    place: int, name: str, doubt: Doubt | None, *, is_shift: bool = False
) -> Iterator[Finding]:
    if doubt is not None:
        yield Finding(place, name, doubt, is_shift)


def _beside_a_mean(lowered: Lowered, place: int) -> bool:
    """Whether a shift is added to units that have a mean of their own, so that both multiply."""
    added = lowered.drawn[place].kind in {"shift", "table"}
    return added and not all(lowered.steps[k].units.is_centred for k in lowered.steps[place].inputs)


def _joined(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def check_finite(module: nn.Module, variances: Variances) -> None:
    """Refuse numbers that are none, where the rules read them.

    Raises:
        ValueError: A parameter is not finite, or a buffer holds NaN (masks may be infinite).
    """
    for place, layer in module.named_modules():
        ours = type(layer).__module__.startswith("ntkit.networks.")
        plain = type(layer) in rules
        if ours or (plain and variances == "default" and not isinstance(layer, BATCH)):
            continue
        own = (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False))
        for part, tensor in own:
            if tensor.is_meta or not tensor.is_floating_point():
                continue
            sound = torch.isfinite(tensor) if isinstance(tensor, nn.Parameter) else ~tensor.isnan()
            if bool(sound.all()):
                continue
            name = _joined(place, part)
            raise ValueError(
                f"`{name}` holds NaN or infinity, and so would the kernel. Load a sound state, or "
                "initialise the layer again (`reset_parameters()`)."
            )
