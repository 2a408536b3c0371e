"""Kernel, spectrum and time in the browser: their numbers are the library's."""

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from ntkit import ntk
from ntkit.kernels import profile_of, seen_from
from ntkit.spectra import kernel_spectrum
from ntkit.studio.signals import received
from ntkit.studio.views.spectrum import RATE
from ntkit.studio.views.time import MOMENTS
from ntkit.tasks import Budget
from ntkit.tuning import Candidate, NetworkPlan, sweep
from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.test_server import photo
from tests.studio.visits import WAIT, pixels, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


def test_the_kernel_follows_the_pixel_and_the_sliders(browser: "Browser", studio: Studio) -> None:
    data = photo(48, 64)
    task = received(data, "").task
    with visiting(browser, studio) as visit:
        visit.open(studio, "kernel")
        visit.drop(data)
        page = visit.page

        def width(bandwidth: float, row: int, column: int) -> float:
            kernel = ntk(
                NetworkPlan(2, 1).build(Candidate("gaussian", bandwidth))[0], variances="default"
            )
            return profile_of(seen_from(kernel, task.grid, (row, column))[row], column).width

        def shown(wanted: float) -> None:
            end = time.monotonic() + WAIT / 1000
            found = "nan"
            while float(found) != pytest.approx(wanted, abs=1e-4):
                assert time.monotonic() < end, (found, wanted)
                page.wait_for_timeout(30)
                found = page.get_attribute("[data-said=encoded]", "data-width") or "nan"

        shown(width(4.0, 24, 32))
        page.locator("#kernel-bandwidth").fill("2")  # the third of its values, 1
        shown(width(1.0, 24, 32))
        canvas = page.locator(".stage canvas").bounding_box()
        assert canvas is not None
        page.mouse.click(
            canvas["x"] + canvas["width"] * 10.5 / 64, canvas["y"] + canvas["height"] * 5.5 / 48
        )
        assert page.input_value("#kernel-column") == "10"
        assert page.input_value("#kernel-row") == "5"
        shown(width(1.0, 5, 10))
        before = page.get_attribute("[data-said=encoded]", "data-lobe")
        for name, value in (("frequencies", "1"), ("depth", "0")):
            page.locator(f"#kernel-{name}").fill(value)
            until(
                page, f"document.querySelector('[data-said=encoded]').dataset.lobe !== {before!r}"
            )
            before = page.get_attribute("[data-said=encoded]", "data-lobe")
        raw = page.inner_text("[data-said=raw]")
        page.locator("#kernel-row").focus()
        page.keyboard.press("End")
        until(page, f"document.querySelector('[data-said=raw]').innerText !== {raw!r}")


def test_the_front_moves_with_time_and_bandwidth(browser: "Browser", studio: Studio) -> None:
    data = photo(48, 64)
    task = received(data, "").task
    frequency, rate = kernel_spectrum(
        ntk(NetworkPlan(2, 1).build(Candidate("gaussian", 4.0))[0], variances="default"), task.shape
    )
    with visiting(browser, studio) as visit:
        visit.open(studio, "spectrum")
        visit.drop(data)
        page = visit.page
        for position in (4, 12, 24):
            page.locator("#spectrum-slider").fill(str(position))
            steps = round(10 ** (position / 4))
            page.wait_for_selector(f"[data-said=front][data-steps='{steps}']")
            slow = (rate * 2 * RATE * steps / 3 < 1)[1:]
            wanted = frequency[1:][slow][0] if bool(slow.any()) else frequency[-1]
            assert float(page.get_attribute("[data-said=front]", "data-front") or "nan") == wanted
        page.locator("#spectrum-bandwidth").fill("8")
        page.wait_for_selector("[data-said=front][data-bandwidth='14']")


def test_time_is_the_librarys_at_every_moment(browser: "Browser", studio: Studio) -> None:
    data = photo(48, 64)
    task = received(data, "").task
    (rung,) = sweep(task, [6.0], budget=Budget(), plan=NetworkPlan(2, 3), moments=MOMENTS)
    with visiting(browser, studio) as visit:
        visit.open(studio, "time")
        visit.drop(data)
        page = visit.page
        for moment in (0, 12, len(MOMENTS) - 1):
            page.locator("#time-slider").fill(str(moment))
            page.wait_for_selector(f"[data-said=quality][data-moment='{moment}']")
            said = rung.row.predictions[moment]
            assert visit.said("held-out") == pytest.approx(said.held_out, abs=1e-5)
            shown = pixels(page, ".here canvas")
            true = (rung.field(MOMENTS[moment]).clamp(0, 1) * 255).round().numpy()
            assert np.abs(shown[..., :3].astype(float) - true).max() <= 1
        page.click("button.play")
        now = "Number(document.querySelector('[data-said=quality]').dataset.moment)"
        until(page, f"{now} < {len(MOMENTS) - 1} && {now} > 2")
        page.click("button.play")
        page.select_option("select[name=bandwidth]", "10")
        page.wait_for_selector("[data-said=quality][data-bandwidth='10']")
        before = visit.said("held-out")
        page.select_option("select[name=optimiser]", "sgd")
        until(page, f"document.querySelector('[data-said=quality]').dataset.heldOut !== '{before}'")
