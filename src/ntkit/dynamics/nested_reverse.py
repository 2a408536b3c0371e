"""Derivatives along a line by reverse mode alone: right wherever the gradients of autograd are."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor

from ntkit._core.backward_graph import refuse_dead_ends, second_derivatives

__all__ = ["reverse_terms"]

_Tensors = dict[str, Tensor]
_Leaves = dict[int, Tensor]
_Rest = TypeVar("_Rest")


def reverse_terms(
    function: Callable[[_Tensors], tuple[_Leaves, _Rest]],
    at: Mapping[str, Tensor],
    along: Mapping[str, Tensor],
    order: int,
) -> tuple[tuple[_Leaves, ...], _Rest]:
    """`d^k/ds^k h(s)`, `h(s) = function(at + s along)`, at `s = 0` for `k = 0..order`.

    With a cotangent `c` of the outputs, `g_k(s, c) = d^k/ds^k <c, h(s)>` takes `k` backward passes
    through each other; it is linear in `c`, and its derivative by `c` is the term. Forward rules take
    no part: what `function` computes without gradients, detaches or passes straight through is
    treated as in training. Some `2^order` times the cost of a training step.

    Args:
        function: From parameters to outputs, and something else.
        at: Parameters.
        along: The direction.
        order: Highest derivative.

    Returns:
        The terms, outputs by place; and what else the function returned. An operation that has no
        derivative of the next order is refused.
    """
    kind = next(iter(at.values())) if at else torch.zeros(())
    s = torch.zeros((), dtype=kind.dtype, device=kind.device, requires_grad=True)
    value, rest = function({name: p + s.to(p) * along[name] for name, p in at.items()})
    c = {i: torch.zeros_like(y).requires_grad_() for i, y in value.items()}
    # of complex outputs the real part, whose gradient by `c` is the output
    g: Any = sum((c[i].conj() * y).real.sum() for i, y in value.items() if y.requires_grad)
    terms = [value]
    for _ in range(order):
        g = _derivative(g, [s])[0]
        if isinstance(g, Tensor):
            refuse_dead_ends(g.grad_fn, _ADVICE)
        found = _derivative(g, list(c.values()))
        each = zip(value.items(), found, strict=True)
        terms.append({i: torch.zeros_like(y) if t is None else t for (i, y), t in each})
    return tuple(terms), rest


def _derivative(g: Any, by: list[Tensor]) -> tuple[Tensor | None, ...]:
    """On a graph; None where there is none."""
    if not isinstance(g, Tensor) or not g.requires_grad:
        return (None,) * len(by)
    with second_derivatives(_ADVICE):
        return torch.autograd.grad(g, by, create_graph=True, allow_unused=True)


_ADVICE = (
    "`module` has an operation whose derivative of this order PyTorch gives neither forward nor by "
    "nested backward passes: {what} Write it in plain operations, or give a "
    "`torch.autograd.Function` of your own a `backward` of differentiable operations."
)
