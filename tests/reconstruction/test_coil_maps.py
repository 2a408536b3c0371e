"""Sensitivities found from the middle of k-space are those that made it, up to a common phase."""

import pytest
import torch

from ntkit.measurements import Fourier
from ntkit.reconstruction import coil_maps


def coils(side: int) -> torch.Tensor:
    at = torch.arange(side).double() / side - 0.5
    y, x = at[:, None], at
    maps = torch.stack([
        torch.exp(-((y - a) ** 2 + (x - b) ** 2)) * torch.exp(1j * (a * x + b * y))
        for a, b in [(0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)]
    ])
    return maps / maps.abs().square().sum(0).sqrt()


def test_smooth_coils_of_a_smooth_picture() -> None:
    side, true = 48, coils(48)
    at = torch.arange(side).double() / side - 0.5
    picture = torch.exp(-8 * (at[:, None] ** 2 + at**2)) + 0j
    A = Fourier((side, side), coils=true)
    kspace = A.scatter(A(picture[..., None]))
    mask = torch.ones(side, side, dtype=torch.bool)
    mask[:, ::5] = False
    mask[:, 11:35] = True
    maps, block = coil_maps(kspace * mask, mask)
    assert block == (32, 24)
    inside = picture.abs() > 0.2
    phase = (maps * true.conj()).sum(0)
    assert float(phase.abs()[inside].min()) > 0.998  # unit vectors over the coils: 1 is the same
    torch.testing.assert_close(
        maps[:, inside].abs().square().sum(0), torch.ones(int(inside.sum())).double()
    )


def test_gaps_in_the_middle() -> None:
    mask = torch.ones(16, 16, dtype=torch.bool)
    mask[:, 1::2] = False
    with pytest.raises(ValueError, match=r"largest block without one is 16 x 1.*--coils"):
        coil_maps(torch.ones(2, 16, 16, dtype=torch.complex128), mask)
