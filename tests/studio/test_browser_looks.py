"""How every view looks: pictures of it, light and dark, wide and narrow, in both languages, go to web/screenshots for a
person to look at; and axe-core finds nothing serious."""

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright")
pytest.importorskip("uvicorn")

from tests.studio.browser import BUILT, DRIVEN
from tests.studio.client import Studio
from tests.studio.visits import CLASSES, NARROW, SHOTS, VIEWS, WIDE, looks, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, DRIVEN, BUILT]


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_view_is_accessible_and_fits(
    browser: "Browser", studio: Studio, size: tuple[int, int]
) -> None:
    SHOTS.mkdir(exist_ok=True)
    with visiting(browser, studio, size=size) as visit:
        visit.open(studio)
        page = visit.page
        looks(visit, "welcome")
        page.click("[data-example=parrots]")
        for view in VIEWS:
            page.wait_for_selector("main .view")
            visit.hurry(view)
            visit.settle()
            page.click(f"nav a[href='#{view}']")
            page.wait_for_selector(f"{CLASSES[view]}")
            visit.hurry(view)
            visit.settle()
            looks(visit, view)
