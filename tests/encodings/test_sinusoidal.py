"""The transformer's positions against the paper's formula, and the law of their kernel."""

from math import cos, log, sin

import mpmath
import pytest
import torch

from ntkit.encodings import Rotary, Sinusoidal
from tests.cases import randn
from tests.tolerances import assert_near


def formula(position: float, m: int, base: float = 10_000.0) -> list[float]:
    """`PE(pos, 2i) = sin(pos / base^(2i / d))`, `PE(pos, 2i + 1)` the cosine, `d = 2 m`."""
    angles = [position / base ** (2 * i / (2 * m)) for i in range(m)]
    return [wave(a) for a in angles for wave in (sin, cos)]


@pytest.mark.parametrize("base", [10_000.0, 50.0])
def test_it_is_the_formula_of_the_paper(base: float) -> None:
    """To float32, in which the frequencies are kept; at whole and at other positions."""
    x = torch.tensor([[0.0], [1.0], [17.0], [2.5], [-3.25]], dtype=torch.float64)
    expected = torch.tensor([formula(float(p), 8, base) for p in x], dtype=torch.float64)
    assert_near(Sinusoidal(1, 8, base)(x), expected, loosen=1e7)
    assert_near(Sinusoidal(1, 8, base)(x.float()), expected, loosen=10)


def test_orders_are_two_ways_to_write_the_same() -> None:
    x = randn(6, 1)
    one = Sinusoidal(1, 5)(x)
    two = Sinusoidal(1, 5, order="concatenated")(x)
    assert torch.equal(two, torch.cat([one[:, ::2], one[:, 1::2]], 1))


@pytest.mark.parametrize("order", ["interleaved", "concatenated"])
def test_axes_follow_each_other(order) -> None:
    x = randn(6, 2)
    line = Sinusoidal(1, 5, order=order)
    expected = torch.cat([line(x[:, :1]), line(x[:, 1:])], 1)
    assert_near(Sinusoidal(2, 5, order=order)(x), expected)


def test_whole_positions_are_positions() -> None:
    """They are computed as the frequencies are kept, and not cut to whole frequencies."""
    words = torch.arange(12)[:, None]
    assert torch.equal(Sinusoidal(1, 5)(words), Sinusoidal(1, 5)(words.float()))
    assert Sinusoidal(1, 5).double()(words).dtype == torch.float64


def test_a_step_is_one_and_the_same_rotation_everywhere() -> None:
    """What the paper says of relative positions: `PE(x + k)` is linear in `PE(x)`."""
    encoding, x = Sinusoidal(1, 6), randn(5, 1)
    back = Rotary(encoding)(encoding(x), torch.tensor([-3.0], dtype=torch.float64))
    assert_near(back, encoding(x + 3), loosen=10)


@pytest.mark.parametrize("distance", [1.0, 7.0, 60.0, 500.0, 3_000.0])
def test_the_kernel_is_a_difference_of_cosine_integrals(distance: float) -> None:
    """`(Ci(d) - Ci(d / base)) / log(base)`, the mean of cosines over log-uniform frequencies."""
    m, base = 65_536, 10_000.0
    found = float(Sinusoidal(1, m).correlation(torch.tensor([distance], dtype=torch.float64)))
    exact = float(mpmath.ci(distance) - mpmath.ci(distance / base)) / log(base)
    sums_end = (cos(distance) - cos(distance / base)) / (2 * m)  # left ends against trapezoids
    assert abs(found - sums_end - exact) < 2e-5
    if 5 < distance < base / 20:  # as the docstring says, in between
        assert abs(found - (1 - (log(distance) + 0.5772) / log(base))) < 0.02


def test_impossible_options(unchecked: None) -> None:
    with pytest.raises(ValueError, match=r"`order='sorted'` must be 'interleaved' or"):
        Sinusoidal(1, 4, order="sorted")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"`base=0` must be a finite number above 0"):
        Sinusoidal(1, 4, 0)
