"""Messages that wait: of one key and kind only the newest, so that whoever is slow is sent what still matters."""

from collections import OrderedDict
from threading import Condition

__all__ = ["Mailbox"]

_MOST = 64
"""Keys at once; a page has some ten."""


class Mailbox:
    """A queue between threads in which a newer message replaces the one of its key that still waits.

    Example:
        >>> box = Mailbox()
        >>> [box.put(key, message) for key, message in (("a", b"1"), ("b", b"2"), ("a", b"3"))]
        [True, True, True]
        >>> box.take(), box.take()
        (b'2', b'3')
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, bytes] = OrderedDict()
        self._changed = Condition()
        self._closed = False

    def put(self, key: str, message: bytes) -> bool:
        """Add a message behind the others; False where there are too many, or it is closed."""
        with self._changed:
            if self._closed or (key not in self._waiting and len(self._waiting) >= _MOST):
                return False
            self._waiting.pop(key, None)
            self._waiting[key] = message
            self._changed.notify()
            return True

    def take(self, *, wait: bool = True) -> bytes | None:
        """The oldest message, once there is one; None when it is closed, or where `wait` is not asked for."""
        with self._changed:
            while wait and not self._waiting and not self._closed:
                self._changed.wait()
            return self._waiting.popitem(last=False)[1] if self._waiting else None

    def close(self) -> None:
        """Let whoever waits go, without what was not taken."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
