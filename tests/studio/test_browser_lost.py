"""A worker that is killed, in the browser: said in words, and begun once more; what is saved then is whole."""

import os
import time
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.memory import PROC, family
from tests.studio.test_server import photo
from tests.studio.visits import DONE, WAIT, Visit, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


def kill(studio: Studio) -> None:
    """End the newest worker, as a system that has run out of memory does; wait for one where none stands yet."""
    end = time.monotonic() + WAIT / 1000
    while not (workers := _workers(studio)):
        assert time.monotonic() < end, "no worker has been started"
        time.sleep(0.05)
    os.kill(max(workers), 9)


def _workers(studio: Studio) -> list[int]:
    """Of the server's descendants, those that the process which forks them has started, and that have not ended."""
    server = studio.process.pid
    found = []
    for pid in family(server)[1:]:
        try:
            state, parent = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if int(parent) != server and state != "Z":
            found.append(pid)
    return found


def said(visit: Visit) -> str:
    visit.page.wait_for_selector(".state:not([hidden])", timeout=WAIT)
    return visit.page.inner_text(".state")


def test_the_answer_is_begun_once_more_and_not_a_third_time(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio) as visit:
        visit.open(studio, "answer")
        page = visit.page
        page.click("[data-example=parrots]")
        page.wait_for_selector("[data-said=choice][data-whole=false]", timeout=WAIT)
        kill(studio)
        assert "once more" in said(visit)
        page.wait_for_selector("[data-said=choice][data-whole=false]", timeout=WAIT)
        kill(studio)
        until(page, "document.querySelector('.state').textContent.includes('Choose the file')")
        assert "memory" in page.inner_text("main .error")
        assert not page.is_visible("main progress")
        assert page.inner_text("main button.cancel") in {"Refine", "Try again"}
        page.click("[data-example=houses]")
        page.wait_for_selector("[data-said=choice][data-whole=false]", timeout=WAIT)
        until(page, "document.querySelector('.state').hidden")


def test_training_that_is_killed_begins_anew_and_can_be_saved(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio, language="ko") as visit:
        visit.open(studio, "limits")
        visit.drop(photo(32, 48), "mine.png")
        page = visit.page
        page.select_option("select[name=steps]", "100")
        visit.settle()
        page.click("button.train")
        page.wait_for_selector("[data-said=quality][data-which='0']", timeout=WAIT)
        kill(studio)
        assert "한 번 더" in said(visit)
        page.wait_for_selector(DONE, timeout=WAIT)
        page.wait_for_selector("[data-said=quality][data-which='-1']", timeout=WAIT)
        page.click("[data-save=weights]")
        page.wait_for_selector("main .error:not([hidden])")
        assert "먼저 학습" in page.inner_text("main .error")
        page.select_option("select[name=seeds]", "1")
        page.click("button.train")
        page.wait_for_selector("main .view[aria-busy=true]")
        page.wait_for_selector(DONE, timeout=WAIT)
        for what in ("report", "weights", "code"):
            with page.expect_download() as saved:
                page.click(f"[data-save={what}]")
            assert saved.value.path().stat().st_size > 500


def test_a_network_that_is_killed_beside_its_prediction_is_trained_anew(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio) as visit:
        visit.open(studio, "reality")
        visit.drop(photo(48, 64))
        page = visit.page
        page.select_option("select[name=steps]", "30")
        page.locator("#reality-width").fill("5")
        page.wait_for_selector("[data-said=reality][data-width='2048']", timeout=WAIT)
        kill(studio)
        assert "once more" in said(visit)
        time.sleep(0.5)
        page.wait_for_selector("[data-said=reality][data-width='2048']", timeout=WAIT)
        page.locator("#reality-width").fill("0")
        page.wait_for_selector("[data-said=reality][data-width='64'][data-step='30']", timeout=WAIT)
