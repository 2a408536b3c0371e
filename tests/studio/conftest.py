"""A running studio and a browser, for the tests of a file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ntkit.studio.page import FOLDER
from tests.studio.browser import chromium
from tests.studio.client import Studio, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    with running(FOLDER) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found
