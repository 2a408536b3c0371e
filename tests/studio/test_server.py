"""A real server, by its sockets: the protocol, sessions, and what hostile clients get."""

import contextlib
import http.client
import io
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import numpy as np
import pytest
import torch

pytest.importorskip("uvicorn")
pytest.importorskip("websockets")

from PIL import Image as Pillow
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ntkit.studio.frames import pack
from ntkit.studio.sessions import LINGER, MOST_SESSIONS
from ntkit.studio.signals import MOST_BYTES
from ntkit.tasks import Budget, Image
from ntkit.tuning import NetworkPlan, sweep
from tests.cases import smooth_picture
from tests.studio.client import WAIT, Studio, Tab, running
from tests.studio.memory import family, memory
from tests.studio.test_bandwidth import VALUES
from tests.studio.test_signals import bomb

pytestmark = pytest.mark.slow

VIEW = "bandwidth"


def pixels_of(height: int = 24, width: int = 32) -> np.ndarray:
    return (smooth_picture(height, width) * 255).round().to(torch.uint8).numpy()


def photo(height: int = 24, width: int = 32) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(pixels_of(height, width)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "index.html").write_text("<!doctype html><title>studio</title>")
    with running(folder) as found:
        with (
            found.tab() as tab
        ):  # the process that workers come from is up before anything is timed
            assert tab.upload(photo())["kind"] == "answer"
        yield found


def test_numbers_are_the_librarys(studio: Studio) -> None:
    with studio.tab() as tab:
        said = tab.upload(photo(), "a photo.png")["content"]
        assert (said["name"], said["size"], said["preview"]) == ("a photo.png", [24, 32], [24, 32])
        curve, _ = tab.ask(VIEW, "curve", **VALUES)
        picture, arrays = tab.ask(VIEW, "picture", **VALUES, bandwidth=2.0, budget=2)
    task = Image(pixels_of())
    plan = NetworkPlan(2, 3, width=task.width, depth=task.depth)
    (rung,) = sweep(task, [2.0], budget=Budget(steps=60), plan=plan)
    at = curve["content"]["bandwidths"].index(2.0)
    for i, steps in enumerate(rung.steps):
        assert curve["content"]["psnr"][i][at] == pytest.approx(
            rung.row.at(steps).held_out, abs=1e-6
        )
    assert picture["content"]["held_out"] == pytest.approx(rung.row.at(60).held_out, abs=1e-6)
    wanted = (rung.field(60).clamp(0, 1) * 255).round().numpy()
    assert np.abs(arrays["picture"][..., :3] - wanted).max() <= 1  # a rounding at one half


def test_the_newest_value_of_a_control_wins(studio: Studio) -> None:
    with studio.tab() as tab:
        tab.upload(photo())
        tab.ask(VIEW, "curve", **VALUES)
        numbers = [
            tab.send(VIEW, "picture", **VALUES, bandwidth=b, budget=1) for b in (1.0, 2.0, 4.0) * 40
        ]
        answered = []
        while numbers[-1] not in answered:
            header, _ = tab.receive()
            if header["kind"] == "answer":
                answered.append(header["id"])
    assert answered == sorted(answered)
    assert len(answered) < len(numbers)


def test_long_work_stops_when_it_is_asked_for_again_or_called_off(studio: Studio) -> None:
    with studio.tab() as tab:
        tab.upload(photo(120, 160))
        first = tab.send(VIEW, "curve", **VALUES)
        while tab.receive()[0]["kind"] != "answer":
            pass
        second = tab.send(VIEW, "curve", **{**VALUES, "steps": 61})
        heard = []
        while not heard or heard[-1] != (second, "done"):
            header, _ = tab.receive()
            heard.append((header["id"], header["kind"]))
        assert (first, "done") not in heard
        tab.send(VIEW, "curve", **{**VALUES, "steps": 62})
        while tab.receive()[0]["kind"] != "answer":
            pass
        tab.socket.send(pack({"id": 10**6, "kind": "cancel", "view": VIEW, "ask": "curve"}))
        tab.ask(VIEW, "honest")
        with pytest.raises(TimeoutError):
            while True:
                late = tab.socket.recv(timeout=1.5)
                assert late


