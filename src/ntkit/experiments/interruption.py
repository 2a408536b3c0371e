"""Ctrl-C, SIGTERM and SIGHUP: a training ends at a step, from where it can go on."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interruption"]

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class Interruption:
    """A wish to stop, by any of the three signals.

    It comes as `KeyboardInterrupt`, wherever the program is; but while `deferred`, the first one only sets
    `asked`, so that what is under way can end in good order. A second one does not wait.

    Attributes:
        signal: The signal that came, None so far.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._deferring = False

    @property
    def asked(self) -> bool:
        """Whether to stop now."""
        return self.signal is not None

    @contextmanager
    def handled(self) -> Iterator["Interruption"]:
        """Take the signals while the block runs; elsewhere than in the main thread none can be taken."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        ignored = [number for number, old in before.items() if old is signal.SIG_IGN]  # nohup
        for number in before.keys() - ignored:
            signal.signal(number, self._came)
        try:
            yield self
        finally:
            for number, old in before.items():
                signal.signal(number, old)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """The first signal waits for the block to ask for it."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False

    def _came(self, number: int, frame: FrameType | None) -> None:
        first, self.signal = self.signal is None, number
        if not (first and self._deferring):
            raise KeyboardInterrupt
