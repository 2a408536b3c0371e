"""Who may ask: the application by itself, without a server."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

from ntkit.studio.app import Studio, application
from ntkit.studio.guard import COOKIE
from ntkit.studio.page import PageFile, read_page
from ntkit.studio.sessions import Sessions

HOST = "127.0.0.1:9"
OWN = {"host": HOST, "origin": f"http://{HOST}"}
PAGE = {"/": PageFile(b"<!doctype html>", "text/html"), "/a.js": PageFile(b"1", "text/javascript")}


def asked(
    path: str,
    headers: Mapping[str, str],
    *,
    method: str = "GET",
    token: str | None = None,
    query: str = "",
    kind: str = "http",
    body: bytes = b"",
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer; of a socket 101 or 403."""
    app = application(Studio(PAGE, Sessions()), hosts=[HOST, "localhost:9"], token=token)
    scope = {
        "type": kind, "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": query.encode(), "scheme": "http", "http_version": "1.1",
        "headers": [(k.encode(), v.encode()) for k, v in headers.items()], "asgi": {"version": "3.0"},
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    coming = [
        {"type": "websocket.connect"}
        if kind == "websocket"
        else {"type": "http.request", "body": body, "more_body": False},
        {"type": f"{kind}.disconnect"},
    ]

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def whole() -> None:
        await app(scope, receive, send)  # pyright: ignore[reportArgumentType]

    asyncio.run(whole())
    if kind == "websocket":
        return (101 if sent[0]["type"] == "websocket.accept" else 403), {}, b""
    told = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(m.get("body", b"") for m in sent[1:])


def test_the_page_is_served_with_a_strict_policy() -> None:
    status, headers, body = asked("/", {"host": HOST})
    assert (status, body) == (200, b"<!doctype html>")
    policy = dict(p.strip().split(" ", 1) for p in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == f"'self' ws://{HOST}"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fetc/passwd",
        "/assets/../../server.py",
        "//etc/passwd",
        "/etc/passwd",
        "/a.js/",
        "/a.js\0.html",
        "/C:\\windows\\win.ini",
    ],
)
def test_no_path_reaches_the_file_system(path: str) -> None:
    assert asked(path, {"host": HOST})[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "evil.example:9"},
        {"host": "127.0.0.1"},
        {"host": "127.0.0.1:10"},
        {"host": "localhost.evil.example:9"},
        {"host": f"{HOST}, evil.example"},
    ],
)
def test_dns_rebinding_is_refused(headers: dict[str, str]) -> None:
    assert asked("/", headers)[0] == 421
    assert asked("/socket", {**headers, "origin": f"http://{HOST}"}, kind="websocket")[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"https://{HOST}", "http://127.0.0.1:10", f"http://{HOST}.evil.example"]
)  # fmt: skip
def test_other_origins_are_refused(origin: str) -> None:
    headers = {"host": HOST, "origin": origin}
    assert asked("/", headers)[0] == 403
    assert asked("/signal", headers, method="POST")[0] == 403
    assert asked("/socket", headers, kind="websocket")[0] == 403


def test_what_changes_something_must_tell_its_origin() -> None:
    assert asked("/signal", {"host": HOST}, method="POST")[0] == 403
    assert asked("/socket", {"host": HOST}, kind="websocket")[0] == 403
    crossing = {**OWN, "sec-fetch-site": "cross-site"}
    assert asked("/signal", crossing, method="POST")[0] == 403
    assert asked("/socket", OWN, kind="websocket")[0] == 101


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(method: str) -> None:
    assert asked("/", OWN, method=method)[0] == 405


@pytest.mark.parametrize(
    "query", ["", "session=x&id=1", "session=&id=-1", "session=x&id=" + "9" * 40]
)
def test_uploads_without_a_session_are_refused(query: str) -> None:
    assert asked("/signal", OWN, method="POST", query=query, body=b"data")[0] == 404


def test_elsewhere_than_on_loopback_a_token_is_demanded() -> None:
    assert asked("/", {"host": HOST}, token="secret")[0] == 403
    assert asked("/", {"host": HOST}, token="secret", query="token=other")[0] == 403
    assert asked("/socket", OWN, token="secret", kind="websocket")[0] == 403
    status, headers, _ = asked("/", {"host": HOST}, token="secret", query="token=secret")
    assert (status, headers["location"]) == (303, "/")
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    known = {"cookie": f"{COOKIE}=secret"}
    assert asked("/", {"host": HOST, **known}, token="secret")[0] == 200
    assert asked("/socket", {**OWN, **known}, token="secret", kind="websocket")[0] == 101
    for wrong in (f"{COOKIE}=other", f"{COOKIE}=", "{};;=", f"{COOKIE}=é"):
        assert asked("/", {"host": HOST, "cookie": wrong}, token="secret")[0] == 403


def test_a_page_that_is_not_built_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make studio"):
        read_page(tmp_path)


def test_the_page_is_read_once_and_without_other_files(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    for name in ("index.html", "assets/a.js", "notes.py"):
        (tmp_path / name).write_text(name)
    found = read_page(tmp_path)
    assert sorted(found) == ["/", "/assets/a.js", "/index.html"]
    assert found["/assets/a.js"].media_type.startswith("text/javascript")