def test_two_tabs_do_not_disturb_each_other(studio: Studio) -> None:
    with studio.tab() as one, studio.tab() as other:
        one.upload(photo(24, 32))
        other.upload(photo(40, 16))
        _, first = one.ask(VIEW, "honest")
        _, second = other.ask(VIEW, "honest")
    assert first["picture"].shape == (24, 32, 4)
    assert second["picture"].shape == (40, 16, 4)


def test_a_reload_finds_its_session_and_a_second_tab_does_not(studio: Studio) -> None:
    with studio.tab() as tab:
        name = tab.hello["session"]
        tab.upload(photo(), "mine.png")
        with studio.tab(name) as double:
            assert double.hello["session"] != name
    time.sleep(0.3)
    with studio.tab(name) as tab:
        assert tab.hello["session"] == name
        assert tab.hello["signal"]["name"] == "mine.png"
        assert tab.ask(VIEW, "honest")[0]["kind"] == "answer"


def test_a_session_is_freed_five_seconds_after_its_tab(studio: Studio) -> None:
    with studio.tab() as tab:
        name = tab.hello["session"]
        before = set(family(studio.process.pid))
        tab.upload(photo())
        worker = set(family(studio.process.pid)) - before
        assert len(worker) == 1
    time.sleep(LINGER + 3)
    assert not worker & set(family(studio.process.pid))
    with studio.tab(name) as tab:
        assert tab.hello["session"] != name


def test_a_worker_that_dies_is_told_of_and_replaced(studio: Studio) -> None:
    with studio.tab() as tab:
        before = set(family(studio.process.pid))
        tab.upload(photo())
        (worker,) = set(family(studio.process.pid)) - before
        os.kill(worker, 9)
        assert tab.receive()[0]["kind"] in {"done", "lost"}
        time.sleep(0.5)
        assert tab.upload(photo())["kind"] == "answer"


def test_a_file_of_the_command_line_is_offered(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "mine.png").write_bytes(photo())
    with running(tmp_path, file=tmp_path / "mine.png") as studio, studio.tab() as tab:
        assert tab.hello["offered"] == "mine.png"
        tab.socket.send(pack({"id": 1, "kind": "offered"}))
        header, _ = next(tab.answers(1))
        assert header["content"]["name"] == "mine.png"


def test_questions_before_a_signal_are_answered_in_words(studio: Studio) -> None:
    with studio.tab() as tab:
        header, _ = tab.ask(VIEW, "curve", **VALUES)
        assert header["kind"] == "error"
        assert "no signal yet" in header["content"]["message"]


# What hostile clients get.


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff" * 100,
        b"\x02\0\0\0{}",
        pack({"id": "1", "view": VIEW, "ask": "curve"}),
        pack({"id": -1, "view": VIEW, "ask": "curve"}),
        pack({"id": 2**60, "view": VIEW, "ask": "curve"}),
        pack({"id": 1, "view": "../../os", "ask": "curve"}),
        pack({"id": 1, "view": VIEW, "ask": "__class__"}),
        pack({"id": 1, "view": VIEW, "ask": "curve", "values": []}),
        pack({"id": 1, "kind": "offered"}),
        pack({"id": 1, "kind": "signal", "key": "signal", "path": "/etc/passwd"}),
        "text",
    ],
    ids=lambda message: str(message)[:60].encode("ascii", "replace").decode().replace("\\", ""),
)
def test_malformed_frames_close_the_socket(studio: Studio, message: bytes | str) -> None:
    with studio.tab() as tab:
        tab.socket.send(message)
        with pytest.raises(ConnectionClosed):
            tab.receive()


def test_oversized_frames_close_the_socket(studio: Studio) -> None:
    with studio.tab() as tab, pytest.raises(ConnectionClosed):
        tab.socket.send(bytes(2**20))
        tab.receive()


def test_deeply_nested_values_are_no_way_in(studio: Studio) -> None:
    with studio.tab() as tab:
        text = b'{"id":1,"values":' + b"[" * 60_000
        tab.socket.send(len(text).to_bytes(4, "little") + text)
        with pytest.raises(ConnectionClosed):
            tab.receive()


