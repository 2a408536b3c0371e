"""Graphs of forwards that ask for `len(x)`: a plain number in the graph, and in truth that of the points."""

from typing import Any, NoReturn

import torch
from torch import Tensor, fx, nn

from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.front.tracer import attribute

__all__ = ["with_lengths"]


def with_lengths(
    root: nn.Module, one: fx.Graph, other: fx.Graph, sizes: tuple[int, int]
) -> fx.Graph:
    """A graph with the number of points in place of the numbers that follow it.

    Args:
        root: The module.
        one: Its graph for `sizes[0]` points, which is changed.
        other: For `sizes[1]` points.
        sizes: Both numbers.
    """
    pairs = list(zip(one.nodes, other.nodes, strict=False))
    same = len(one.nodes) == len(other.nodes)
    if not same or not all(_alike(root, a, b) for a, b in pairs):
        _refuse("other calls")
    (first, *_) = [node for node in one.nodes if node.op == "placeholder"]
    for node, twin in pairs:

        def merged(a: Any, b: Any, node: fx.Node = node) -> Any:
            if isinstance(a, tuple | list) and isinstance(b, tuple | list) and len(a) == len(b):
                return type(a)(merged(p, q) for p, q in zip(a, b, strict=True))
            if isinstance(a, dict):
                return {key: merged(value, b[key]) for key, value in a.items()}
            if isinstance(a, slice):
                parts = ((getattr(s, k) for k in ("start", "stop", "step")) for s in (a, b))
                return slice(*(merged(p, q) for p, q in zip(*parts, strict=True)))
            if isinstance(a, fx.Node) or a == b:
                return a
            if (a, b) != sizes:
                _refuse(f"{a} and {b}")
            with one.inserting_before(node):
                return one.call_method("size", (first, 0))

        node.args, node.kwargs = merged(node.args, twin.args), merged(node.kwargs, twin.kwargs)
    return one


def _alike(root: nn.Module, a: fx.Node, b: fx.Node) -> bool:
    if a.op != b.op:
        return False
    if a.op != "get_attr":
        return a.op == "placeholder" or a.target == b.target
    one, other = (attribute(root, str(node.target)) for node in (a, b))
    return one is other or (
        isinstance(one, Tensor) and isinstance(other, Tensor) and torch.equal(one, other)
    )


def _refuse(what: str) -> NoReturn:
    raise UnsupportedLayerError(
        f"The forward makes {what} of more points: it takes `len(x)` for more than a size. A kernel is of "
        "each point alone: take sizes from `x.shape`, and leave the first axis to torch (-1)."
    )
