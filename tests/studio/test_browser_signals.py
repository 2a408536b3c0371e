"""What is looked at, in the browser: sounds and slices, names, what is no picture, a reload, both languages."""

import re
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.test_server import photo
from tests.studio.visits import CLASSES, PICTURES, VIEWS, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


@pytest.mark.parametrize("example", ["sound", "slice"])
def test_every_view_shows_a_sound_and_a_slice(
    browser: "Browser", studio: Studio, example: str
) -> None:
    pytest.importorskip("soundfile")
    with visiting(browser, studio) as visit:
        visit.open(studio, "bandwidth")
        page = visit.page
        page.click(f"[data-example={example}]")
        visit.settle()
        if example == "sound":
            assert "8,000 samples" in page.inner_text(".signal-status")
        else:
            assert "slice 13 of 24" in page.inner_text(".signal-status")
        for view in VIEWS:
            page.click(f"nav a[href='#{view}']")
            is_said = example == "sound" and view in PICTURES
            if is_said:
                page.wait_for_selector("main .needs-picture")
                assert page.locator(".needs-picture a").count() == len(VIEWS) - len(PICTURES)
                continue
            page.wait_for_selector(CLASSES[view])
            visit.hurry(view)
            visit.settle()
            if view != "spectrum":
                until(page, "document.querySelector('main canvas').width !== 300")  # 300: undrawn
            if example == "sound" and view == "kernel":
                assert page.locator("#kernel-column").input_value() == "4000"
                assert not page.locator("#kernel-row").is_visible()
        page.click("[data-example=alps]")  # and back to pictures
        until(page, "document.querySelector('.signal-status').textContent.includes('alps.jpg')")
        page.click("nav a[href='#bandwidth']")
        visit.settle()
        assert "picture side" in (page.text_content("main svg.chart") or "")


def test_a_script_in_a_name_is_text(browser: "Browser", studio: Studio) -> None:
    name = "<img src=x onerror=alert(1)>.png"
    with visiting(browser, studio) as visit:
        dialogs: list[str] = []
        visit.page.on("dialog", lambda d: dialogs.append(d.message))
        visit.open(studio, "bandwidth")
        visit.drop(photo(), name)
        assert visit.page.inner_text(".signal-status strong") == name
        assert dialogs == []


def test_what_is_no_picture_is_said_so_and_another_one_goes_on(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio) as visit:
        visit.open(studio, "bandwidth")
        files: Any = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
        visit.page.set_input_files("#signal-file", files)
        visit.page.wait_for_selector(".signal .error:not([hidden])")
        assert "notes.txt" in visit.page.inner_text(".signal .error")
        visit.drop(photo())
        assert visit.page.is_hidden(".signal .error")


def test_a_reload_finds_the_signal_again(browser: "Browser", studio: Studio) -> None:
    with visiting(browser, studio) as visit:
        visit.open(studio, "bandwidth")
        visit.drop(photo(), "mine.png")
        visit.page.reload()
        visit.settle()
        assert visit.page.inner_text(".signal-status strong") == "mine.png"


def test_both_languages_on_every_page(browser: "Browser", studio: Studio) -> None:
    hangul = re.compile("[가-힣]")
    with visiting(browser, studio) as visit:
        visit.open(studio, "bandwidth")
        assert not hangul.search(visit.page.inner_text("main"))
        visit.page.click("button[lang=ko]")
        assert hangul.search(visit.page.inner_text("main"))
        assert visit.page.get_attribute("html", "lang") == "ko"
        visit.drop(photo())
        assert hangul.search(visit.page.inner_text("h1"))
        visit.page.click("button[lang=en]")
        visit.settle()
        assert not hangul.search(visit.page.inner_text("main"))
