"""Gradients at places inside the network, for several outputs."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

__all__ = ["gradients", "weighted"]


def gradients(
    y: Tensor, edges: Sequence[GradientEdge], outputs: Sequence[int], *, at_once: bool
) -> list[Tensor]:
    """`d y[i, o] / d edge` for each output `o`, `[outputs, *shape]`: all samples in one pass.

    Args:
        y: Outputs, `[n, o]`, each row a function of its own sample.
        edges: Places in the graph.
        outputs: Which outputs.
        at_once: One pass for all outputs under `vmap`; else one after the other.
    """
    if at_once and len(outputs) > 1:
        cotangents = y.new_zeros(len(outputs), *y.shape)
        for k, o in enumerate(outputs):
            cotangents[k, :, o] = 1
        return _backward(y, edges, cotangents, batched=True)
    found: list[Tensor] = []
    for k, o in enumerate(outputs):
        cotangent = torch.zeros_like(y)
        cotangent[:, o] = 1
        for e, g in enumerate(_backward(y, edges, cotangent, batched=False)):
            if k == 0:  # a sample's outputs beside each other, for one product of all of them
                room = g.new_empty(len(g), len(outputs), *g.shape[1:]) if len(outputs) > 1 else None
                found.append(g[None] if room is None else room.transpose(0, 1))
            if len(outputs) > 1:
                found[e][k] = g
    return found


def weighted(y: Tensor, edges: Sequence[GradientEdge], cotangent: Tensor) -> list[Tensor]:
    """The gradient of `sum(cotangent * y)` at each place."""
    return _backward(y, edges, cotangent, batched=False)


def _backward(
    y: Tensor, edges: Sequence[GradientEdge], cotangents: Tensor, *, batched: bool
) -> list[Tensor]:
    found = torch.autograd.grad(
        y,
        list(edges),
        cotangents,
        retain_graph=True,
        is_grads_batched=batched,
        materialize_grads=True,
    )
    return [g.detach() for g in found]
