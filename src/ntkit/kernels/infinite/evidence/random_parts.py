"""Parts of tangent kernels that stay random at any width: their mean is no network's kernel."""

from collections.abc import Sequence

from torch import fx, nn

from ntkit._core.outside import warn
from ntkit.kernels.infinite.evidence.later import Graph
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced, refuse
from ntkit.kernels.infinite.meanings import meanings
from ntkit.kernels.infinite.program.ops.around import BendAround
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.branches import MultiplyBranches
from ntkit.kernels.infinite.program.ops.residual import BendResidual
from ntkit.kernels.infinite.rules.kinds import Pools

__all__ = ["check_random_parts"]

_MANY = 16
"""Outputs from which the mean over them settles."""


def check_random_parts(traced: Traced, lowered: Lowered, n_outputs: Sequence[int]) -> None:
    """Refuse, or warn of, what a tangent kernel has that no width settles.

    Args:
        traced: The module.
        lowered: Its steps.
        n_outputs: Channels of each result.
    """
    ours = any(
        type(layer).__module__.startswith("ntkit.networks.")
        and any(True for _ in layer.parameters())
        for layer in traced.root.modules()
    )
    if ours:
        _slopes(traced)
        _norms_of_inputs(lowered)
    _ends(lowered, n_outputs)


def _slopes(traced: Traced) -> None:
    """One number for all units, a slope or weights of positions: the square of a sum over the units, of the kernel's own size.

    With plain layers it is one part in the width of the kernel, and vanishes.
    """
    for node in traced.graph.nodes:
        layer = traced.layer(node) if node.op == "call_module" else None
        if layer is None or not _is_trained(node, layer):
            continue
        if isinstance(meanings.get(type(layer)), Pools):
            refuse(
                node,
                f"the numbers of `{layer}` are the same for all channels and are trained, and their part of the "
                "tangent kernel does not settle with the width. Freeze them (`requires_grad_(False)`).",
            )
        if not isinstance(layer, nn.PReLU):
            continue
        refuse(
            node,
            "its slope is a single trained number for all units, and its part of the tangent kernel "
            "does not settle with the width. Freeze it (`requires_grad_(False)`), or use "
            "`nn.LeakyReLU`.",
        )


def _is_trained(node: fx.Node, layer: nn.Module) -> bool:
    return not node.meta.get("no_grad") and any(p.requires_grad for p in layer.parameters())


def _norms_of_inputs(lowered: Lowered) -> None:
    for drawn in lowered.drawn.values():
        owner = drawn.owner
        if drawn.kind == "inputs" and any(p.requires_grad for p in owner.parameters()):  # type: ignore[union-attr]
            warn(
                f"`{drawn.name}` has trained scales for the points' own features: their part of the "
                "tangent kernel stays random at any width, as a sum over these few features, and the "
                "kernel has its mean over draws. Freeze it (`requires_grad_(False)`), or use "
                "`elementwise_affine=False` (`affine=False`)."
            )
            return


def _ends(lowered: Lowered, n_outputs: Sequence[int]) -> None:
    """Nonlinearities and products after the last layer with weights."""
    graph = Graph(lowered)
    for output, count in zip(lowered.outputs, n_outputs, strict=True):
        waiting, seen = [output], set()
        while waiting and count < _MANY:
            k = waiting.pop()
            if k in seen or graph.mixes(k):
                continue
            seen.add(k)
            step = lowered.steps[k]
            bent = isinstance(step, BendAround | BendResidual) or (
                isinstance(step, Bend) and not step.adds
            )
            if (bent or isinstance(step, MultiplyBranches)) and graph.is_last(k):
                warn(
                    f"`{step.name}` comes after the last layer with weights: the tangent kernel hangs "
                    "on the random output itself, at any width, and this is its mean over draws. "
                    "Leave it to the loss, or take `ntkit.empirical_ntk` of the network at hand."
                )
                return
            waiting += step.inputs
