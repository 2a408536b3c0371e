"""Warnings about a network before its kernel is computed."""

from dataclasses import replace

import torch
from torch import nn

from ntkit._core.outside import warn
from ntkit.kernels.infinite.back.interpreter import propagate
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced, where
from ntkit.kernels.infinite.program.op import Context, PairWatch, Side
from ntkit.kernels.infinite.program.ops.scale import Mask
from ntkit.kernels.infinite.program.program import demands
from ntkit.kernels.infinite.program.units import Demand

__all__ = [
    "sizes_at",
    "warn_of_copies",
    "warn_of_dropout",
    "warn_of_means",
    "warn_of_scales",
]

_LIMIT = 1e8
"""Growth or decay of the variance over the layers from which a network is called ill-scaled."""

_MANY = 4
"""Numbers by which copies are known."""


def warn_of_dropout(lowered: Lowered) -> None:
    """Say which semantics dropout gets where it is on: in a module in training mode, or as a function."""
    found = next((step.name for step in lowered.steps if isinstance(step, Mask)), None)
    if found is not None:
        warn(
            f"`{found}` is on, as in training mode: the kernel is that of masks drawn anew for each "
            "input, which add to the variance of a point with itself. For the network without "
            "masks call `module.eval()` first (and pass `training=self.training` to functions)."
        )


def warn_of_copies(traced: Traced) -> None:
    """Say where layers hold the same numbers: copies of one another are not independent."""
    seen: dict[tuple[object, ...], str] = {}
    for name, parameter in traced.body.named_parameters():
        flat = parameter.detach().flatten()
        if parameter.is_meta or len(flat) < _MANY or bool((flat == flat[0]).all()):
            continue
        mark = (tuple(parameter.shape), *flat[:_MANY].tolist(), *flat[-_MANY:].tolist())
        if mark in seen:
            warn(
                f"`{seen[mark]}` and `{name}` hold the same numbers: copies, as `copy.deepcopy` and "
                "`nn.TransformerEncoder` make them. The kernel is that of layers with weights of "
                "their own; for a network like it call `reset_parameters()` on each layer."
            )
            return
        seen[mark] = name


def warn_of_means(lowered: Lowered) -> None:
    """Say where the second moments of outputs are no covariances, and these are not known."""
    for node in lowered.with_means:
        warn(
            f"The units of the output {where(node)} have a mean that is not known here, so the values are "
            "their second moments `E[f(x) f(x')]` and not their covariances. With a layer with weights "
            "at the end the two are the same.",
        )


def sizes_at(lowered: Lowered, point: Side) -> tuple[dict[int, float], PairWatch]:
    """The variance of the units of each step with numbers of its own, at a point."""
    places = [
        k for k, step in enumerate(lowered.steps) if k in step.units.places or k in lowered.drawn
    ]
    every = replace(lowered.program.bind(), outputs=tuple(places))
    wanted = demands(every.ops, places, Demand("each", True))
    with torch.no_grad():
        watch = PairWatch()
        states = propagate(every, wanted, Context(point, None, with_ntk=True, watch=watch))
    found = [float(state.cov.abs().mean()) for state in states]
    return dict(zip(places, found, strict=True)), watch


def warn_of_scales(
    traced: Traced, lowered: Lowered, found: dict[int, float], watch: PairWatch
) -> None:
    """Warn where the variance of a point's units explodes or vanishes from layer to layer.

    And where the part of a trained scale is not exact: for plain layers (standard parametrisation)
    that part is one in the width of the kernel, for those of `ntkit.networks` of its own size.

    Args:
        traced: The module.
        lowered: The steps.
        found: The variance of the units of each step, as `sizes_at` finds it.
        watch: What it saw.
    """
    layers = [k for k, step in enumerate(lowered.steps) if k in step.units.places]
    if watch.has_factorised and any(_is_scaled_by_us(layer) for layer in traced.root.modules()):
        warn(
            "A normalisation layer with a trained scale comes before a nonlinearity, and between "
            "them is a shift or a sum: the scale's own part of the tangent kernel is approximate. "
            "It is exact for `elementwise_affine=False` (`affine=False`)."
        )
    sizes = [found[k] for k in layers]
    for number, (index, size) in enumerate(zip(layers, sizes, strict=True), 1):
        ratio = size / sizes[0] if sizes[0] else 1.0
        if not ratio > 0:
            continue  # a branch that is set to start at zero; or NaN, which the kernel refuses by name
        if 1 / _LIMIT <= ratio <= _LIMIT:
            continue
        what, often = ("grows", "smaller") if ratio > 1 else ("shrinks", "larger")
        warn(
            f"The variance of the units {what} to {ratio:.1g} times that of the first layer at layer "
            f"{number} of {len(layers)}, `{lowered.steps[index].name}`: such a network hardly trains, "
            f"and its kernel loses meaning. The usual cure is {often} weights (`w_std=2**0.5` before "
            "ReLU, 1 before tanh; `nn.init.kaiming_normal_`), or a normalisation layer."
        )
        return


def _is_scaled_by_us(layer: nn.Module) -> bool:
    """Whether it has weights in the NTK parametrisation."""
    ours = type(layer).__module__.startswith("ntkit.networks.")
    return ours and any(True for _ in layer.parameters(recurse=False))
