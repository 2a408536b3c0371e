"""Tests of numbers: ordinary initialisations never alarm, what is no draw does."""

from math import log, prod, sqrt

import pytest
import torch
from torch import Tensor, nn

from ntkit.kernels.infinite.rules.draws import (
    are_uniform,
    are_unit_gaussian,
    of_matrix,
    of_scales,
    of_vector,
)
from tests.cases import randn, seeded

N = 64

INITS = {
    "default": lambda w: nn.init.kaiming_uniform_(w, a=sqrt(5), generator=seeded(w.numel())),
    "xavier": lambda w: nn.init.xavier_normal_(w, generator=seeded(w.numel())),
    "xavier, uniform": lambda w: nn.init.xavier_uniform_(w, generator=seeded(w.numel())),
    "kaiming": lambda w: nn.init.kaiming_normal_(w, generator=seeded(w.numel())),
    "orthogonal": lambda w: nn.init.orthogonal_(w, generator=seeded(w.numel())),
    "truncated": lambda w: nn.init.trunc_normal_(w, generator=seeded(w.numel())),
    "signs": lambda w: w.normal_(generator=seeded(w.numel())).sign_(),
    "zeros": lambda w: w.zero_(),
}
SHAPES = [
    *((8, 8), (16, 16), (64, 64), (8, 3), (64, 2), (64, 1), (1, 64), (3, 16), (256, 16), (16, 256)),
    *((16, 3, 3, 3), (32, 16, 3), (8, 1, 3), (64, 1, 3, 3), (8, 8, 3, 3), (64, 64, 1)),
]


@pytest.mark.parametrize("name", INITS)
def test_ordinary_initialisations_do_not_alarm(name: str) -> None:
    """One draw of each shape here; a simulation of 20,000 draws an initialisation met no alarm."""
    for shape in SHAPES:
        for k in range(1 + 500 // prod(shape)):
            weight = torch.empty(*shape, 1 + k)[..., 0].clone()
            assert of_matrix(INITS[name](weight)) is None, shape


@pytest.mark.parametrize("size", [4, 8, 16, 512])
def test_vectors_of_draws_do_not_alarm(size: int) -> None:
    g = seeded(size)
    for _ in range(100):
        assert of_vector(torch.empty(size).uniform_(-1, 1, generator=g)) is None
        assert of_vector(torch.randn(size, generator=g)) is None


def sinusoids(n: int, channels: int) -> Tensor:
    angle = torch.arange(n).outer(torch.exp(-torch.arange(0, channels, 2) / channels * log(1e4)))
    return torch.cat([angle.sin(), angle.cos()], 1)


NO_DRAWS = {
    "identity": (torch.eye(N), "a unit hears 1 inputs, as with a diagonal matrix", True),
    "small identity": (torch.eye(8), "a unit hears 1 inputs", True),
    "permutation": (torch.eye(N).roll(5, 0), "a unit hears 1 inputs", True),
    "diagonal": (torch.diag(randn(N)), "a unit hears 1 inputs", True),
    "dirac": (nn.init.dirac_(torch.empty(16, 16, 3)), "a unit hears 1 inputs", True),
    "near the identity": (torch.eye(N) + randn(N, N) / 8, "the diagonal stands out", False),
    "positive": (randn(N, N).abs(), "the mean of the entries is 0.7", False),
    "small positive": (randn(8, 8).abs(), "the mean of the entries is 0.8", False),
    "positive read-out": (randn(1, N).abs(), "the mean of the entries is", False),
    "ones": (torch.ones(N, N), "all units have the same weights", True),
    "zeros and ones": (randn(N, N).sign() + 1, "the mean of the entries is", False),
    "blur": (torch.tensor([0.25, 0.5, 0.25]).expand(N, 1, 3), "all units have the same", True),
    "derivative": (torch.tensor([-1.0, 0, 1]).expand(8, 1, 3), "all units have the same", True),
    "inflated": (randn(N, 16, 1).expand(N, 16, 3), "neighbouring taps are alike", False),
    "bell": (randn(N, 16, 3) * torch.tensor([0.1, 1, 0.1]), "the taps of the window differ", False),
    "few directions": (randn(N, 12) @ randn(12, N, seed=1), "lie in about", False),
    "units of unlike size": (
        randn(N, N) * torch.logspace(-1, 1, N)[:, None],
        "weights of different units differ in size",
        False,
    ),
    "inputs of unlike size": (
        randn(N, N) * torch.logspace(-1, 1, N),
        "weights of different inputs differ in size",
        False,
    ),
    "standardised": ((lambda w: w - w.mean(1, keepdim=True))(randn(N, N)), "add up to zero", False),
    "means of units": (randn(N, N) + 0.5 * randn(N, 1), "have a mean of their own", False),
    "sinusoids": (sinusoids(16, N), "the mean of the entries is", False),
}


@pytest.mark.parametrize("name", NO_DRAWS)
def test_what_is_no_draw_is_said(name: str) -> None:
    weight, what, certain = NO_DRAWS[name]
    found = of_matrix(weight)
    assert found is not None
    assert what in found.what
    assert found.is_certain == certain


@pytest.mark.parametrize(
    ("values", "what", "certain"),
    [
        (torch.full((8,), 0.3), "all entries are 0.3", True),
        (torch.full((4,), -2.0), "all entries are -2", True),
        (1 + 0.1 * randn(32), "the mean of the entries is 0.9", False),
        (torch.arange(64.0).sin() + 1, "the mean of the entries is 1", False),
    ],
)
def test_shifts_with_a_mean(values: Tensor, what: str, certain: bool) -> None:
    found = of_vector(values)
    assert found is not None
    assert what in found.what
    assert found.is_certain == certain
    assert found.mean == pytest.approx(float(values.double().mean()), rel=1e-9)


def test_scales() -> None:
    assert of_scales(torch.full((8,), 0.3)) is None
    assert of_scales(1 + 0.1 * randn(64)) is None
    found = of_scales(torch.exp(randn(64)))
    assert found is not None
    assert "differ from channel to channel" in found.what


def test_laws_are_told_apart() -> None:
    g = seeded()
    assert are_uniform(torch.empty(256).uniform_(-2, 2, generator=g)) is True
    assert are_uniform(torch.randn(256, generator=g)) is False
    assert are_uniform(torch.randn(8, generator=g)) is None
    for _ in range(20):  # 64 units of two inputs
        assert are_uniform(torch.randn(128, generator=g)) is None
    assert sum(are_uniform(torch.rand(128, generator=g) - 0.5) is True for _ in range(20)) >= 17
    assert are_unit_gaussian(torch.randn(64, generator=g))
    assert not are_unit_gaussian(3 * torch.randn(64, generator=g))
    assert not are_unit_gaussian(torch.ones(64))
    assert are_unit_gaussian(torch.ones(1))
