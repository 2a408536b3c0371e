"""Rotary positions: complex numbers, relative positions, norms, and the kernel of the angles."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ntkit.encodings import Blurred, Gaussian, Identity, NeRF, Rotary, Sinusoidal
from tests.cases import randn, seeded
from tests.tolerances import assert_near

PAIRS = ["interleaved", "halves"]


def by_complex_numbers(q: Tensor, angle: Tensor, pairs: str) -> Tensor:
    """Each pair as one complex number, times `exp(i angle)`."""
    m = q.shape[-1] // 2
    first, second = (q[..., ::2], q[..., 1::2]) if pairs == "interleaved" else q.split(m, -1)
    turned = torch.complex(first, second) * torch.polar(torch.ones_like(angle), angle)
    out = torch.empty_like(q)
    if pairs == "interleaved":
        out[..., ::2], out[..., 1::2] = turned.real, turned.imag
    else:
        out[..., :m], out[..., m:] = turned.real, turned.imag
    return out


@pytest.mark.parametrize("pairs", PAIRS)
def test_it_is_a_product_of_complex_numbers(pairs) -> None:
    """With RoPE's angles `x 10000^(-2i / f)`, to float32, in which they are kept."""
    q, x = randn(3, 7, 8), 5 * randn(7, 1, seed=1)
    angle = x * 10_000.0 ** (-2 * torch.arange(4, dtype=torch.float64) / 8)
    found = Rotary(Sinusoidal(1, 4), pairs=pairs)(q, x)
    assert_near(found, by_complex_numbers(q, angle, pairs), loosen=1e6)


@pytest.mark.parametrize("pairs", PAIRS)
@given(shift=st.floats(-50, 50), seed=st.integers(0, 99))
def test_dot_products_depend_on_the_difference_of_positions_alone(
    pairs, shift: float, seed: int
) -> None:
    rotary = Rotary(Gaussian(2, 6, 0.5, seeded()), pairs=pairs)
    q, k = randn(2, 12, seed=seed)
    x, y = randn(2, 2, seed=seed + 1)
    dot = rotary(q, x) @ rotary(k, y)
    assert_near(rotary(q, x + shift) @ rotary(k, y + shift), dot, loosen=1000)
    assert_near(q @ rotary(k, y - x), dot, loosen=100)
    assert_near(rotary(q, x).norm(), q.norm())


@pytest.mark.parametrize("pairs", PAIRS)
def test_pairs_of_equal_norm_see_the_kernel_of_the_encoding(pairs) -> None:
    encoding, x = Sinusoidal(1, 16), torch.arange(20, dtype=torch.float64)[:, None]
    turned = Rotary(encoding, pairs=pairs)(torch.ones(20, 32, dtype=torch.float64), x)
    assert_near(turned @ turned.T / 32, encoding.correlation(x[:, None] - x), loosen=10)


def test_the_two_ways_of_pairing_are_one_order_apart() -> None:
    q, x = randn(5, 8), randn(5, 1, seed=1)
    order = torch.arange(8).reshape(4, 2).T.flatten()
    found = Rotary(Sinusoidal(1, 4), pairs="halves")(q[:, order], x)
    assert_near(found, Rotary(Sinusoidal(1, 4))(q, x)[:, order])


def test_two_turns_are_one_by_the_sum() -> None:
    rotary, q, (x, y) = Rotary(Sinusoidal(1, 4)), randn(5, 8), randn(2, 5, 1, seed=1)
    assert_near(rotary(rotary(q, x), y), rotary(q, x + y))
    assert torch.equal(rotary(q, torch.zeros_like(x)), q)


def test_positions_are_shared_by_heads() -> None:
    rotary, q, x = Rotary(Sinusoidal(1, 4)), randn(2, 3, 5, 8), torch.arange(5)[:, None]
    found = rotary.double()(q, x)
    assert_near(found[1, 2], rotary(q[1, 2], x))
    assert rotary(q.bfloat16(), x).dtype == torch.bfloat16


def test_other_encodings_are_refused(unchecked: None) -> None:
    with pytest.raises(TypeError, match="`encoding` must be a Fourier encoding, got Identity"):
        Rotary(Identity(1))  # pyright: ignore[reportArgumentType]
    for encoding in (NeRF(1, 3, include_input=True), Blurred(NeRF(1, 3), 0.1)):
        with pytest.raises(ValueError, match="must be waves of amplitude 1 alone"):
            Rotary(encoding)
    with pytest.raises(ValueError, match=r"`pairs='odd'` must be 'interleaved' or 'halves'"):
        Rotary(Sinusoidal(1, 4), pairs="odd")  # pyright: ignore[reportArgumentType]


def test_shapes_that_do_not_fit(unchecked: None) -> None:
    rotary = Rotary(Sinusoidal(1, 4))
    with pytest.raises(ValueError, match=r"`features` must be \[\.\.\., 8\].* got shape \(5, 7\)"):
        rotary(torch.ones(5, 7), torch.ones(5, 1))
    for positions in (torch.ones(4, 1), torch.ones(2, 5, 1)):
        with pytest.raises(ValueError, match=r"`positions` of shape .* do not fit features"):
            rotary(torch.ones(5, 8), positions)
    with pytest.raises(ValueError, match="needs points"):
        rotary(torch.ones(5, 8), torch.ones(5))
