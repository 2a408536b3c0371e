"""A desk with a small picture on it, and what a view answers there."""

from typing import Any

import pytest

pytest.importorskip("png")
pytest.importorskip("PIL")

from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.signals import Shown
from ntkit.studio.views import asks_of
from ntkit.tasks import Image
from tests.cases import smooth_picture


def desk_of_picture(height: int = 24, width: int = 32) -> Desk:
    found = Desk()
    picture = Image(smooth_picture(height, width))
    found.put(Shown("picture.png", picture, (height, width), 1, ()))
    return found


def last_reply(desk: Desk, view: str, ask: str, values: dict[str, Any]) -> Reply:
    """The last of what the view sends."""
    return list(asks_of(view)[ask].answer(desk, values))[-1]
