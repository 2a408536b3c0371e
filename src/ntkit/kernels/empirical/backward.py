"""Gradients at places inside the network, for several outputs."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

__all__ = ["Gradient", "Seed", "Sums", "from_outputs", "gradients", "one_hot", "weighted"]

Gradient = Tensor | list[Tensor]
"""At a place: `[outputs, *shape]`, or what was summed of it."""

Seed = Callable[[slice], Sequence[Tensor]]
"""From some of the outputs to their gradients where a backward pass starts, `[outputs, *shape]` each."""


Sums = Callable[[Tensor, list[Tensor] | None], list[Tensor]]
"""What is summed of a gradient `[o, *shape]`: each `[o, ...]`, written to the second argument if that is
given.
"""


def gradients(
    sources: Sequence[GradientEdge],
    seed: Seed,
    edges: Sequence[GradientEdge],
    n_outputs: int,
    *,
    at_once: bool,
    sums: Sequence[Sums | None] | None = None,
) -> list[Gradient]:
    """`d y[i, o] / d edge` for each output `o`, `[outputs, *shape]`: all samples in one pass.

    Args:
        sources: Where the passes start: the outputs `y [n, o]`, each row a function of its own sample, or
            places that all of them go through.
        seed: The gradients of some of the outputs at the sources.
        edges: Places in the graph.
        n_outputs: How many outputs.
        at_once: One pass for all outputs under `vmap`; else one after the other.
        sums: For places where only sums of the gradient are needed, what makes them of `[o, *shape]`:
            they come in its place, and it is not kept.
    """
    sums = [None] * len(edges) if sums is None else sums
    if at_once and n_outputs > 1:
        whole = _backward(sources, edges, seed(slice(None)), batched=True)
        with torch.no_grad():
            return [g if of is None else of(g, None) for g, of in zip(whole, sums, strict=True)]
    rooms: list[list[Tensor]] = [[] for _ in edges]
    for k in range(n_outputs):
        with torch.no_grad():
            cotangents = [g[0] for g in seed(slice(k, k + 1))]
            for e, g in enumerate(_backward(sources, edges, cotangents, batched=False)):
                _keep(rooms[e], g, sums[e], k, n_outputs)
    return [
        room if of is not None else room[0].transpose(0, 1)
        for room, of in zip(rooms, sums, strict=True)
    ]


def _keep(room: list[Tensor], g: Tensor, of: Sums | None, k: int, n_outputs: int) -> None:
    """Put the gradient of output `k`, or what is summed of it, to those of the others.

    Sums lie output by output; of a whole gradient, a sample's outputs beside each other, for one product
    of all of them.
    """
    if of is None:
        if not room:
            one = g[:, None]
            room.append(one if n_outputs == 1 else g.new_empty(len(g), n_outputs, *g.shape[1:]))
        if n_outputs > 1:
            room[0][:, k] = g
    elif not room:
        pieces = of(g[None], None)
        if n_outputs > 1:
            for piece in pieces:
                room.append(piece.new_empty(n_outputs, *piece.shape[1:]))
                room[-1][:1] = piece
        else:
            room += pieces
    else:
        of(g[None], [each[k : k + 1] for each in room])


def from_outputs(y: Tensor, outputs: Sequence[int]) -> tuple[list[GradientEdge], Seed]:
    """Where passes start, and with what, that begin at `y` itself."""
    return [get_gradient_edge(y)], lambda some: [one_hot(y, outputs[some])]


def one_hot(y: Tensor, outputs: Sequence[int]) -> Tensor:
    """The gradients of outputs at `y [n, o]` itself, `[outputs, n, o]`."""
    cotangents = y.new_zeros(len(outputs), *y.shape)
    for k, o in enumerate(outputs):
        cotangents[k, :, o] = 1
    return cotangents


def weighted(y: Tensor, edges: Sequence[GradientEdge], cotangent: Tensor) -> list[Tensor]:
    """The gradient of `sum(cotangent * y)` at each place."""
    return _backward([get_gradient_edge(y)], edges, [cotangent], batched=False)


def _backward(
    sources: Sequence[GradientEdge],
    edges: Sequence[GradientEdge],
    cotangents: Sequence[Tensor],
    *,
    batched: bool,
) -> list[Tensor]:
    start: Any = list(sources)
    found = torch.autograd.grad(
        start,
        list(edges),
        list(cotangents),
        retain_graph=True,
        is_grads_batched=batched,
        materialize_grads=True,
    )
    return [g.detach() for g in found]
