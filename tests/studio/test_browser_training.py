"""Networks that are trained while one looks on: reality and encodings in the browser."""

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from ntkit.studio.signals import received
from ntkit.tasks import Budget
from ntkit.tuning import Candidate, NetworkPlan, Rehearsal, rungs, trained, usual_of
from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.test_server import photo
from tests.studio.visits import WAIT, shot_of, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


def test_a_network_is_trained_beside_its_prediction(browser: "Browser", studio: Studio) -> None:
    data = photo(48, 64)
    theory = Rehearsal(received(data, "").task, 2.0, steps=30)
    with visiting(browser, studio) as visit:
        visit.open(studio, "reality")
        visit.drop(data)
        page = visit.page
        page.select_option("select[name=steps]", "30")
        page.wait_for_selector("[data-said=reality][data-width='64'][data-step='30']")
        for position, width in ((0, 64), (2, 256)):
            page.locator("#reality-width").fill(str(position))
            page.wait_for_selector(
                f"[data-said=reality][data-width='{width}'][data-step='30']", timeout=WAIT
            )
            *_, last = theory.trained(width)
            for name in ("distance", "movement"):
                found = page.get_attribute("[data-said=reality]", f"data-{name}") or "nan"
                assert float(found) == pytest.approx(getattr(last, name), rel=1e-3)
        page.locator("#reality-step").fill("3")
        page.wait_for_selector("[data-said=reality][data-step='3']")
        page.locator("#reality-width").fill("5")
        page.wait_for_selector("button.stop:not([hidden])")
        page.wait_for_selector("[data-said=reality][data-width='2048']", timeout=WAIT)
        page.click("button.stop")
        page.wait_for_selector("button.again:not([hidden])")
        page.locator("#reality-width").fill("0")  # known: at once, though the widest was under way
        page.wait_for_selector("[data-said=reality][data-width='64'][data-step='30']", timeout=WAIT)


def test_encodings_stand_side_by_side(browser: "Browser", studio: Studio) -> None:
    data = photo(48, 64)
    task = received(data, "").task
    budget, plan = Budget("adam", 1e-3, 100, 1024), NetworkPlan(2, 3, n_frequencies=16)
    with visiting(browser, studio) as visit:
        visit.open(studio, "encodings")
        visit.drop(data)
        page = visit.page
        page.select_option("select[name=steps]", "100")
        page.select_option("select[name=features]", "32")
        for candidate in (Candidate("identity"), Candidate("basic")):
            (rung,) = rungs(task, [candidate], budget=budget, plan=plan)
            wanted = rung.row.at(100).held_out
            said = (
                f"document.querySelector('[data-name={candidate.name}] .quality').dataset.heldOut"
            )
            until(page, f"Math.abs(Number({said}) - {wanted}) < 1e-3")
        page.wait_for_selector(".tile.best", timeout=WAIT)
        before = shot_of(page, "[data-name=basic] canvas")
        page.locator(".encodings .stage").focus()
        page.keyboard.press("ArrowRight")
        assert shot_of(page, "[data-name=basic] canvas") != before
        before = shot_of(page, "[data-name=basic] canvas")
        page.check("input[value=error]")
        assert shot_of(page, "[data-name=basic] canvas") != before
        page.click("[data-train=siren]")
        page.wait_for_selector("[data-name=trained-siren] .quality[data-step='100']", timeout=WAIT)
        *_, last = trained(task, usual_of("siren", task), budget=budget, plan=plan)
        found = page.get_attribute("[data-name=trained-siren] .quality", "data-held-out") or "nan"
        assert float(found) == pytest.approx(last.held_out, abs=0.05)
        page.click("[data-train=wire]")
        page.wait_for_selector("[data-name=trained-wire] .quality[data-step='1']", timeout=WAIT)
        page.click("[data-train=wire]")
        assert page.inner_text("[data-train=wire]") == "Train"
