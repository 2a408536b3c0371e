"""`ntkit studio`: a server on this machine, and a browser at its page."""

import logging
import socket
import webbrowser
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread

import uvicorn

from ntkit._core.whole_files import shown
from ntkit.studio.app import Studio, application
from ntkit.studio.page import read_page
from ntkit.studio.sessions import Sessions

__all__ = ["PORT", "serve"]

PORT = 8765
"""Taken where it is free and no other is asked for."""

_LONGEST_MESSAGE = 64 * 1024  # bytes of what a page asks; files come another way


def serve(
    file: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    open_browser: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the studio until Ctrl-C.

    Args:
        file: What to look at first.
        host: Where to listen. Elsewhere than on loopback a token is part of the address.
        port: 0 for any that is free; 8765, or any, if left out.
        open_browser: Whether to open the page.
        say: Is told the address.

    Raises:
        FileNotFoundError: The file is not there.

    A page that is not built, or a port that is in use, is refused in one line.
    """
    page = read_page()
    if file is not None and not file.is_file():
        raise FileNotFoundError(
            f"`{shown(file)}` is no file. Pass a picture, a sound or a volume, or nothing."
        )
    offered = None if file is None else (file.resolve(), file.name)
    listening = _bound(host, port)
    bound = listening.getsockname()[1]
    token = None if _is_loopback(host) else token_urlsafe(24)
    names = _names(host)
    studio = Studio(page, Sessions(), offered)
    app = application(studio, hosts=[f"{name}:{bound}" for name in names], token=token)
    address = f"http://{names[0]}:{bound}/" + (f"?token={token}" if token else "")
    say(address)
    if open_browser:
        Thread(target=webbrowser.open, args=[address], daemon=True).start()
    _run(app, listening)


def _run(app: Callable[..., object], listening: socket.socket) -> None:
    config = uvicorn.Config(
        app,  # pyright: ignore[reportArgumentType]
        ws="websockets-sansio",
        ws_max_size=_LONGEST_MESSAGE,
        ws_per_message_deflate=False,  # a picture of 256 x 256 takes 7 ms or more through it, 1.5 ms without
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        limit_concurrency=200,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=32 * 1024,
    )
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        return


def _bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: The port is in use, or the host is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for wanted in (PORT, 0) if port is None else (port,):
        # Named as TCP, or asyncio would leave Nagle's algorithm on: a small message waits 40 ms then.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, wanted))
            listening.listen()  # before the address is told: whoever comes early waits
        except (OSError, OverflowError) as error:
            listening.close()
            if port is not None:
                raise OSError(
                    f"`--port {port}` of {host} cannot be had: {str(error).removesuffix('.')}. Pass another one, or 0 for any."
                ) from None
            continue
        listening.set_inheritable(False)
        return listening
    raise OSError(f"{host} cannot be listened to: it is not an address of this machine.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(host: str) -> list[str]:
    """What the server may be called by, the name for the address first."""
    written = f"[{host}]" if ":" in host else host
    if _is_loopback(host):
        return list(dict.fromkeys([written, "localhost"]))
    if not ip_address(host).is_unspecified if _is_address(host) else True:
        return [written]
    own = socket.gethostname()
    try:
        found = [str(info[4][0]) for info in socket.getaddrinfo(own, None, socket.AF_INET)]
    except OSError:
        found = []
    return list(dict.fromkeys([own, *found, "localhost", "127.0.0.1"]))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