@pytest.mark.parametrize("origin", ["http://evil.example", None])
def test_sockets_of_other_pages_are_refused(studio: Studio, origin: str | None) -> None:
    with pytest.raises(InvalidStatus), studio.tab(origin=origin):
        pass


def test_deflate_is_off(studio: Studio) -> None:
    with studio.tab(compression="deflate") as tab:
        assert tab.socket.protocol.extensions == []


def test_a_picture_without_end_is_refused_by_its_header(studio: Studio) -> None:
    with studio.tab() as tab:
        header = tab.upload(bomb(60_000, 60_000), "bomb.png")
        assert header["kind"] == "error"
        assert "at most" in header["content"]["message"]
        assert tab.upload(photo())["kind"] == "answer"


def test_names_are_text(studio: Studio) -> None:
    with studio.tab() as tab:
        name = '../../<img src=x onerror="alert(1)">\0\n한글.png'
        said = tab.upload(photo(), name)["content"]["name"]
        assert said == '<img src=x onerror="alert(1)">한글.png'


def test_uploads_that_are_too_large_are_refused_as_they_come(studio: Studio) -> None:
    with studio.tab() as tab:
        with pytest.raises((HTTPError, OSError)) as caught:
            tab.post(bytes(MOST_BYTES + 1), "large.png")
        assert getattr(caught.value, "code", 413) == 413
        path = f"/signal?session={tab.hello['session']}&id=1"
        line = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=WAIT)
        line.putrequest("POST", path)
        line.putheader("Origin", studio.origin)
        line.putheader("Transfer-Encoding", "chunked")  # which announces no length
        line.endheaders()
        piece = bytes(2**20)
        with contextlib.suppress(OSError):
            for _ in range(MOST_BYTES // len(piece) + 2):
                line.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        with contextlib.suppress(OSError):
            assert line.getresponse().status == 413
        line.close()


def test_a_hundred_uploads_at_once_leave_the_server_as_it_was(studio: Studio) -> None:
    with studio.tab() as tab:
        tab.upload(photo())
        before = memory(studio.process.pid)
        data = os.urandom(4 * 2**20)
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda i: _posted(tab, data, i), range(100)))
        assert set(answers) <= {204, 503, 408}
        assert tab.upload(photo())["kind"] == "answer" or _drained(tab)
        time.sleep(1)
        # The last of the hundred may still be in the worker's hands: 4 MiB, and what Python keeps of pools.
        assert memory(studio.process.pid) < before + 60


def _posted(tab: Tab, data: bytes, i: int) -> int:
    try:
        return tab.post(data, "noise.png", 1000 + i)
    except HTTPError as error:
        return error.code
    except OSError:
        return 503


def _drained(tab: Tab) -> bool:
    return tab.upload(photo())["kind"] == "answer"


def test_a_client_that_reads_nothing_holds_up_nobody(studio: Studio) -> None:
    with studio.tab() as slow:  # its client stops reading once a queue of its own is full
        slow.upload(photo(200, 256))
        slow.ask(VIEW, "curve", **VALUES)
        before = memory(studio.process.pid)
        slow.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(300):
            slow.send(VIEW, "honest")
        with studio.tab() as other:
            start = time.monotonic()
            assert other.upload(photo())["kind"] == "answer"
            assert other.ask(VIEW, "honest")[0]["kind"] == "answer"
            assert time.monotonic() - start < 10
        assert memory(studio.process.pid) < before + 250  # of which the other tab's worker


def test_more_tabs_than_there_may_be_are_told_so(studio: Studio) -> None:
    time.sleep(LINGER + 1)
    with contextlib.ExitStack() as stack:
        for _ in range(MOST_SESSIONS):
            stack.enter_context(studio.tab())
        with pytest.raises(ConnectionClosed) as caught, studio.tab():
            pass
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 4003


def test_a_hundred_tabs_leave_the_memory_as_it_was(studio: Studio) -> None:
    time.sleep(LINGER + 2)
    before = memory(studio.process.pid)
    for i in range(100):
        with studio.tab() as tab:
            if i % 20 == 0:
                tab.upload(photo())
                tab.ask(VIEW, "honest")
    time.sleep(LINGER + 2)
    assert memory(studio.process.pid) < 1.1 * before
    assert len(family(studio.process.pid)) <= 3  # the server, and what workers come from
