"""A studio that runs in a process of its own, and a tab without a browser."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np

from ntkit.studio.frames import pack, unpack

WAIT = 60.0  # seconds after which a test that hears nothing fails

_STARTED = """
import sys
from pathlib import Path
from ntkit.studio import page, server
page.FOLDER = Path(sys.argv[1])
read = page.read_page
server.read_page = lambda: read(Path(sys.argv[1]))
file = Path(sys.argv[3]) if len(sys.argv) > 3 else None
server.serve(file, host=sys.argv[2], port=0, open_browser=False, say=lambda text: print(text, flush=True))
"""


class Studio:
    """A running server."""

    def __init__(self, process: subprocess.Popen, address: str) -> None:
        self.process, self.address = process, address
        self.origin = address.split("?", maxsplit=1)[0].rstrip("/")
        self.host = self.origin.removeprefix("http://")
        self.port = int(self.host.rsplit(":", 1)[1])

    @contextmanager
    def tab(self, session: str = "", **options: Any) -> Iterator["Tab"]:
        from websockets.sync.client import connect

        where = f"ws://{self.host}/socket?session={session}"
        options = {"origin": self.origin, "compression": None, "max_size": 2**28, **options}
        with connect(where, **options) as socket:
            yield Tab(self, socket)


class Tab:
    """One socket, with numbered requests."""

    def __init__(self, studio: Studio, socket: Any) -> None:
        self.studio, self.socket = studio, socket
        self.hello = self.receive()[0]["content"]
        self._numbers = itertools.count(1)

    def receive(self) -> tuple[dict[str, Any], memoryview]:
        return unpack(self.socket.recv(timeout=WAIT))

    def send(self, view: str, ask: str, **values: Any) -> int:
        number = next(self._numbers)
        self.socket.send(pack({"id": number, "view": view, "ask": ask, "values": values}))
        return number

    def answers(self, number: int) -> Iterator[tuple[dict[str, Any], dict[str, np.ndarray]]]:
        """What comes for a request until it is done."""
        while True:
            header, payload = self.receive()
            if header["id"] != number:
                continue
            if header["kind"] == "done":
                return
            yield header, arrays_of(header, payload)
            if header["kind"] == "error":
                return

    def ask(
        self, view: str, ask: str, **values: Any
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The last answer to a request."""
        return list(self.answers(self.send(view, ask, **values)))[-1]

    def upload(self, data: bytes, name: str = "picture.png") -> dict[str, Any]:
        """Send a file; what the worker says of it."""
        number = next(self._numbers)
        assert self.post(data, name, number) == 204
        header, _ = next(self.answers(number))
        return header

    def post(self, data: bytes, name: str, number: int = 1) -> int:
        where = f"{self.studio.origin}/signal?session={self.hello['session']}&id={number}"
        headers = {"Origin": self.studio.origin, "X-Name": quote(name, safe="")}
        with urlopen(Request(where, data, headers), timeout=WAIT) as response:
            return response.status


def arrays_of(header: dict[str, Any], payload: memoryview) -> dict[str, np.ndarray]:
    found = {}
    for told in header.get("arrays", []):
        count = int(np.prod(told["shape"]))
        whole = np.frombuffer(payload, told["dtype"], count, told["offset"])
        found[told["name"]] = whole.reshape(told["shape"])
    return found


@contextmanager
def running(page: Path, *, host: str = "127.0.0.1", file: Path | None = None) -> Iterator[Studio]:
    """A server of a page in a process of its own, ended at the end."""
    command = [sys.executable, "-c", _STARTED, str(page), host, *([str(file)] if file else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Studio(process, process.stdout.readline().strip())
        finally:
            process.terminate()
            process.wait(WAIT)
