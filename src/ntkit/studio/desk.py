"""What a session keeps between two requests: the signal, and what views have worked out of it."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from ntkit.studio.shown import Shown
from ntkit.tasks import Image

__all__ = ["Desk"]

_KEPT = 6  # results of views: each change of a slow control makes a new one

_Kept = TypeVar("_Kept")


class Desk:
    """The signal of a session, and results that its views share.

    Results belong to the signal: another one clears them. The oldest go where there are more than six.
    """

    def __init__(self) -> None:
        self._signal: Shown | None = None
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._lock = Lock()

    @property
    def signal(self) -> Shown:
        """What is looked at.

        Raises:
            ValueError: There is nothing yet.
        """
        if self._signal is None:
            raise ValueError("There is no signal yet. Drop a file, or pick an example.")
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
            self._kept.clear()

    def kept(self, key: Any, make: Callable[[], _Kept]) -> _Kept:
        """What was made for a key before, or what `make` makes now.

        Args:
            key: Of whatever it depends on but the signal.
            make: Called where there is none; it should be quick.
        """
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]
