"""The Jacobian product in blocks, with and without vmap."""

import pytest
import torch
from torch import nn

from ntkit.kernels import Contraction, empirical_ntk
from tests.cases import randn, seeded
from tests.kernels.empirical import oracle
from tests.kernels.empirical.networks import Recurrent
from tests.tolerances import assert_near


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()


@pytest.mark.parametrize("memory", [2**30, 3000])
@pytest.mark.parametrize("recurrent", [None, nn.LSTM, nn.GRU])
def test_any_memory_gives_the_plain_product(
    memory: int, recurrent: type[nn.RNNBase] | None
) -> None:
    net = mlp() if recurrent is None else Recurrent(recurrent).double()
    x = randn(4, 3) if recurrent is None else randn(4, 5, 3)
    expected = oracle.full(net, x)
    whole = empirical_ntk(net, "full", method=Contraction(memory=memory))
    assert_near(whole(x), expected)
    assert_near(whole(x[:3], x[1:]), expected[:3, 1:])
    assert_near(whole.diag(x), expected.diagonal().permute(2, 0, 1))
    mean = empirical_ntk(net, method=Contraction(memory=memory))
    assert_near(mean(x), oracle.trace(net, x))
    assert_near(mean(x[:3], x[1:]), oracle.trace(net, x)[:3, 1:])
    assert_near(mean.diag(x), oracle.trace(net, x).diagonal())
    last = empirical_ntk(net, -1, method=Contraction(memory=memory))
    assert_near(last(x), expected[..., -1, -1])
    for kernel in (whole, mean, last):
        assert kernel.verify(x, seeded()) < 1e-13


def test_the_plan_says_that_it_loops_and_why() -> None:
    plan = empirical_ntk(Recurrent(nn.GRU), method=Contraction()).plan(randn(2, 5, 3).float())
    assert {row.way for row in plan.rows} == {"per-sample gradients"}
    assert all(row.reason for row in plan.rows)
    assert "recurrent.weight_ih_l0  (12, 3)  per-sample gradients" in str(plan)
    plan = empirical_ntk(mlp(), method=Contraction()).plan(randn(2, 3))
    assert {row.way for row in plan.rows} == {"per-sample gradients by vmap"}


def test_memory_must_be_positive() -> None:
    with pytest.raises(ValueError, match="memory"):
        Contraction(memory=0)


def test_long_sums_in_float32_keep_their_digits() -> None:
    """Terms of one sign, half a million of them."""
    net = nn.Linear(2**19, 1, bias=False)
    x = torch.rand(2, 2**19, generator=seeded())
    expected = x.double() @ x.double().T
    assert_near(empirical_ntk(net, method=Contraction())(x), expected.float())
