"""A desk with a small picture on it, and what a view answers there."""

from typing import Any

import torch

from ntkit.studio.asks import Reply
from ntkit.studio.desk import Desk
from ntkit.studio.signals import Shown
from ntkit.studio.views import asks_of
from ntkit.tasks import Image
from tests.cases import seeded


def smooth_picture(height: int = 24, width: int = 32) -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    plain = 0.5 + 0.3 * torch.sin(12 * x * y + 4 * x) + 0.1 * torch.cos(20 * y)
    noise = 0.02 * torch.randn(height, width, 3, generator=seeded())
    return (plain[..., None] + noise).clamp(0, 1).double()


def desk_of_picture(height: int = 24, width: int = 32) -> Desk:
    found = Desk()
    picture = Image(smooth_picture(height, width))
    found.put(Shown("picture.png", picture, (height, width), 1, ()))
    return found


def last_reply(desk: Desk, view: str, ask: str, values: dict[str, Any]) -> Reply:
    """The last of what the view sends."""
    return list(asks_of(view)[ask].answer(desk, values))[-1]
