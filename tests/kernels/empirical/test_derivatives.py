"""Networks whose derivatives are easily got wrong: each way to the kernel against single samples."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import ntkit
from ntkit.kernels import Contraction, Structured, empirical_ntk
from tests.cases import randn
from tests.derivative_networks import NETWORKS, Tokens, network
from tests.kernels.empirical import oracle
from tests.tolerances import relative_error

EXACT = 1e-9
TWICE = {"bag, mean", "bag, sum", "bag, max", "sparse bag"}
"""Without a second derivative in PyTorch 2.13, which products without the matrix need."""


@pytest.mark.parametrize("name", NETWORKS)
def test_every_way_to_the_kernel(name: str) -> None:
    net, x = network(name)
    expected = oracle.trace(deepcopy(net), x.clone())
    kernel = empirical_ntk(net)
    ways = {
        "default": kernel(x),
        "structured": empirical_ntk(net, method=Structured())(x),
        "contraction": empirical_ntk(net, method=Contraction())(x),
    }
    for way, found in ways.items():
        assert relative_error(found, expected) < EXACT, way
    assert relative_error(kernel(x[:3], x), expected[:3]) < EXACT
    assert relative_error(kernel.diag(x), expected.diagonal()) < EXACT
    features = kernel.features(x)
    assert relative_error(features @ features.T, expected) < EXACT
    assert not x.requires_grad


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in TWICE])
def test_products_without_the_matrix(name: str) -> None:
    """By factors that are kept, and, without memory, by derivatives."""
    net, x = network(name)
    expected = oracle.trace(deepcopy(net), x.clone())
    kernel, one = empirical_ntk(net), torch.eye(len(x), dtype=torch.float64)
    assert relative_error(ntkit.gram(kernel, x, lazy=True) @ one, expected) < EXACT
    assert relative_error(kernel.operator(x, memory=1) @ one, expected) < EXACT
    assert kernel.verify(x) < EXACT


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = checkpoint(lambda t: torch.tanh(self.b(t)), self.a(x), use_reentrant=True)
        assert isinstance(h, Tensor)
        return h


def test_a_reentrant_checkpoint_is_refused_by_name() -> None:
    kernel, x = empirical_ntk(Checkpointed()), randn(4, 4)
    for call in (kernel, kernel.diag, lambda x: ntkit.gram(kernel, x, lazy=True)):
        with pytest.raises(ValueError, match=r"`use_reentrant=True`.*Pass `use_reentrant=False`"):
            call(x)


def test_gradients_scaled_by_counts_are_refused_by_name() -> None:
    kernel = empirical_ntk(Tokens(scale_grad_by_freq=True))
    ids = NETWORKS["embedding"][1]()
    for call in (kernel, kernel.diag, lambda x: ntkit.gram(kernel, x, lazy=True)):
        with pytest.raises(ValueError, match=r"`scale_grad_by_freq=True`.*Set .*=False"):
            call(ids)


def test_sparse_gradients_of_a_function_are_refused_by_name() -> None:
    class Sparse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(randn(7, 5))

        def forward(self, ids: Tensor) -> Tensor:
            return nn.functional.embedding(ids, self.table, sparse=True).sum(1)

    with pytest.raises(ValueError, match=r"`F.embedding`.*`sparse=True`.*Pass `sparse=False`"):
        empirical_ntk(Sparse())(NETWORKS["embedding"][1]())


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: nn.Sequential(net, nn.Tanh())])
def test_data_parallel_is_refused_by_name(wrap: Callable[[nn.Module], nn.Module]) -> None:
    net = wrap(nn.DataParallel(nn.Linear(4, 2)))
    for door in (empirical_ntk, ntkit.linearize, lambda net: ntkit.taylor(net, 2)):
        with pytest.raises(ValueError, match=r"DataParallel\).*Pass what it wraps, `.module`"):
            door(net)


def test_an_output_without_a_graph_is_refused_by_name() -> None:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 2)

        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return self.a(x)

    with pytest.raises(ValueError, match=r"depends on no parameter.*the kernel is zero. Leave"):
        empirical_ntk(Detached())(randn(3, 4))
