"""All sessions: a reload finds its own again, and one whose tab has gone is freed."""

import asyncio
from asyncio import AbstractEventLoop, TimerHandle
from threading import Thread

from ntkit.studio.session import Session, warm

__all__ = ["LINGER", "MOST_SESSIONS", "Sessions", "TooManySessions"]

LINGER = 5.0
"""Seconds that a session waits for its tab to come back."""

MOST_SESSIONS = 8
"""Tabs at once; each may take some hundred megabytes."""


class TooManySessions(Exception):
    """Every session is in use."""


class Sessions:
    """The sessions of a server, by their ids.

    Args:
        linger: Seconds that one whose socket has closed waits for it to return.
        most: How many there may be.
    """

    def __init__(self, *, linger: float = LINGER, most: int = MOST_SESSIONS) -> None:
        self._linger, self._most = linger, most
        self._all: dict[str, Session] = {}
        self._leaving: dict[str, TimerHandle] = {}
        self._warmed = False

    def __len__(self) -> int:
        return len(self._all)

    def claim(self, wanted: str | None) -> Session:
        """The session of a tab: its own where it comes back in time, else a new one.

        Args:
            wanted: The id that the tab had. One that is in use stays whose it is: a tab that was duplicated
                has the id of the other.

        Raises:
            TooManySessions: There are as many as there may be, all in use.
        """
        loop = asyncio.get_running_loop()
        timer = self._leaving.pop(wanted, None) if wanted else None
        if wanted and timer is not None:
            timer.cancel()
            return self._all[wanted]
        if len(self._all) >= self._most and self._leaving:
            self._free(next(iter(self._leaving)))
        if len(self._all) >= self._most:
            raise TooManySessions
        return self._added(loop)

    def find(self, wanted: str) -> Session | None:
        """The session of an id, if a tab has it open."""
        return None if wanted in self._leaving else self._all.get(wanted)

    def leave(self, session: Session) -> None:
        """Free a session in a while, unless its tab returns."""
        if session.id in self._all:
            loop = asyncio.get_running_loop()
            self._leaving[session.id] = loop.call_later(self._linger, self._free, session.id)

    def close(self) -> None:
        """Free all of them."""
        for name in list(self._all):
            self._free(name)

    def _added(self, loop: AbstractEventLoop) -> Session:
        session = Session(loop)
        self._all[session.id] = session
        if not self._warmed:
            self._warmed = True
            Thread(target=warm, daemon=True).start()
        return session

    def _free(self, name: str) -> None:
        timer = self._leaving.pop(name, None)
        if timer is not None:
            timer.cancel()
        self._all.pop(name).close()
