"""The distance of two sounds, and what a sound says of its fit."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.tasks import Audio
from ntkit.tasks.audio import log_spectral_distance
from tests.cases import randn

NOISE = randn(4000, 2)


@given(st.floats(0.5, 20.0))
def test_a_gain_is_its_decibels(decibels: float) -> None:
    """White noise lies far above the floor, so every bin differs by the gain."""
    louder = NOISE * 10 ** (decibels / 20)
    assert log_spectral_distance(NOISE, louder, 16_000) == pytest.approx(decibels, rel=1e-3)


@pytest.mark.parametrize("rate", [1.0, 50.0, 8000.0, 44_100.0])
@pytest.mark.parametrize("n", [16, 500, 4000])
def test_a_sound_has_no_distance_from_itself(n: int, rate: float) -> None:
    assert log_spectral_distance(NOISE[:n], NOISE[:n], rate) == 0


def test_the_distance_is_symmetric_above_the_floor() -> None:
    """Each is measured from the floor of the truth, which is 80 dB below both here."""
    other = NOISE + 0.3 * randn(4000, 2, seed=1)
    there = log_spectral_distance(NOISE, other, 16_000)
    back = log_spectral_distance(other, NOISE, 16_000)
    assert there == pytest.approx(back, rel=1e-2)
    assert there > 1


def test_what_is_below_the_floor_is_silence() -> None:
    """Noise 100 dB below a tone is not heard; 40 dB below it is."""
    t = torch.arange(4000).double() / 16_000
    tone = torch.sin(2 * torch.pi * 1000 * t)[:, None]
    quiet, loud = (tone + gain * randn(4000, 1) for gain in (1e-6, 1e-2))
    assert log_spectral_distance(tone, quiet, 16_000) < 1
    assert log_spectral_distance(tone, loud, 16_000) > 10


def test_against_the_formula_by_a_plain_loop() -> None:
    """Gray and Markel's d_2 of each window, its transform written out."""
    truth, found = NOISE[:600, :1], randn(600, 1, seed=3)
    size, hop = 256, 64
    window = torch.tensor([math.sin(math.pi * k / size) ** 2 for k in range(size)]).double()
    angle = 2 * math.pi / size * torch.outer(torch.arange(size // 2 + 1), torch.arange(size))

    def power(sound: torch.Tensor) -> torch.Tensor:
        turned = sound[:, 0].flip(0)
        n, half = len(sound), size // 2
        padded = torch.cat([turned[n - 1 - half : n - 1], sound[:, 0], turned[1 : 1 + half]])
        rows = [padded[k : k + size] * window for k in range(0, len(padded) - size + 1, hop)]
        frames = torch.stack(rows)
        c, s = angle.cos().double(), angle.sin().double()
        return (frames @ c.T) ** 2 + (frames @ s.T) ** 2

    one, two = power(truth), power(found)
    floor = 1e-8 * float(one.max())
    gap = 10 * ((one + floor).log10() - (two + floor).log10())
    wanted = float((gap**2).mean(1).sqrt().mean())
    assert log_spectral_distance(truth, found, 8000) == pytest.approx(wanted, rel=1e-4)


def test_scores_are_of_the_spectrum() -> None:
    sound = Audio(NOISE, rate=16_000)
    scores = sound.scores(2 * sound.values)
    assert scores == {"log-spectral distance (dB)": pytest.approx(20 * math.log10(2), rel=1e-3)}
    assert sound.rate == 16_000
    assert Audio(NOISE).rate == 1
