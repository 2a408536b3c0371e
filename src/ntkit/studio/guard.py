"""Who may speak to the server: this machine's own page, and nobody else's."""

import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard"]

COOKIE = "ntkit-studio"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self' {sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Guard:
    """Checks of every request and socket, before the application sees it.

    - `Host` is one of ours: a name that an attacker has pointed at this machine (DNS rebinding) is none.
    - `Origin`, which a browser sends with sockets and with whatever changes something, is our own page.
    - Where the server listens to more than this machine, a token is demanded: once in the address, then in a
      cookie that no script reads.

    Every response forbids scripts but our own files, frames, and guesses of a content's type.

    Args:
        app: The application.
        hosts: `name:port`, as browsers write them.
        token: None on loopback.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], token: str | None = None) -> None:
        self._app, self._token = app, token
        self._hosts = frozenset(hosts)
        self._origins = frozenset(f"http://{host}" for host in self._hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        refusal = self._refusal(scope, headers) or self._unknown(scope, headers)
        host = headers.get("host", "")
        guarded = _with_headers(send, f"ws://{host}" if host in self._hosts else "")
        if refusal is None:
            await self._app(scope, receive, guarded)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
        else:
            await refusal(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        """What is wrong with where a request comes from or goes to."""
        if headers.get("host") not in self._hosts:
            return PlainTextResponse("This host is not served here.", 421)
        origin = headers.get("origin")
        must_tell = scope["type"] == "websocket" or scope["method"] not in {"GET", "HEAD"}
        if (must_tell and origin is None) or (origin is not None and origin not in self._origins):
            return PlainTextResponse("Only this server's own page may ask.", 403)
        if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"} and must_tell:
            return PlainTextResponse("Only this server's own page may ask.", 403)
        return None

    def _unknown(self, scope: Scope, headers: dict[str, str]) -> Response | None:
        """What is said to those without the token; the token in the address becomes a cookie."""
        if self._token is None or self._is_token(_cookie(headers.get("cookie", ""))):
            return None
        if scope["type"] == "websocket":
            return PlainTextResponse("", 403)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if not self._is_token(given):
            return PlainTextResponse("Open the address that `ntkit studio` printed.", 403)
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, given, httponly=True, samesite="strict")
        return response

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; of a header that is given twice, what no rule allows."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def _cookie(text: str) -> str:
    try:
        morsel = SimpleCookie(text).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


def _with_headers(send: Send, sockets: str) -> Send:
    added = [
        (b"content-security-policy", _POLICY.format(sockets=sockets).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return guarded
