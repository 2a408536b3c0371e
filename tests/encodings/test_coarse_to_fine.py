"""The window that opens over frequencies: BARF's formula, and what moves while it opens."""

from math import cos, pi

import pytest
import torch
from torch import nn

import ntkit
from ntkit.encodings import Basic, CoarseToFine, Gaussian, Identity, NeRF
from ntkit.networks import Linear
from tests.cases import randn, seeded
from tests.tolerances import assert_near


def barf(alpha: float, k: int) -> float:
    """Lin et al. 2021, equation 14."""
    if alpha < k:
        return 0.0
    return (1 - cos((alpha - k) * pi)) / 2 if alpha - k < 1 else 1.0


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0, 2.6, 4.0, 9.0])
def test_weights_of_octaves_are_those_of_barf(alpha: float) -> None:
    octaves, x = NeRF(2, 4, include_input=True), randn(5, 2)
    encoding = CoarseToFine(octaves)
    assert encoding.n_octaves == 4.0
    encoding.set_alpha(alpha)
    weights = torch.tensor(
        [barf(alpha, k) for k in range(4) for _ in range(2)], dtype=torch.float64
    )
    expected = octaves(x) * torch.cat([torch.ones(2).double(), weights, weights])
    assert_near(encoding(x), expected, loosen=1e6)  # the window is float32, as the amplitudes are


def test_it_starts_fully_open_and_opens_again() -> None:
    plain = Gaussian(2, 16, 4.0, seeded())
    encoding, x = CoarseToFine(plain), randn(5, 2)
    assert torch.equal(encoding(x), plain(x))
    encoding.set_alpha(0.0)
    assert not encoding(x).any()
    encoding.set_alpha(encoding.n_octaves)
    assert torch.equal(encoding(x), plain(x))
    encoding.set_alpha(1.5)
    assert torch.equal(plain.amplitudes, torch.ones(16)), (
        "the encoding it was made of is left alone"
    )


def test_frequencies_between_octaves() -> None:
    """`k = log2(|b| / lowest)`, at least 0; zero frequencies come with the first."""
    encoding = CoarseToFine(Gaussian(2, 50, 2.0, seeded(), integer=True), lowest=2.0)
    size = encoding.frequencies.double().norm(dim=1)
    expected = (size.clamp_min(2.0) / 2.0).log2()
    assert_near(encoding.octaves, expected)
    assert float(size.min()) < 2.0
    encoding.set_alpha(1.0)
    first = size <= 2.0
    assert torch.equal(encoding.amplitudes[first], torch.ones(int(first.sum())))
    assert not encoding.amplitudes[size >= 4.0].any()


def test_the_kernel_follows_the_window() -> None:
    """What is shut is not there: the kernel of two octaves of four."""
    layers = [Linear(8, 8, generator=seeded()), nn.ReLU(), Linear(8, 1, generator=seeded(1))]
    encoding, x = CoarseToFine(NeRF(1, 4)), randn(5, 1)
    encoding.set_alpha(2.0)
    whole = ntkit.ntk(nn.Sequential(encoding, *layers))
    few = Linear(4, 8, w_std=0.5**0.5, generator=seeded())  # four of eight features are zero
    short = nn.Sequential(NeRF(1, 2), few, *layers[1:])
    # The first layer's own share counts features as they are scaled; both scale by 1 / 8.
    assert_near(whole(x), ntkit.ntk(short)(x), loosen=1000)
    encoding.set_alpha(4.0)  # the same kernel, after the window has opened
    assert_near(whole(x), ntkit.ntk(nn.Sequential(NeRF(1, 4), *layers))(x))
    assert_near(whole(x), ntkit.gram(whole, x) @ torch.eye(5).double(), loosen=10)


def test_compiled_it_follows_the_window(unchecked: None) -> None:
    encoding, x = CoarseToFine(NeRF(1, 4)), randn(5, 1)
    torch._dynamo.reset()
    compiled = torch.compile(encoding, backend="aot_eager", fullgraph=True)
    for alpha in (4.0, 1.5, 0.0):
        encoding.set_alpha(alpha)
        assert torch.equal(compiled(x), encoding(x))


def test_the_window_is_saved() -> None:
    first, second, x = CoarseToFine(NeRF(1, 4)), CoarseToFine(NeRF(1, 4)), randn(5, 1)
    first.set_alpha(1.5)
    second.load_state_dict(first.state_dict())
    assert float(second.alpha) == 1.5
    assert torch.equal(first(x), second(x))
    second.set_alpha(4.0)
    assert torch.equal(second.amplitudes, torch.ones(4))


@pytest.mark.parametrize("alpha", [-0.1, float("nan"), float("inf")])
def test_windows_that_are_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"`alpha=.*` must be"):
        CoarseToFine(Basic(1)).set_alpha(alpha)


def test_encodings_that_are_refused(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`encoding` must be a Fourier encoding, got Identity"):
        CoarseToFine(Identity(2))
    with pytest.raises(ValueError, match=r"`lowest=0` must be a finite number above 0"):
        CoarseToFine(Basic(2), lowest=0)
    still = Gaussian(1, 4, 0.01, seeded(), integer=True)
    with pytest.raises(ValueError, match="`encoding` has no frequency but zero"):
        CoarseToFine(still)
