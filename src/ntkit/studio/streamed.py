"""Work that tells of itself by a callback, as an iterator that may be left: then the work is told to stop."""

from collections.abc import Callable, Generator
from queue import Queue
from threading import Event, Thread
from typing import Generic, TypeVar

__all__ = ["streamed"]

_Told = TypeVar("_Told")


class _Left(Exception):
    """Nobody listens any more."""


class _Ended(Generic[_Told]):
    """The end of the work, and what went wrong in it."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


def streamed(work: Callable[[Callable[[_Told], None]], object]) -> Generator[_Told, None, None]:
    """What the work tells, the newest where it is faster than whoever listens.

    Args:
        work: Called, in a thread of its own, with what it is to call. That raises once the iterator is closed; the
            iterator waits until the work has ended so.

    Example:
        >>> list(streamed(lambda tell: tell("whole")))
        ['whole']
    """
    told: Queue[_Told | _Ended[_Told]] = Queue()
    left = Event()

    def tell(something: _Told) -> None:
        if left.is_set():
            raise _Left
        told.put(something)

    def run() -> None:
        error: Exception | None = None
        try:
            work(tell)
        except _Left:
            pass
        except Exception as caught:
            error = caught
        told.put(_Ended(error))

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            newest = told.get()
            while not isinstance(newest, _Ended) and not told.empty():
                following = told.get()
                if isinstance(following, _Ended):
                    yield newest
                newest = following
            if isinstance(newest, _Ended):
                if newest.error is not None:
                    raise newest.error
                return
            yield newest
    finally:
        left.set()
        thread.join()
