"""Gradients at places inside the network, for several outputs."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

__all__ = ["Gradient", "Sums", "gradients", "weighted"]

Gradient = Tensor | list[Tensor]
"""At a place: `[outputs, *shape]`, or what was summed of it."""

Sums = Callable[[Tensor], list[Tensor]]


def gradients(
    y: Tensor,
    edges: Sequence[GradientEdge],
    outputs: Sequence[int],
    *,
    at_once: bool,
    sums: Sequence[Sums | None] | None = None,
) -> list[Gradient]:
    """`d y[i, o] / d edge` for each output `o`, `[outputs, *shape]`: all samples in one pass.

    Args:
        y: Outputs, `[n, o]`, each row a function of its own sample.
        edges: Places in the graph.
        outputs: Which outputs.
        at_once: One pass for all outputs under `vmap`; else one after the other.
        sums: For places where only sums of the gradient are needed, what makes them of `[o, *shape]`:
            they come in its place, and it is not kept.
    """
    sums = [None] * len(edges) if sums is None else sums
    if at_once and len(outputs) > 1:
        cotangents = y.new_zeros(len(outputs), *y.shape)
        for k, o in enumerate(outputs):
            cotangents[k, :, o] = 1
        whole = _backward(y, edges, cotangents, batched=True)
        with torch.no_grad():
            return [g if of is None else of(g) for g, of in zip(whole, sums, strict=True)]
    rooms: list[Tensor | None] = [None] * len(edges)
    parts: list[list[list[Tensor]]] = [[] for _ in edges]
    for k, o in enumerate(outputs):
        cotangent = torch.zeros_like(y)
        cotangent[:, o] = 1
        for e, g in enumerate(_backward(y, edges, cotangent, batched=False)):
            of, room = sums[e], rooms[e]
            if of is not None:
                with torch.no_grad():
                    parts[e].append(of(g[None]))
                continue
            if room is None:  # a sample's outputs beside each other, for one product of all of them
                room = (
                    g[:, None]
                    if len(outputs) == 1
                    else g.new_empty(len(g), len(outputs), *g.shape[1:])
                )
                rooms[e] = room
            if len(outputs) > 1:
                room[:, k] = g
    return [
        [torch.cat(each) for each in zip(*own, strict=True)]
        if room is None
        else room.transpose(0, 1)
        for own, room in zip(parts, rooms, strict=True)
    ]


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
