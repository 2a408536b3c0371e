"""Derivatives along a line by reverse mode alone: right wherever the gradients of autograd are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["reverse_terms", "walk"]

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
    with _second_derivatives():
        for _ in range(order):
            g = _derivative(g, [s])[0]
            _refuse_ends(g)
            found = _derivative(g, list(c.values()))
            each = zip(value.items(), found, strict=True)
            terms.append({i: torch.zeros_like(y) if t is None else t for (i, y), t in each})
    return tuple(terms), rest


def _derivative(g: Any, by: list[Tensor]) -> tuple[Tensor | None, ...]:
    """On a graph; None where there is none."""
    if not isinstance(g, Tensor) or not g.requires_grad:
        return (None,) * len(by)
    return torch.autograd.grad(g, by, create_graph=True, allow_unused=True)


def _refuse_ends(g: Any) -> None:
    """What follows a node without a derivative is left out of a backward pass without a word.

    Raises:
        NotImplementedError: There is such a node.
    """
    if isinstance(g, Tensor) and any(
        node.name() == "torch::autograd::Error" for node in walk([g.grad_fn])
    ):
        raise NotImplementedError(_ADVICE.format(what="`once_differentiable`."))


def walk(tops: list[Any]) -> list[Any]:
    """The nodes of a graph, each once."""
    seen: dict[Any, None] = {}
    waiting = list(tops)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen[node] = None
            waiting += [below for below, _ in node.next_functions]
    return list(seen)


_ADVICE = (
    "`module` has an operation whose derivative of this order PyTorch gives neither forward nor by "
    "nested backward passes: {what} Write it in plain operations, or give a "
    "`torch.autograd.Function` of your own a `backward` of differentiable operations."
)

_REENTRANT = (
    "`module` uses `torch.utils.checkpoint` with `use_reentrant=True`, which hides the parameters within "
    "from the graph. Pass `use_reentrant=False`."
)


@contextmanager
def _second_derivatives() -> Iterator[None]:
    """Say what to do where an operation has none.

    Raises:
        NotImplementedError: It has none.
        RuntimeError: Anything else.
    """
    try:
        yield
    except RuntimeError as error:
        what = str(error).strip().split("\n")[0]
        if "use_reentrant=True" in what:
            raise NotImplementedError(_REENTRANT) from error
        if isinstance(error, NotImplementedError) or "derivative" not in what:
            raise
        raise NotImplementedError(_ADVICE.format(what=what)) from error
