"""The application: the page's files, an upload, and one socket a tab."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ntkit.studio.frames import MalformedFrame, pack, unpack
from ntkit.studio.guard import Guard
from ntkit.studio.page import PageFile
from ntkit.studio.places import PLACES
from ntkit.studio.session import Session
from ntkit.studio.sessions import Sessions, TooManySessions
from ntkit.studio.signals import MOST_BYTES
from ntkit.studio.story import ORDER
from ntkit.studio.views import NAMES

__all__ = ["Studio", "application"]

_UPLOADS = 2  # at once; the others wait
_PATIENCE = 20.0  # seconds for the next bytes of an upload, for a turn to upload, or for a slow tab
_LARGEST_ID = 2**53
"""Below, the whole numbers of JavaScript are exact."""

_NAME = re.compile(r"[a-z][a-z_]{0,31}")


@dataclass(frozen=True)
class Studio:
    """What the application serves.

    Attributes:
        page: The page's files.
        sessions: Of the tabs.
        offered: A file of the command line: its path and its name, None without one.
        patience: Seconds that a slow client is waited for.
    """

    page: Mapping[str, PageFile]
    sessions: Sessions
    offered: tuple[Path, str] | None = None
    patience: float = _PATIENCE


def application(studio: Studio, *, hosts: Iterable[str], token: str | None = None) -> Starlette:
    """The ASGI application.

    Args:
        studio: What is served.
        hosts: `name:port` of whatever it is called by.
        token: What must be known to use it; None on loopback.
    """
    turns = asyncio.Semaphore(_UPLOADS)

    async def page(request: Request) -> Response:
        file = studio.page.get(request.url.path)
        if file is None:
            return PlainTextResponse("There is no such page.", 404)
        return Response(file.content, media_type=file.media_type)

    async def upload(request: Request) -> Response:
        return await _uploaded(request, studio, turns)

    async def socket(websocket: WebSocket) -> None:
        await _served(websocket, studio)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        yield
        studio.sessions.close()

    return Starlette(
        routes=[
            WebSocketRoute("/socket", socket),
            Route("/signal", upload, methods=["POST"]),
            Route("/{path:path}", page, methods=["GET", "HEAD"]),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts), token=token)],
        lifespan=lifespan,
    )


async def _uploaded(request: Request, studio: Studio, turns: asyncio.Semaphore) -> Response:
    """Take a file for a session, in pieces, and no more than is allowed."""
    session = studio.sessions.find(request.query_params.get("session", ""))
    number = request.query_params.get("id", "")
    if session is None or not number.isdecimal() or len(number) > 15:
        return PlainTextResponse("There is no such session.", 404)
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or int(announced) > MOST_BYTES:
        return PlainTextResponse(f"At most {MOST_BYTES // 2**20} MiB.", 413)
    name = _text(unquote(request.headers.get("x-name", "")))
    try:
        async with asyncio.timeout(studio.patience):
            await turns.acquire()
    except TimeoutError:
        return PlainTextResponse("Other uploads are under way. Try again.", 503)
    try:
        data = await _body(request, studio.patience)
    except (TimeoutError, ClientDisconnect):
        return PlainTextResponse("The upload stopped.", 408)
    finally:
        turns.release()
    if data is None:
        return PlainTextResponse(f"At most {MOST_BYTES // 2**20} MiB.", 413)
    header = {"kind": "signal", "key": "signal", "id": int(number), "name": name}
    taken = session.ask(header, data)
    return Response(status_code=204) if taken else PlainTextResponse("Too much waits.", 503)


async def _body(request: Request, patience: float) -> bytes | None:
    """The bytes of a request; None where they are too many."""
    data = bytearray()
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(patience):
                piece = await anext(stream)
        except StopAsyncIteration:
            return bytes(data)
        if len(data) + len(piece) > MOST_BYTES:
            return None
        data += piece


async def _served(websocket: WebSocket, studio: Studio) -> None:
    """Give a tab its session, and carry messages both ways until it goes."""
    try:
        session = studio.sessions.claim(websocket.query_params.get("session"))
    except TooManySessions:
        await websocket.accept()
        await websocket.close(4003, "too many tabs")
        return
    try:
        await websocket.accept()
        await websocket.send_bytes(_hello(session, studio))
        session.arrived.set()
        carried = {
            asyncio.create_task(_carry_in(websocket, session, studio)),
            asyncio.create_task(_carry_out(websocket, session, studio.patience)),
        }
        _, left = await asyncio.wait(carried, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*carried, return_exceptions=True)
    finally:
        studio.sessions.leave(session)
    with suppress(RuntimeError, WebSocketDisconnect):
        await websocket.close()


def _hello(session: Session, studio: Studio) -> bytes:
    content = {
        "session": session.id,
        "views": NAMES,
        "story": ORDER,
        "signal": session.signal,
        "offered": studio.offered[1] if studio.offered else None,
        "most_bytes": MOST_BYTES,
    }
    return pack({"id": 0, "key": "hello", "kind": "hello", "content": content})


async def _carry_in(websocket: WebSocket, session: Session, studio: Studio) -> None:
    """Hand on what the tab asks; whoever sends what is no request is shown out."""
    while True:
        message = await websocket.receive()
        if message["type"] != "websocket.receive":
            return
        header = _request(message.get("bytes"), studio)
        if header is None:
            with suppress(RuntimeError, WebSocketDisconnect):
                await websocket.close(1007)
            return
        session.ask(header)


async def _carry_out(websocket: WebSocket, session: Session, patience: float) -> None:
    """Send what waits for the tab; one that takes nothing is given up."""
    while True:
        await session.arrived.wait()
        while (frame := session.take()) is not None:
            try:
                async with asyncio.timeout(patience):
                    await websocket.send_bytes(frame)
            except (TimeoutError, WebSocketDisconnect, RuntimeError):
                return


def _request(frame: bytes | None, studio: Studio) -> dict[str, Any] | None:
    """What a tab may ask, taken apart and put together again; None where it is nothing of the kind."""
    try:
        asked = unpack(frame or b"")[0]
    except MalformedFrame:
        return None
    number = asked.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < _LARGEST_ID:
        return None
    if asked.get("kind") == "offered" and studio.offered is not None:
        path, name = studio.offered
        return {"kind": "signal", "key": "signal", "id": number, "name": name, "path": str(path)}
    view, ask, values = asked.get("view"), asked.get("ask"), asked.get("values", {})
    if view not in PLACES or not isinstance(ask, str) or not _NAME.fullmatch(ask):
        return None
    if not isinstance(values, dict):
        return None
    kind = "cancel" if asked.get("kind") == "cancel" else "ask"
    told = {"kind": kind, "id": number, "key": f"{view}.{ask}"}
    return {**told, "view": view, "ask": ask, "values": values}


def _text(name: str) -> str:
    """The last part of a file's name, as printable text."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(c for c in last if c.isprintable())[:120] or "file"
