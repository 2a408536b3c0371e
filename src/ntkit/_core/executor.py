"""Where independent pieces of work are computed: in threads of this machine, or elsewhere."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch

from ntkit._core.checks import positive_int
from ntkit._core.threads import in_threads

__all__ = ["Executor", "Threads", "check_executor"]

In = TypeVar("In")
Out = TypeVar("Out")


@runtime_checkable
class Executor(Protocol):
    """Calls a function on each of some items. Calls may run anywhere, in any order, and more than once.

    Attributes:
        shares_memory: Whether calls run in this process, where tensors keep their gradients. Elsewhere the
            function, the items and the results are pickled.

    Example:
        >>> list(Threads().map(abs, [-1, 2]))
        [1, 2]
    """

    shares_memory: bool

    def share(self, value: Any) -> Any:
        """A handle for a value that many calls need: it travels once."""
        ...

    def map(self, work: Callable[..., Out], items: Iterable[In], *shared: Any) -> Iterator[Out]:
        """`work(item, *values)` for each item, in the order of the items.

        Args:
            work: The function.
            items: What it is called on.
            *shared: Handles that `share` gave; `work` receives their values.
        """
        ...


class Threads:
    """Threads of this process.

    Args:
        count: How many calls run at a time, each with one thread of torch's. With 1 they run one after
            another in the thread that asks, with torch's own threads.

    Example:
        >>> list(Threads(2).map(pow, [1, 2, 3], 2))
        [1, 4, 9]
    """

    shares_memory = True

    def __init__(self, count: int = 1) -> None:
        self.count: int = positive_int("count", count)

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def map(self, work: Callable[..., Out], items: Iterable[In], *shared: Any) -> Iterator[Out]:
        """`work(item, *shared)` for each item, in order."""
        if self.count == 1:
            yield from (work(item, *shared) for item in items)
            return
        grad = torch.is_grad_enabled()  # each thread has a mode of its own

        def call(item: In) -> Out:
            with torch.set_grad_enabled(grad):
                return work(item, *shared)

        with in_threads(call, items, self.count) as results:
            yield from results

    def __repr__(self) -> str:
        return f"Threads({self.count})"


def check_executor(executor: object) -> None:
    """Refuse what cannot say where work runs: a client of Dask, a name, a number of threads.

    Raises:
        TypeError: It has no `map` or no `share`.
    """
    if not isinstance(executor, Executor):
        raise TypeError(
            f"`executor` must have `map` and `share`, got {type(executor).__name__}. Pass "
            "`ntkit.scale.Threads(2)` or `ntkit.scale.DaskExecutor(client)`."
        )
