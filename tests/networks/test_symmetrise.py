"""The antisymmetric pair: zero at the start, with the tangent kernel of one half."""

import pytest
import torch

from ntkit import encodings
from ntkit.networks import Linear, symmetrise
from tests import oracles
from tests.cases import LAYERS, layered, randn, standard
from tests.tolerances import assert_near

NETS = {
    "ntk": lambda: layered(encodings.Basic(2)),
    "standard": lambda: standard(encodings.Basic(2)),
    "raw": lambda: LAYERS[Linear].network(32),
    "layer norm": lambda: LAYERS[torch.nn.LayerNorm].network(32),
}


@pytest.mark.parametrize("name", NETS)
def test_zero_start_and_the_same_tangent_kernel(name: str) -> None:
    net, x = NETS[name]().double(), randn(5, 2)
    pair = symmetrise(net)
    assert float(pair(x).detach().abs().max()) == 0
    assert_near(oracles.jacobian_kernel(pair, x), oracles.jacobian_kernel(net, x))


def test_both_halves_are_trained_and_the_original_is_not() -> None:
    net = standard(encodings.Basic(2))
    pair, x = symmetrise(net), randn(5, 2).float()
    before = net(x).detach()
    pair(x).square().sum().backward()  # zero output, zero gradient
    assert all(float(p.grad.abs().max()) == 0 for p in pair.parameters())
    (pair(x) - 1).square().sum().backward()
    with torch.no_grad():
        for p in pair.parameters():
            p -= 0.1 * p.grad
    assert float(pair(x).detach().abs().max()) > 1e-3
    assert torch.equal(net(x).detach(), before)
    assert not torch.equal(pair.plus[1].weight, pair.minus[1].weight)
