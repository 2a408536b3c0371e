"""Answer and limits in the browser: what is recommended, trained and saved."""

from typing import TYPE_CHECKING

import pytest
import torch

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from ntkit import tune
from ntkit.studio.signals import received
from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.test_server import photo
from tests.studio.visits import DONE, WAIT, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


def test_the_answer_is_told_at_once_and_refined(browser: "Browser", studio: Studio) -> None:
    data = photo(96, 128)
    with visiting(browser, studio) as visit:
        visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        visit.open(studio)
        visit.drop(data, "my photo.png")
        page = visit.page
        task = received(data, "").whole
        generator = torch.Generator().manual_seed(0)
        wanted = tune(task, families=("mlp",), generator=generator)
        choice = "[data-said=choice][data-whole=true]"
        assert page.get_attribute(choice, "data-name") == wanted.choice.name
        assert page.get_attribute(choice, "data-bandwidth") == f"{wanted.bandwidth or '':}"
        table = {row.candidate.name: row.at(2000).held_out for row in wanted.table}
        for name in ("identity", "basic", "positional"):
            page.click(f"[data-encoding={name}]")
            page.wait_for_selector(f"[data-said=quality][data-name={name}]")
            assert visit.said("held-out") == pytest.approx(table[name], abs=1e-5)
        page.click("[data-encoding=gaussian]")
        page.wait_for_selector("[data-said=quality][data-name=gaussian]")
        for name, begins in (("python", "import torch"), ("command", "ntkit tune 'my photo.png'")):
            page.click(f"[data-copy={name}]")
            assert page.evaluate("navigator.clipboard.readText()").startswith(begins)
        page.select_option("select[name=steps]", "5000")
        page.wait_for_selector("[data-said=choice][data-whole=false]")
        page.click("button.cancel")
        page.wait_for_selector(DONE)
        page.click("input[value=fit]")
        page.wait_for_selector("[data-said=choice][data-whole=false]")
        page.click("nav a[href='#kernel']")
        visit.settle()


def test_limits_train_look_and_save(browser: "Browser", studio: Studio) -> None:
    with visiting(browser, studio) as visit:
        visit.open(studio, "limits")
        visit.drop(photo(32, 48), "my photo.png")
        page = visit.page
        predicted = visit.said("held-out")
        page.select_option("select[name=steps]", "100")
        until(
            page, f"document.querySelector('[data-said=quality]').dataset.heldOut !== '{predicted}'"
        )
        visit.settle()
        page.click("[data-save=weights]")
        page.wait_for_selector("main .error:not([hidden])")
        page.click("button.train")
        page.wait_for_selector("[data-said=quality][data-which='0']", timeout=WAIT)
        page.click("button.train")  # which is to cancel, while it trains
        page.wait_for_selector(DONE)
        page.click("button.train")
        page.wait_for_selector("main .view[aria-busy=true]")
        page.wait_for_selector(DONE, timeout=WAIT)
        assert page.locator(".seeds tbody tr").count() == 3
        seen = {}
        for which in (0, 1, -1):
            page.click(f"[data-which='{which}']")
            page.wait_for_selector(f"[data-said=quality][data-which='{which}']")
            seen[which] = visit.said("held-out")
        assert len(set(seen.values())) == 3
        assert page.locator(".limits .two figure").nth(2).is_visible()
        for what, name in (
            ("report", "my photo-report.html"),
            ("weights", "my photo-seed-0.safetensors"),
            ("code", "my photo.py"),
        ):
            with page.expect_download() as saved:
                page.click(f"[data-save={what}]")
            assert saved.value.suggested_filename == name
            assert saved.value.path().stat().st_size > 500
