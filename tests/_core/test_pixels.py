"""Levels as pixels, against a plain loop."""

import math

import pytest
import torch

from ntkit._core.pixels import rgba
from tests.cases import randn


def byte(level: float) -> int:
    return 0 if math.isnan(level) else round(min(max(level, 0.0), 1.0) * 255)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_are_rounded_and_clipped_levels(channels: int) -> None:
    values = randn(5, 7, channels)
    values[2, 3] = torch.nan
    found = rgba(values)
    for i in range(5):
        for j in range(7):
            own = [byte(float(v)) for v in values[i, j, :3]]
            colours = own * 3 if channels == 1 else own
            assert found[i, j].tolist() == [*colours, 255]


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 2), (4, 4, 0)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...], unchecked: None) -> None:
    with pytest.raises(ValueError, match="a picture is"):
        rgba(torch.zeros(shape))
