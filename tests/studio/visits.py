"""A visitor of the page in a browser, who minds what the page should not do; and what tests ask of a page."""

import io
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

pytest.importorskip("PIL")

from PIL import Image as Pillow

from tests.studio.browser import WEB
from tests.studio.client import Studio

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

VIEWS = ("answer", "bandwidth", "kernel", "spectrum", "time", "reality", "encodings", "limits")
PICTURES = ("reality", "encodings")
CLASSES = {v: f".view.{'spectra' if v == 'spectrum' else v}" for v in VIEWS}
WIDE, NARROW = (1280, 850), (390, 844)
DONE = "main .view[aria-busy=false]"
WAIT = 240_000.0
SHOTS = WEB / "screenshots"
AXE = WEB / "node_modules/axe-core/axe.min.js"


@dataclass
class Visit:
    """A page, and whatever it should not have done."""

    page: "Page"
    faults: list[str] = field(default_factory=list)

    def open(self, studio: Studio, view: str = "") -> None:
        self.page.goto(f"{studio.origin}/#{view}")
        self.page.wait_for_selector(".example")

    def drop(self, data: bytes, name: str = "photo.png") -> None:
        files: Any = {"name": name, "mimeType": "image/png", "buffer": data}
        self.page.set_input_files("#signal-file", files)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_selector(DONE, timeout=WAIT)
        self.page.wait_for_selector(
            ".quality[data-held-out], .quality[data-width], .quality[data-front], .quality[data-distance]",
            timeout=WAIT,
        )

    def hurry(self, view: str) -> None:
        """Have little trained where much would be."""
        if view == "answer":
            self.page.select_option("select[name=steps]", "200")

    def said(self, name: str) -> float:
        return float(self.page.get_attribute("[data-said=quality]", f"data-{name}") or "nan")

    def wait_for_bandwidth(self, wanted: float) -> None:
        self.page.wait_for_selector(
            f"[data-said=quality][data-bandwidth='{wanted:g}']", timeout=WAIT
        )


@contextmanager
def visiting(
    browser: "Browser", studio: Studio, *, size: tuple[int, int] = WIDE, theme: Any = "light", language: str = "en"
) -> Iterator[Visit]:  # fmt: skip
    """A fresh visitor; nothing may be written to the console, fail, or be asked of another host."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=theme,
        locale={"en": "en-GB", "ko": "ko-KR"}[language],
    )
    page = context.new_page()
    visit = Visit(page)
    page.on("console", lambda m: m.type in {"error", "warning"} and visit.faults.append(m.text))
    page.on("pageerror", lambda error: visit.faults.append(str(error)))
    page.on("request", lambda r: _check_host(r.url, studio, visit.faults))
    page.on("requestfailed", lambda r: visit.faults.append(f"{r.url}: {r.failure}"))
    try:
        yield visit
        assert visit.faults == []
    finally:
        context.close()


def _check_host(url: str, studio: Studio, faults: list[str]) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"data", "blob"} and parts.netloc != studio.host:
        faults.append(f"asked {url}")


def until(page: "Page", claim: str) -> None:
    """Wait for a line of JavaScript to be true; the page's policy forbids Playwright's own way, by `eval`."""
    end = time.monotonic() + WAIT / 1000
    while not page.evaluate(claim):
        assert time.monotonic() < end, claim
        page.wait_for_timeout(30)


def pixels(page: "Page", selector: str) -> np.ndarray:
    """A canvas of whole multiples of its picture's pixels, thinned to these."""
    url = page.eval_on_selector(selector, "c => c.toDataURL('image/png')")
    whole = np.asarray(Pillow.open(io.BytesIO(b64decode(url.split(",", 1)[1]))))
    step = whole.shape[1] // 64
    return whole[step // 2 :: step, step // 2 :: step]


def shot_of(page: "Page", selector: str) -> bytes:
    return page.locator(selector).screenshot()


def looks(visit: Visit, name: str) -> None:
    """In both languages and both themes."""
    page = visit.page
    for language in ("en", "ko"):
        page.click(f"button[lang={language}]")
        for theme in ("light", "dark"):
            if page.get_attribute("html", "data-theme") != theme:
                page.click("button.theme")
            if page.query_selector("main .view"):
                visit.settle()
            page.wait_for_timeout(300)
            look(page, f"{name}-{language}-{theme}-{page.evaluate('innerWidth')}")


def look(page: "Page", name: str) -> None:
    """A picture; nothing wider than the window; nothing serious by axe-core."""
    image = Pillow.open(io.BytesIO(page.screenshot(full_page=True)))
    image.save(SHOTS / f"{name}.png")
    width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], f"{name} is wider than the window"
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm ci in web/")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(r => r.violations)")
    serious = [
        f"{v['id']}: {v['help']} {[n['target'] for n in v['nodes']]}"
        for v in found
        if v["impact"] in {"serious", "critical"}
    ]
    assert serious == []
