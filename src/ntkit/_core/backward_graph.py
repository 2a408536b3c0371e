"""The graph of a backward pass, and what to say where there is no second one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["refuse_dead_ends", "second_derivatives", "walk"]

_REENTRANT = (
    "`module` uses `torch.utils.checkpoint` with `use_reentrant=True`, which hides the parameters within "
    "from the graph. Pass `use_reentrant=False`."
)


def walk(tops: Iterable[Any]) -> list[Any]:
    """Nodes and all below them, each once, always in the same order; `None` is no node."""
    seen: dict[Any, None] = {}
    waiting = list(tops)
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen[node] = None
            waiting += [below for below, _ in node.next_functions]
    return list(seen)


def refuse_dead_ends(top: Any, advice: str) -> None:
    """Refuse a node without a derivative: a backward pass leaves out what follows it, without a word.

    Args:
        top: The node to begin at.
        advice: What to say, with `{what}` for what was found.

    Raises:
        NotImplementedError: There is such a node.
    """
    if any(node.name() == "torch::autograd::Error" for node in walk([top])):
        raise NotImplementedError(advice.format(what="`once_differentiable`."))


@contextmanager
def second_derivatives(advice: str) -> Iterator[None]:
    """Say what to do where torch finds that an operation has no derivative of its derivative.

    Args:
        advice: What to say, with `{what}` for torch's own words.

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
        if "derivative" not in what:
            raise
        raise NotImplementedError(advice.format(what=what)) from error
