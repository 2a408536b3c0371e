"""A network and its expansion along a line of weights."""

import pytest
import torch
from torch import nn

from ntkit.dynamics import walk
from tests.cases import seeded


def _network() -> nn.Sequential:
    g = seeded()
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    for p in net.parameters():
        p.data.normal_(generator=g)
    return net


def test_the_first_order_is_the_gradient_and_the_network_is_itself() -> None:
    net, x = _network(), torch.randn(5, 2, generator=seeded()).double()
    end = {
        k: p.detach() + torch.randn(p.shape, generator=seeded()).double()
        for k, p in net.named_parameters()
    }
    before = {k: p.clone() for k, p in net.state_dict().items()}
    way = walk(net, end, x, [0.0, 0.3, 1.0])
    assert all(torch.equal(p, before[k]) for k, p in net.state_dict().items())
    slope = torch.zeros(5, 1).double()
    for k, p in net.named_parameters():
        for i in range(5):
            (g,) = torch.autograd.grad(net(x[i : i + 1]).sum(), p)
            slope[i, 0] += (g * (end[k] - p)).sum().detach()
    for i, share in enumerate(way.shares):
        torch.testing.assert_close(way.expansion[i], net(x).detach() + share * slope)
    net.load_state_dict(end)
    torch.testing.assert_close(way.network[-1], net(x).detach())
    gap = (way.network - way.expansion)[1].square().mean().sqrt()
    assert float(way.gap[1]) == pytest.approx(float(gap))


@pytest.mark.parametrize("order", [1, 2])
def test_the_gap_grows_as_a_power_of_the_way(order: int) -> None:
    net, x = _network(), torch.randn(5, 2, generator=seeded()).double()
    end = {k: p.detach() + 0.1 for k, p in net.named_parameters()}
    gap = walk(net, end, x, [0.01, 0.02], order=order).gap
    assert float(gap[1] / gap[0]) == pytest.approx(2 ** (order + 1), rel=0.05)


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="no parameter of the module"):
        walk(_network(), {"3.weight": torch.zeros(1)}, torch.zeros(1, 2).double(), [1.0])
