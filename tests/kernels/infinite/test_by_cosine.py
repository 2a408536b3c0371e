"""The quick route of elementwise networks against the one that keeps every distance."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks, nngp, ntk
from ntkit.kernels.infinite.back import gram_matrix
from tests.cases import randn, seeded


def hard_points(n: int, d: int) -> Tensor:
    """Clusters with gaps down to 1e-12, opposite points, multiples, zeros, and a spread of lengths."""
    x = randn(n, d)
    x[1::7] = x[::7][: len(x[1::7])] * (1 + 1e-9)
    gaps = 10.0 ** -torch.arange(1.0, 13.0).double()
    x[10:22] = x[5] + gaps[:, None] * randn(12, d, seed=1)
    x[30:42] = -x[5] + gaps[:, None] * randn(12, d, seed=2)
    x[50] = 0
    return (
        x
        * torch.logspace(-1, 1, n, dtype=torch.float64)[torch.randperm(n, generator=seeded())][
            :, None
        ]
    )


def network(activation: nn.Module, *, branches: bool) -> nn.Module:
    g = seeded()
    first = networks.Linear(3, 8, w_std=1.5, b_std=0.2, generator=g)
    one, two = deepcopy(activation), deepcopy(activation)
    inner = nn.Sequential(one, networks.Linear(8, 8, w_std=1.4, b_std=0.1, generator=g))
    second = nn.Sequential(two, networks.Linear(8, 8, w_std=1.4, b_std=0.1, generator=g))
    body = Sum(inner) if branches else inner
    return nn.Sequential(first, body, second, activation, networks.Linear(8, 1, generator=g))


class Sum(nn.Module):
    """A residual branch."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Tensor:
        return x + self.branch(x)


@pytest.mark.parametrize("make", [ntk, nngp])
@pytest.mark.parametrize("branches", [False, True])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), networks.Erf(), nn.LayerNorm(8)])
def test_agrees_with_distances(monkeypatch, activation, branches: bool, make) -> None:
    """To 1e-12 of the root of the diagonal's product: what the angles of 1e-5 are known to."""
    kernel = make(network(activation, branches=branches))
    x, y = hard_points(120, 3), randn(80, 3, seed=3)
    y[:20] = hard_points(120, 3)[5:25] * 1.3
    quick = kernel(x), kernel(x, y)
    monkeypatch.setattr(gram_matrix, "pays", lambda *_: False)
    diagonals = kernel.diag(x), kernel.diag(y)
    assert torch.equal(quick[0], quick[0].T)
    for found, exact, other in zip(quick, (kernel(x), kernel(x, y)), diagonals, strict=True):
        size = (diagonals[0][:, None] * other).sqrt()
        assert float(((found - exact) / size).abs().max()) < 1e-12
        assert float(((found - exact) / exact).abs().max()) < 1e-10


def test_is_taken_for_large_matrices(monkeypatch) -> None:
    taken = []
    original = gram_matrix.gram_by_cosine
    monkeypatch.setattr(gram_matrix, "gram_by_cosine", lambda *a: taken.append(1) or original(*a))
    kernel = ntk(network(nn.ReLU(), branches=False))
    kernel(randn(100, 3))
    assert len(taken) == 1
    kernel(randn(5, 3))
    assert len(taken) == 1
