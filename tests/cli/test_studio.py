"""`ntkit studio`: what is said before it serves."""

import socket
import sys
from pathlib import Path

import pytest

pytest.importorskip("tyro")
pytest.importorskip("uvicorn")

from ntkit.cli import studio as command
from ntkit.studio import page, server


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page, and a server that only says where it would be."""
    (tmp_path / "index.html").write_text("<!doctype html>")
    monkeypatch.setattr(server, "read_page", lambda: page.read_page(tmp_path))
    monkeypatch.setattr(server, "_run", lambda app, listening: listening.close())
    return tmp_path


def test_a_page_that_is_not_built_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "read_page", lambda: page.read_page(tmp_path))
    with pytest.raises(FileNotFoundError, match="make studio"):
        command.studio(no_open=True)


def test_the_address_is_told(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.studio(port=0, no_open=True) == 0
    assert "http://127.0.0.1:" in capsys.readouterr().out
    assert "token" not in capsys.readouterr().out


def test_elsewhere_a_token_is_part_of_it(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command.studio(port=0, host="0.0.0.0", no_open=True)
    assert "/?token=" in capsys.readouterr().out


def test_a_port_in_use_is_told_of_and_the_usual_one_is_replaced(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="another one, or 0 for any"):
            command.studio(port=port, no_open=True)
    with socket.socket() as usual:
        usual.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            usual.bind(("127.0.0.1", server.PORT))
            usual.listen()
        except OSError:
            pass  # someone else has it, which does as well
        command.studio(no_open=True)
    assert f":{server.PORT}" not in capsys.readouterr().out


def test_other_mistakes_are_refused(built: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no file"):
        command.studio(built / "missing.png", no_open=True)
    with pytest.raises(OSError, match="cannot be"):
        command.studio(host="203.0.113.7", no_open=True)


def test_a_browser_is_opened_unless_told_otherwise(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(server.webbrowser, "open", opened.append)
    command.studio(port=0)
    command.studio(port=0, no_open=True)
    assert len(opened) == 1


def test_without_the_extra_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [m for m in sys.modules if m.startswith("ntkit.studio")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match="pip install 'ntkit\\[studio\\]'"):
        command.studio(no_open=True)
