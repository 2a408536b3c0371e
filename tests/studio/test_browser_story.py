"""The story in a real browser: each step in both languages, its pictures moved, its finds found."""

import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from ntkit.studio.story import ORDER
from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.visits import NARROW, SHOTS, WAIT, WIDE, Visit, look, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


def arrive(visit: Visit, studio: Studio, step: str) -> None:
    """Open a step by its address, and wait for its picture."""
    visit.page.goto(f"{studio.origin}/#story/{step}")
    settle(visit, step)


def settle(visit: Visit, step: str) -> None:
    visit.page.wait_for_selector(
        f"[data-step={step}] .stage-of-step[aria-busy=false]", timeout=WAIT
    )
    assert visit.page.is_hidden(".stage-of-step .error")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_each_step_is_told_in_both_languages_and_is_accessible(
    browser: "Browser", studio: Studio, size: tuple[int, int]
) -> None:
    SHOTS.mkdir(exist_ok=True)
    with visiting(browser, studio, size=size) as visit:
        for step in ORDER:
            arrive(visit, studio, step)
            for language, theme in (("en", "light"), ("ko", "dark")):
                visit.page.click(f"button[lang={language}]")
                if visit.page.get_attribute("html", "data-theme") != theme:
                    visit.page.click("button.theme")
                settle(visit, step)
                visit.page.wait_for_timeout(300)
                hangul = any("가" <= c <= "힣" for c in visit.page.inner_text(".step"))
                assert hangul == (language == "ko")
                look(visit.page, f"story-{step}-{language}-{theme}-{size[0]}")


def test_the_story_is_turned_by_links_and_by_keys(browser: "Browser", studio: Studio) -> None:
    with visiting(browser, studio) as visit:
        page = visit.page
        page.goto(f"{studio.origin}/")
        page.click(".begin a")
        settle(visit, ORDER[0])
        for step in ORDER[1:]:
            page.keyboard.press("ArrowRight")
            settle(visit, step)
        if len(ORDER) > 1:
            page.keyboard.press("ArrowLeft")
            settle(visit, ORDER[-2])
            page.click(".turns .next")
            settle(visit, ORDER[-1])
            page.click(f".steps a[href='#story/{ORDER[0]}']")
            settle(visit, ORDER[0])
        page.click("nav.parts a:last-child")
        page.wait_for_selector(".welcome")
        page.click("[data-example=houses]")
        visit.settle()
        page.click("nav.parts a:first-child")
        settle(visit, ORDER[0])
        assert page.is_hidden(".signal")


def test_points_of_the_line_are_dragged_and_its_finds_found(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio) as visit:
        page = visit.page
        arrive(visit, studio, "line")
        matrix, point = page.inner_text(".matrix"), page.locator("[data-handle='2']")
        loss = page.get_attribute("[data-said=line]", "data-loss")
        box = point.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y - 90, steps=6)
        page.mouse.up()
        until(page, f"document.querySelector('[data-said=line]').dataset.loss !== '{loss}'")
        page.wait_for_selector("[data-try='1'].found")
        assert page.inner_text(".matrix") == matrix
        point.focus()
        for _ in range(10):
            page.keyboard.press("ArrowRight")
        page.wait_for_selector("[data-try='2'].found")
        until(page, f"document.querySelector('.matrix').innerText !== {json.dumps(matrix)}")
        page.click("button.play")
        page.wait_for_selector("[data-said=line][data-steps='100']")
        page.wait_for_selector("[data-try='3'].found")


MOVES = {
    "lift": ("#lift-height", "20", "[data-said=lift]", "right", 60),
    "trick": ("#trick-degree", "3", "[data-said=trick]", "kernel", 1.86**4),
    "taylor": ("#taylor-width", "4", "[data-said=taylor]", "width", 1024),
    "lazy": ("#lazy-time", "5", ".weights", "at", 5),
    "ntk": ("#ntk-width", "12", "[data-said=ntk]", "width", 4096),
    "modes": ("#modes-time", "20", "[data-said=modes]", "gone", 2),
    "bias": ("#bias-time", "41", "[data-said=bias]", "height16", 0.3),
    "fourier": ("#fourier-bandwidth", "9", "[data-said=fourier]", "gain", None),
    "bandwidth": ("#story-bandwidth", "7", "[data-said=bandwidth]", "at", 7),
}
"""Of each step a control, where to, and what it changes: the place, its number, and what that becomes."""


def test_a_control_of_each_step_changes_what_it_says(browser: "Browser", studio: Studio) -> None:
    assert set(MOVES) == set(ORDER) - {"line"}
    with visiting(browser, studio) as visit:
        page = visit.page
        for step, (control, wanted, place, name, number) in MOVES.items():
            arrive(visit, studio, step)
            number_there = f"Number(document.querySelector('{place}').dataset.{name})"
            before = page.evaluate(number_there)
            if step == "lazy":
                until(page, "document.querySelectorAll('.plot .line.d').length === 2")
            page.locator(control).fill(wanted)
            if number is None:
                until(page, f"{number_there} > 3 * {before}")
            else:
                until(page, f"Math.abs({number_there} - {number}) < 1e-3")


def test_a_rate_that_is_rounding_is_said_to_take_for_ever(
    browser: "Browser", studio: Studio
) -> None:
    with visiting(browser, studio) as visit:
        page = visit.page
        arrive(visit, studio, "fourier")
        assert "∞" not in page.inner_text("[data-said=fourier]")
        page.locator("#fourier-count").fill("0")  # of two frequencies none is of one cycle
        until(page, "document.querySelector('[data-said=fourier]').textContent.includes('∞')")


def test_a_signal_is_drawn_by_hand(browser: "Browser", studio: Studio) -> None:
    with visiting(browser, studio) as visit:
        page = visit.page
        arrive(visit, studio, "bandwidth")
        before = page.get_attribute("[data-said=bandwidth]", "data-unseen")
        box = page.locator(".drawn > .plot:not(.low)").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 80, box["y"] + 60)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 40, box["y"] + box["height"] - 80, steps=8)
        page.mouse.up()
        until(
            page, f"document.querySelector('[data-said=bandwidth]').dataset.unseen !== '{before}'"
        )
        page.wait_for_selector("[data-try='3'].found")
