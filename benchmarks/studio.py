"""The studio in a browser: how soon a picture follows, how soon a curve appears, memory, the size of the page.

Memory is that of all processes of the server, pages that they share counted once, less what one process takes that has
imported the library and done nothing.

Needs the page (`make page`) and Chromium; `tests/studio` has the server and the browser that it drives.
"""

import gzip
import io
import multiprocessing
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Any

import numpy as np
from packaging.requirements import Requirement
from PIL import Image

from benchmarks.report import Row
from ntkit.studio.frames import pack, unpack
from ntkit.studio.page import FOLDER, read_page
from tests.studio.browser import chromium
from tests.studio.client import running
from tests.studio.memory import memory

_PROJECT = Path(__file__).parents[1] / "pyproject.toml"
_MOVES = 150
_SLIDERS = {
    "bandwidth": "#bandwidth-slider",
    "kernel": "#kernel-bandwidth",
    "time": "#time-slider",
    "spectrum": "#spectrum-slider",
}
_REPEATS = 5
_CURVE = "path.chosen"
_DONE = "main .view[aria-busy=false]"
_WAIT = 600_000.0
_FREED = 7  # seconds after which a session whose tab has gone is freed


def photo(size: int) -> bytes:
    """A smooth picture with edges and grain."""
    y, x = np.mgrid[0:size, 0:size] / size
    rng = np.random.default_rng(0)
    plain = 0.5 + 0.25 * np.sin(9 * x * y * 6) + 0.2 * ((x - 0.5) ** 2 + (y - 0.4) ** 2 < 0.06)
    levels = plain[..., None] * [0.9, 0.8, 0.7] + 0.02 * rng.standard_normal((size, size, 3))
    out = io.BytesIO()
    Image.fromarray((levels.clip(0, 1) * 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def page_kib() -> float:
    """Of the page's own files, each as gzip would send it."""
    files = {k: f for k, f in read_page().items() if k != "/"}
    own = [
        f for k, f in files.items() if not k.startswith("/examples/") and "font" not in f.media_type
    ]
    return sum(len(gzip.compress(f.content)) for f in own) / 1024


def import_mib() -> float:
    """Of a process that has imported the library."""
    code = "import ntkit, sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = memory(process.pid)
        process.communicate()
    return found


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The largest memory meanwhile, MiB, of what is seen five times a second."""
    most, done = [memory(pid)], Event()

    def look() -> None:
        while not done.wait(0.2):
            most[0] = max(most[0], memory(pid))

    watch = Thread(target=look, daemon=True)
    watch.start()
    try:
        yield most
    finally:
        done.set()
        watch.join()


def drop(page: Any, data: bytes) -> float:
    """Seconds from a drop to the first points of the curve."""
    start = time.perf_counter()
    files: Any = {"name": "photo.png", "mimeType": "image/png", "buffer": data}
    page.set_input_files("#signal-file", files)
    page.wait_for_selector(_CURVE, timeout=_WAIT)
    return time.perf_counter() - start


def stop(page: Any) -> None:
    """Have no scale models trained beside what is measured next."""
    page.click("button.cancel")
    page.wait_for_selector(_DONE, timeout=_WAIT)


def moves(page: Any, view: str) -> list[float]:
    """Milliseconds from each move of a view's slider to the picture on the screen."""
    page.click(f"nav a[href='#{view}']")
    slider = page.locator(_SLIDERS[view])
    slider.wait_for()
    page.wait_for_selector(_DONE, timeout=_WAIT)
    top = int(slider.get_attribute("max"))
    rng = np.random.default_rng(1)
    page.evaluate("performance.clearMeasures()")
    here = int(slider.input_value())
    for _ in range(_MOVES):
        here = int((here + 1 + rng.integers(top)) % (top + 1))
        slider.fill(str(here))
        page.wait_for_timeout(60)
    page.wait_for_timeout(500)
    return page.evaluate("performance.getEntriesByName('slider to pixels').map(e => e.duration)")


def transport() -> float:
    """Milliseconds, median, of a picture's way as a frame: packed, through a socket, unpacked."""
    here, there = multiprocessing.Pipe()
    picture = np.zeros((256, 256, 4), np.uint8)
    taken = []
    sender = ThreadPoolExecutor(1)
    for _ in range(100):
        start = time.perf_counter()
        sending = sender.submit(lambda: here.send_bytes(pack({"id": 1}, {"picture": picture})))
        _, payload = unpack(there.recv_bytes())
        np.frombuffer(payload, np.uint8)
        taken.append(1000 * (time.perf_counter() - start))
        sending.result()
    return median(taken)


def measure() -> list[Row]:
    base = import_mib()
    rows = [
        Row("page, gzip, without examples and fonts", page_kib(), "KiB", at_most=400),
        Row(
            "packages that the extra `studio` installs beyond `app`", len(_beyond_app()), at_most=8
        ),
    ]
    with running(FOLDER) as studio, chromium() as browser:
        time.sleep(1)
        rows.append(
            Row(
                "idle server beyond `import ntkit`",
                memory(studio.process.pid) - base,
                "MiB",
                at_most=60,
            )
        )
        page = browser.new_page()
        page.goto(studio.origin)
        page.wait_for_timeout(8000)
        small, large = photo(256), photo(512)
        times = []
        for _ in range(_REPEATS):
            page.reload()
            page.wait_for_selector(".example")
            times.append(drop(page, large))
            stop(page)
            page.evaluate("sessionStorage.clear()")
        rows.append(Row("512 x 512 RGB: drop to the first points", median(times), "s", at_most=3))
        time.sleep(_FREED)
        page.reload()
        page.wait_for_selector(".example")
        with watched(studio.process.pid) as most:
            drop(page, large)
            page.wait_for_selector(_DONE, timeout=_WAIT)
        page.wait_for_timeout(3000)
        finished = memory(studio.process.pid) - base
        rows += [
            Row(
                "one open session, its answer finished, beyond `import ntkit`",
                finished,
                "MiB",
                at_most=600,
            ),
            Row("the same at its peak, while scale models are trained", most[0] - base, "MiB"),
        ]
        page.evaluate("sessionStorage.clear()")
        page.reload()
        page.wait_for_selector(".example")
        drop(page, small)
        stop(page)
        for view in _SLIDERS:
            taken = sorted(moves(page, view))
            rows += [
                Row(f"256 x 256, {view}: slider to pixels, median", median(taken), "ms"),
                Row("the same, 95th percentile", taken[int(0.95 * len(taken))], "ms", at_most=120),
                Row("moves shown; between two the newest waits", len(taken) / _MOVES),
            ]
        rows.append(
            Row("of it, 256 x 256 RGBA to the page and unpacked", transport(), "ms", at_most=5)
        )
        page.wait_for_timeout(1000 * _FREED)
        one = memory(studio.process.pid) - base
        rows.append(
            Row(
                "one open session after these views, beyond `import ntkit`", one, "MiB", at_most=600
            )
        )
        page.close()
        rows += _tabs(browser, studio)
    return rows


def _tabs(browser: Any, studio: Any) -> list[Row]:
    time.sleep(7)
    before = memory(studio.process.pid)
    for i in range(100):
        page = browser.new_page()
        page.goto(studio.origin)
        page.wait_for_selector(".example")
        if i % 10 == 0:
            page.click("[data-example=alps]")
            page.wait_for_selector(_CURVE, timeout=_WAIT)
        page.close()
    time.sleep(7)
    after = memory(studio.process.pid)
    return [Row("memory after 100 tabs over that before", after / before, at_most=1.1)]


def _beyond_app() -> set[str]:
    """Packages that the extra installs and `app` does not."""
    extras = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    core = _closure(["torch", "numpy", "tqdm", "jaxtyping"])
    named = [r for r in extras["studio"] if not r.startswith("ntkit")]
    return _closure(named) - core - _closure(extras["app"])


def _closure(wanted: Iterable[str]) -> set[str]:
    """Requirements that are installed here, and theirs."""
    found: set[str] = set()
    waiting = [Requirement(r) for r in wanted]
    while waiting:
        each = waiting.pop()
        if each.name in found or (each.marker and not each.marker.evaluate({"extra": ""})):
            continue
        found.add(each.name)
        try:
            waiting += map(Requirement, requires(each.name) or [])
        except PackageNotFoundError:
            found.discard(each.name)
    return found
