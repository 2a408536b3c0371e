"""The process behind a session: it decodes, computes, and sends frames; what is long runs beside what is short.

It ends when its connection does. Whatever a file or a request makes of it, other sessions and the server go on.
"""

import gc
import signal
import sys
import traceback
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from ntkit._core.errors import NumericalError
from ntkit._core.memory import give_back_freed_memory
from ntkit._core.threads import use_threads
from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.frames import pack, unpack
from ntkit.studio.places import asks_of
from ntkit.studio.refusals import Refusal, refused
from ntkit.studio.signals import Shown, opened, received

__all__ = ["run"]

_QUIET = 1.0  # seconds without a question after which freed memory goes back to the system
_USER_ERRORS = (ValueError, TypeError, OSError, NumericalError, ImportError)


def run(channel: Connection) -> None:
    """Answer until the connection closes.

    Args:
        channel: To the server; frames both ways.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: the server ends the workers
    use_threads(1)  # two sessions at work share the cores; a region of two threads waits for both
    gc.freeze()  # a collection writes to all that it looks at, and pages written to are no longer shared
    worker = _Worker(channel)
    waiting: OrderedDict[str, tuple[dict[str, Any], memoryview]] = OrderedDict()
    is_trim = True
    while True:
        try:
            if not is_trim and not waiting and not channel.poll(_QUIET):
                give_back_freed_memory()
                is_trim = True
            while not waiting or channel.poll():  # of what came meanwhile, the newest of each key
                header, payload = unpack(channel.recv_bytes())
                waiting.pop(header["key"], None)
                waiting[header["key"]] = header, payload
        except (EOFError, OSError):
            return
        worker.take(*waiting.popitem(last=False)[1])
        is_trim = False


class _Worker:
    """A desk, and the long work at it: one at a time, the newest."""

    def __init__(self, channel: Connection) -> None:
        self._channel, self._sending = channel, Lock()
        self._desk = Desk()
        self._newest: dict[str, int] = {}
        self._long: Thread | None = None

    def take(self, header: dict[str, Any], payload: memoryview) -> None:
        """Do what one message says."""
        key, number = str(header["key"]), int(header["id"])
        self._newest[key] = number
        if header["kind"] == "cancel":
            return
        try:
            is_long, replies = self._replies(header, payload)
        except _USER_ERRORS as error:
            self._send(header, "error", Reply(refused(error)))
            return
        if is_long:
            self._begin(header, replies)
        else:
            self._answer(header, replies)

    def _replies(self, header: dict[str, Any], payload: memoryview) -> tuple[bool, Iterator[Reply]]:
        """What answers a message, not begun yet.

        Raises:
            ValueError: The view is not asked for that.
        """
        if header["kind"] == "signal":
            name, path = str(header["name"]), header.get("path")
            source = bytes(payload)
            return False, self._signal(
                lambda: opened(Path(path), name) if path else received(source, name)
            )
        asks = asks_of(str(header["view"]))
        ask = asks.get(str(header["ask"]))
        if ask is None:
            raise ValueError(f"A view is asked for one of {', '.join(asks)}.")
        values = header.get("values")
        return ask.is_long, ask.answer(self._desk, values if isinstance(values, Mapping) else {})

    def _signal(self, read: Callable[[], Shown]) -> Iterator[Reply]:
        """Take another signal, and describe it."""
        self._newest = {k: v + 1 for k, v in self._newest.items() if not k.startswith("signal")}
        found = read()
        self._desk.put(found)
        yield Reply({
            "name": found.name,
            "size": found.size,
            "preview": found.task.shape,
            "channels": found.task.n_outputs,
            "downscale": found.downscale,
            "notes": found.notes,
            "kind": found.kind,
            "about": found.about,
        })

    def _begin(self, header: dict[str, Any], replies: Iterator[Reply]) -> None:
        """Answer in a thread of its own, once the long work before it has stopped."""
        before = self._long

        def work() -> None:
            if before is not None:
                before.join()
            self._answer(header, replies)
            give_back_freed_memory()

        self._long = Thread(target=work, daemon=True)
        self._long.start()

    def _answer(self, header: dict[str, Any], replies: Iterator[Reply]) -> None:
        """Send replies as long as nothing newer was asked under the same key."""
        key, number = str(header["key"]), int(header["id"])
        try:
            while key.startswith("signal") or self._newest.get(key) == number:
                reply = next(replies, None)
                if reply is None:
                    self._send(header, "done", Reply())
                    return
                if key.startswith("signal") or self._newest.get(key) == number:
                    self._send(header, "answer", reply)
        except _USER_ERRORS as error:
            self._send(header, "error", Reply(refused(error)))
        except Exception:
            traceback.print_exc(file=sys.stderr)
            mistake = Refusal("mistake", "The studio made a mistake of its own.")
            self._send(header, "error", Reply(refused(mistake)))
        finally:
            if isinstance(replies, Generator):
                replies.close()  # what it works at is no longer asked for

    def _send(self, header: dict[str, Any], kind: str, reply: Reply) -> None:
        told = {"id": header["id"], "key": header["key"], "kind": kind, "content": reply.content}
        frame = pack(told, reply.arrays)
        with self._sending:
            try:
                self._channel.send_bytes(frame)
            except OSError:
                return  # the server has gone, and so will this process
