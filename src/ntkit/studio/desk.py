"""What a session keeps between two requests: the signal, and what views have worked out of it."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, Generic, TypeVar

from ntkit.studio.refusals import Refusal
from ntkit.studio.shown import Shown
from ntkit.tasks import Image

__all__ = ["Desk", "Drawer"]

_Key = TypeVar("_Key", bound=Hashable)
_Kept = TypeVar("_Kept")


class Drawer(Generic[_Key, _Kept]):
    """Results of one view, by what they depend on beside the signal: the newest few.

    Args:
        most: How many; the one that was not looked at for longest goes first.

    Example:
        >>> squares = Drawer[int, int](2)
        >>> [squares.kept(n, lambda n=n: n * n) for n in (1, 2, 1, 3)]
        [1, 4, 1, 9]
        >>> squares.get(2) is None, squares.get(1)
        (True, 1)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._lock = RLock()

    def get(self, key: _Key) -> _Kept | None:
        """What is kept for a key, None where nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: _Key, value: _Kept) -> None:
        """Keep a result, in place of the one before."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def kept(self, key: _Key, make: Callable[[], _Kept]) -> _Kept:
        """What was made for a key before, or what `make` makes now. Of two that make it at once the first is kept."""
        found = self.get(key)
        if found is not None:
            return found
        made = make()  # while others look into the drawer
        with self._lock:
            found = self.get(key)
            if found is None:
                self.put(key, made)
            return made if found is None else found


class Desk:
    """The signal of a session, and what its views keep: each in a drawer of its own.

    Results belong to the signal: another one clears all drawers.
    """

    def __init__(self) -> None:
        self._signal: Shown | None = None
        self._drawers: dict[str, Drawer[Any, Any]] = {}
        self._lock = RLock()

    @property
    def signal(self) -> Shown:
        """What is looked at.

        Raises:
            Refusal: There is nothing yet.
        """
        if self._signal is None:
            raise Refusal("no_signal", "There is no signal yet. Drop a file, or pick an example.")
        return self._signal

    @property
    def picture(self) -> Image:
        """What is looked at, for views that are of pictures.

        Raises:
            ValueError: It is none.
        """
        task = self.signal.task
        if not isinstance(task, Image):
            raise ValueError("This view needs a picture, and this is a sound.")
        return task

    def put(self, signal: Shown) -> None:
        """Look at another signal."""
        with self._lock:
            self._signal = signal
            self._drawers.clear()

    def drawer(self, name: str, most: int = 1) -> Drawer[Any, Any]:
        """Where a view keeps its results of this signal.

        Args:
            name: Of the view, or of one kind of its results.
            most: How many; what the first who asks says.
        """
        with self._lock:
            return self._drawers.setdefault(name, Drawer(most))
