"""Gradients at places inside the network, for several outputs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

__all__ = ["Gradient", "Sums", "gradients", "one_hot", "weighted"]

Gradient = Tensor | list[Tensor]
"""At a place: `[outputs, *shape]`, or what was summed of it."""

Sums = Callable[[Tensor], list[Tensor]]


def gradients(
    source: Tensor | GradientEdge,
    seed: Callable[[Sequence[int]], Tensor],
    edges: Sequence[GradientEdge],
    outputs: Sequence[int],
    *,
    at_once: bool,
    sums: Sequence[Sums | None] | None = None,
) -> list[Gradient]:
    """`d y[i, o] / d edge` for each output `o`, `[outputs, *shape]`: all samples in one pass.

    Args:
        source: Where the passes start: the outputs `y [n, o]`, each row a function of its own sample,
            or a place that they go through.
        seed: The gradients of some of the outputs at the source, `[outputs, *shape]`.
        edges: Places in the graph.
        outputs: Which outputs.
        at_once: One pass for all outputs under `vmap`; else one after the other.
        sums: For places where only sums of the gradient are needed, what makes them of `[o, *shape]`:
            they come in its place, and it is not kept.
    """
    sums = [None] * len(edges) if sums is None else sums
    if at_once and len(outputs) > 1:
        whole = _backward(source, edges, seed(outputs), batched=True)
        with torch.no_grad():
            return [g if of is None else of(g) for g, of in zip(whole, sums, strict=True)]
    rooms: list[list[Tensor]] = [[] for _ in edges]
    for k, o in enumerate(outputs):
        for e, g in enumerate(_backward(source, edges, seed([o])[0], batched=False)):
            with torch.no_grad():
                of = sums[e]
                pieces = [g] if of is None else [piece[0] for piece in of(g[None])]
            if not rooms[e]:  # a sample's outputs beside each other, for one product of all of them
                rooms[e] = [_room(piece, len(outputs)) for piece in pieces]
            if len(outputs) > 1:
                for room, piece in zip(rooms[e], pieces, strict=True):
                    room[:, k] = piece
    turned = [[room.transpose(0, 1) for room in own] for own in rooms]
    return [own[0] if of is None else own for own, of in zip(turned, sums, strict=True)]


def _room(piece: Tensor, outputs: int) -> Tensor:
    """Where pieces like this go, along a new axis 1: itself, if there is but one."""
    if outputs == 1:
        return piece[:, None]
    return piece.new_empty(len(piece), outputs, *piece.shape[1:])


def one_hot(y: Tensor, outputs: Sequence[int]) -> Tensor:
    """The gradients of outputs at `y [n, o]` itself, `[outputs, n, o]`."""
    cotangents = y.new_zeros(len(outputs), *y.shape)
    for k, o in enumerate(outputs):
        cotangents[k, :, o] = 1
    return cotangents


def weighted(y: Tensor, edges: Sequence[GradientEdge], cotangent: Tensor) -> list[Tensor]:
    """The gradient of `sum(cotangent * y)` at each place."""
    return _backward(y, edges, cotangent, batched=False)


def _backward(
    source: Tensor | GradientEdge,
    edges: Sequence[GradientEdge],
    cotangents: Tensor,
    *,
    batched: bool,
) -> list[Tensor]:
    start: Any = [source]
    found = torch.autograd.grad(
        start,
        list(edges),
        [cotangents],
        retain_graph=True,
        is_grads_batched=batched,
        materialize_grads=True,
    )
    return [g.detach() for g in found]
