"""The documentation that `make docs` built, in Chromium: wide and narrow, light and dark."""

from pathlib import Path

import pytest

from tests.studio.browser import DRIVEN, chromium

SITE = Path(__file__).parents[1] / "build" / "docs"
PAGES = sorted(SITE.rglob("*.html")) if SITE.exists() else []
pytestmark = [
    pytest.mark.slow,
    DRIVEN,
    pytest.mark.skipif(not PAGES, reason="the documentation is not built: make docs"),
]
WIDTHS = (1280, 390)


def test_pages_fit_and_are_whole() -> None:
    """No horizontal scroll, no word in the console, nothing from elsewhere, and every picture has its words."""
    wrong: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda said: wrong.append(f"{page.url}: {said.text}"))
        page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES:
            page.goto(path.as_uri())
            name = path.relative_to(SITE)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                for width in WIDTHS:
                    page.set_viewport_size({"width": width, "height": 900})
                    reach = page.evaluate("document.documentElement.scrollWidth")
                    if reach > width:
                        wrong.append(f"{name}, {scheme}: {reach} pixels wide of {width}")
            mute = page.evaluate(
                "[...document.images].filter(i => !i.alt.trim() || !i.naturalWidth).map(i => i.src)"
            )
            wrong += [
                f"{name}: asks for {u}" for u in asked if not u.startswith(("file:", "data:"))
            ]
            asked.clear()
            wrong += [f"{name}: no words for, or nothing at, {source}" for source in mute]
    assert not wrong, "\n".join(wrong)
