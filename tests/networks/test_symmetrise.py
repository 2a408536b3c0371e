"""The antisymmetric pair: zero at the start, with the tangent kernel of one half."""

import pytest
import torch

from ntkit.networks import symmetrise
from tests import oracles
from tests.cases import LAYERS, randn
from tests.tolerances import assert_near


@pytest.mark.parametrize("layer", list(LAYERS), ids=lambda t: t.__module__ + t.__name__)
def test_zero_start_and_the_same_tangent_kernel(layer: type) -> None:
    net, x = LAYERS[layer]().double(), randn(5, 2)
    pair = symmetrise(net)
    assert float(pair(x).detach().abs().max()) == 0
    assert_near(oracles.jacobian_kernel(pair, x), oracles.jacobian_kernel(net, x))


def test_both_halves_are_trained_and_the_original_is_not() -> None:
    net = LAYERS[torch.nn.Linear]()
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
