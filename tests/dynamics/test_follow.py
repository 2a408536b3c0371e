"""A network in training, watched: exact for a linear one, the numbers of `compare`, closer as it grows wide."""

from itertools import islice

import pytest
import torch
from torch import nn

import ntkit
from ntkit import GradientDescent, GradientFlow, Momentum, compare, empirical_ntk
from ntkit.dynamics import follow
from tests.cases import randn
from tests.dynamics.test_discrete import network

X, Y, OTHER = randn(6, 3), randn(6, 2), randn(4, 3, seed=1)


def linear() -> nn.Linear:
    net = nn.Linear(3, 2).double()
    with torch.no_grad():
        net.weight.copy_(randn(2, 3))
    return net


@pytest.mark.parametrize("starts", [True, False], ids=["f0", "taken off"])
def test_a_linear_network_does_what_is_predicted(starts: bool) -> None:
    net = linear()
    before = net.weight.detach().clone()
    f0 = net if starts else None
    rule = Momentum(empirical_ntk(net), X, Y, lr=0.01, beta=0.8, ridge=0.2, f0=f0)
    found = [*follow(net, rule, steps=40, points=OTHER, looked=[0, 7, 40])]
    assert [each.step for each in found] == [*range(41)]
    assert [each.step for each in found if each.seen] == [0, 7, 40]
    for each in found:
        assert each.trained_loss == pytest.approx(each.predicted_loss, rel=1e-9)
        if each.seen is not None:
            torch.testing.assert_close(each.seen.trained, each.seen.predicted)
            torch.testing.assert_close(
                each.seen.predicted, rule.predict(OTHER, [each.step])[0], rtol=1e-9, atol=1e-9
            )
    assert found[0].seen is not None
    start = net(OTHER).detach() if starts else torch.zeros(4, 2)
    torch.testing.assert_close(found[0].seen.trained, start.double())
    assert torch.equal(net.weight, before), "the network itself is left as it is"


def test_it_says_what_compare_and_the_probe_say() -> None:
    net = network().double()
    x, y = randn(8, 3), randn(8, 1)
    rule = GradientDescent(empirical_ntk(net), x, y, lr=0.01, f0=net)
    result = compare(net, rule, steps=30)
    found = {each.step: each for each in follow(net, rule, steps=30, points=x)}
    for step, trained, distance in zip(
        result.steps.tolist(), result.trained.tolist(), result.distance.tolist(), strict=True
    ):
        seen = found[step].seen
        assert seen is not None
        assert found[step].trained_loss == pytest.approx(trained, rel=1e-12)
        if step:
            assert seen.distance == pytest.approx(distance, rel=1e-9)
    last = found[30].seen
    assert last is not None
    moved = [
        (p - q).detach() for p, q in zip(result.network.parameters(), net.parameters(), strict=True)
    ]
    size = torch.cat([p.detach().flatten() for p in net.parameters()]).norm()
    expected = torch.cat([m.flatten() for m in moved]).norm() / size
    assert last.lazy.movement == pytest.approx(float(expected), rel=1e-9)
    kernels = [empirical_ntk(n)(x) for n in (net, result.network)]
    change = (kernels[1] - kernels[0]).norm() / kernels[0].norm()
    assert last.lazy.kernel_change == pytest.approx(float(change), rel=1e-6)


def test_whoever_leaves_pays_for_no_more() -> None:
    net, calls = linear(), []
    net.register_forward_hook(lambda *_: calls.append(1))
    rule = GradientDescent(empirical_ntk(linear()), X, Y, lr=0.01)
    run = follow(net, rule, steps=500, points=OTHER, looked=[0])
    assert len([*islice(run, 3)]) == 3
    assert len(calls) < 60


def test_a_flow_has_no_steps() -> None:
    net = linear()
    with pytest.raises(ValueError, match=r"follow\(optimiser"):
        next(follow(net, GradientFlow(empirical_ntk(net), X, Y), steps=3, points=X))


def test_a_wider_network_is_nearer() -> None:
    grid = ntkit.Grid(16)
    y = torch.sin(6 * grid.points()[:, 0])

    def apart(width: int) -> float:
        net = ntkit.networks.mlp(
            ntkit.encodings.Basic(1), 1, width=width, depth=1, parametrisation="ntk",
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        rule = GradientDescent(ntkit.ntk(net), grid, y, lr=0.02)
        *_, last = follow(net, rule, steps=30, points=grid, looked=[30])
        assert last.seen is not None
        return last.seen.distance

    assert apart(4096) < apart(64) / 3
