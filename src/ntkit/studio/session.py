"""A tab's session: its worker process, what waits for that, and what waits for the tab."""

import multiprocessing
from asyncio import AbstractEventLoop, Event
from collections.abc import Mapping
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from secrets import token_urlsafe
from threading import Thread
from typing import Any

from ntkit.studio.frames import pack, unpack
from ntkit.studio.mailbox import Mailbox
from ntkit.studio.places import PLACES, needs_signal
from ntkit.studio.refusals import Refusal, refused
from ntkit.studio.worker import run

__all__ = ["Session", "warm"]

_LONGEST = 256 * 2**20  # bytes of a frame of a worker
_GRACE = 2.0  # seconds in which a worker may end by itself
_MODULES = [
    f"ntkit.studio.{p}" if p.startswith("story.") else f"ntkit.studio.views.{p}" for p in PLACES
]
_PRELOADED = ["ntkit.studio.worker", *_MODULES, "sympy"]
"""What workers find imported. Torch imports sympy at its first network on no device, which takes a second."""


def _context() -> ForkServerContext | SpawnContext:
    """How workers start: out of a process that has imported the library and nothing else, where there is one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def warm() -> None:
    """Start the process that workers come from, so that the first of them does not wait for its imports."""
    context = _context()
    if isinstance(context, ForkServerContext):
        from multiprocessing.forkserver import ensure_running

        ensure_running()


class Session:
    """What belongs to one tab.

    Attributes:
        id: A secret between the server and the tab.
        signal: What the worker says of the signal, once it is read; for a tab that comes back.
        arrived: Set when there is something for the tab.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.id: str = token_urlsafe(24)
        self.signal: Mapping[str, Any] | None = None
        self.arrived: Event = Event()
        self._loop = loop
        self._outbox = Mailbox()
        self._worker: _Handle | None = None
        self._closed = False

    def ask(self, header: Mapping[str, Any], payload: bytes = b"") -> bool:
        """Hand a message to the worker; False where too many wait."""
        if self._closed:
            return False
        if self._worker is None:
            if header["kind"] == "cancel":
                return True
            if header["kind"] != "signal" and needs_signal(
                str(header["view"])
            ):  # nothing is known of which it could be asked
                error = Refusal(
                    "no_signal", "There is no signal yet. Drop a file, or pick an example."
                )
                told = {"id": header["id"], "key": header["key"], "kind": "error"}
                return self._post(pack({**told, "content": refused(error)}))
            self._worker = _Handle(self)
        frame = pack(header) + payload
        return self._worker.inbox.put(str(header["key"]), frame)

    def take(self) -> bytes | None:
        """The oldest frame for the tab, if there is one."""
        frame = self._outbox.take(wait=False)
        if frame is None:
            self.arrived.clear()
        return frame

    def post(self, frame: bytes) -> None:
        """Take a frame of the worker, in the thread of the loop."""
        header, _ = unpack(frame)
        if header.get("key") == "signal" and header.get("kind") == "answer":
            self.signal = header.get("content")
        self._outbox.put(f"{header.get('key')} {header.get('kind')}", frame)
        self.arrived.set()

    def lost(self, worker: "_Handle") -> None:
        """Note that the worker has ended, in the thread of the loop."""
        if self._worker is not worker or self._closed:
            return
        self._worker, self.signal = None, None
        text = "The work on this signal ended without an answer; it may have run out of memory."
        content = refused(Refusal("lost", text))
        self._post(pack({"id": 0, "key": "lost", "kind": "lost", "content": content}))

    def close(self) -> None:
        """End the worker and forget what waits."""
        self._closed = True
        self._outbox.close()
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def from_thread(self, call: Any, *arguments: Any) -> None:
        """Have the loop call something; nothing where it has ended."""
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return

    def _post(self, frame: bytes) -> bool:
        self.post(frame)
        return True


class _Handle:
    """A worker process, and the two threads that send to it and hear of it."""

    def __init__(self, session: Session) -> None:
        self.inbox: Mailbox = Mailbox()
        self._session = session
        Thread(target=self._live, daemon=True).start()

    def close(self) -> None:
        """Let the process end; the threads end with it."""
        self.inbox.close()

    def _live(self) -> None:
        """Start the process and send to it, until the session closes or it ends."""
        context = _context()
        ours, theirs = context.Pipe()
        process = context.Process(target=run, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        Thread(target=self._hear, args=(ours,), daemon=True).start()
        try:
            while (frame := self.inbox.take()) is not None:
                ours.send_bytes(frame)
        except OSError:
            self.inbox.close()
        process.terminate()
        process.join(_GRACE)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()
        ours.close()

    def _hear(self, channel: Connection) -> None:
        """Hand on what the process sends."""
        try:
            while True:
                self._session.from_thread(self._session.post, channel.recv_bytes(_LONGEST))
        except (EOFError, OSError):
            self.inbox.close()
            self._session.from_thread(self._session.lost, self)
