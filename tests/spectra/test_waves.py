"""Signals as sums of waves of whole cycles."""

import pytest
import torch

from ntkit.spectra import amplitudes, waves
from tests.cases import seeded


@pytest.mark.parametrize("n", [16, 17])
def test_amplitudes_are_those_of_a_plain_sum(n: int) -> None:
    x = torch.arange(n).double() / n
    values = torch.randn(n, generator=seeded()).double()
    found = amplitudes(values)
    for k in range(n // 2 + 1):
        c, s = (values @ wave(2 * torch.pi * k * x) for wave in (torch.cos, torch.sin))
        scale = 1 / n if k == 0 or 2 * k == n else 2 / n
        assert float(found[k]) == pytest.approx(scale * float((c**2 + s**2).sqrt()), abs=1e-12)


def test_waves_have_the_heights_that_were_asked_for() -> None:
    x = torch.arange(64).double() / 64
    found = amplitudes(waves(x, [1, 4, 16], [0.5, 0.0, 2.0]))
    wanted = torch.zeros(33).double()
    wanted[[1, 16]] = torch.tensor([0.5, 2.0]).double()
    torch.testing.assert_close(found, wanted)
    with pytest.raises(ValueError, match="one for each"):
        waves(x, [1, 2], [1.0])
