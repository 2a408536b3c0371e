"""The probe: its figures against plain formulas, the laws of lazy training, and good manners."""

from copy import deepcopy
from math import isnan
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit import LazyProbe, linearize
from ntkit.dynamics import log_steps
from ntkit.networks import Linear
from tests import oracles
from tests.cases import randn, seeded
from tests.dynamics.networks import NETWORKS, TiedLanguageModel, network, shift
from tests.rates import fitted_exponent
from tests.tolerances import assert_near


def flat(net: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def shallow(width: int, seed: int = 0, *, w_std: float = 1.0) -> nn.Sequential:
    g = seeded(seed)
    head = Linear(width, 1, bias=False, w_std=w_std, generator=g)
    return nn.Sequential(Linear(3, width, generator=g), nn.Tanh(), head).double()


def descend(net: nn.Module, x: Tensor, y: Tensor, *, lr: float, until: float) -> float:
    """Train until the loss is below `until`."""
    optimiser = torch.optim.SGD(net.parameters(), lr=lr)
    for _ in range(3000):
        optimiser.zero_grad()
        loss = 0.5 * (net(x) - y).square().sum()
        if float(loss.detach()) < until:
            break
        loss.backward()
        optimiser.step()
    return float(loss.detach())


def test_the_figures_are_their_formulas() -> None:
    net, x = shallow(12), randn(5, 3)
    start, K0 = flat(net), oracles.jacobian_kernel(net, x)
    linear, f0 = linearize(net), net(x).detach()
    probe = LazyProbe(net, x)
    shift(net, 0.4)
    shift(linear, 0.4)
    probe.record(3, loss=0.25)
    K, f = oracles.jacobian_kernel(net, x), net(x).detach()
    first, row = probe.history.table
    assert (first.movement, first.kernel_change, first.nonlinearity) == (0, 0, 0)
    assert abs(first.kernel_alignment - 1) < 1e-12
    expected = {
        "movement": (flat(net) - start).norm() / start.norm(),
        "kernel_change": (K - K0).norm() / K0.norm(),
        "kernel_alignment": (K * K0).sum() / K.norm() / K0.norm(),
        "nonlinearity": (f - linear(x).detach()).norm() / (f - f0).norm(),
    }
    for name, value in expected.items():
        assert abs(getattr(row, name) / float(value) - 1) < 1e-12
    weight = start[:36]
    moved = float((net[0].weight.detach().flatten() - weight).norm() / weight.norm())
    assert abs(row.movements["0.weight"] / moved - 1) < 1e-12
    assert (row.step, row.loss) == (3, 0.25)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kernel_is_traced_over_outputs_of_any_module(name: str) -> None:
    net, x = network(name)
    probe = LazyProbe(net, x)
    out = net(x)
    rows = [
        torch.cat([
            g.flatten() for g in torch.autograd.grad(v, list(net.parameters()), retain_graph=True)
        ])
        for v in out.flatten()
    ]
    J = torch.stack(rows).reshape(len(out), -1, len(rows[0]))
    assert_near(probe._kernel0, torch.einsum("nop,mop->nm", J, J) / J.shape[1], loosen=10)


def test_a_linear_model_is_lazy_whatever_it_learns() -> None:
    """Its kernel stands still and it is its own linearisation."""
    net, x = nn.Linear(3, 2).double(), randn(6, 3)
    probe = LazyProbe(net, x)
    shift(net, 10.0)
    probe.record(1)
    row = probe.history.table[-1]
    assert row.movement > 5
    assert max(row.kernel_change, row.nonlinearity, abs(1 - row.kernel_alignment)) < 1e-12


def test_a_larger_kernel_of_the_same_shape_is_aligned() -> None:
    """`f = a b x`: twice `a` and twice `b`, four times the kernel."""
    net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)).double()
    probe = LazyProbe(net, randn(4, 1))
    with torch.no_grad():
        for p in net.parameters():
            p *= 2
    probe.record(1)
    row = probe.history.table[-1]
    for found, expected in (
        (row.movement, 1.0),
        (row.kernel_change, 3.0),
        (row.kernel_alignment, 1.0),
        (row.nonlinearity, 1 / 3),  # 4 ab against 3 ab
    ):
        assert abs(found - expected) < 1e-12


@pytest.mark.slow
def test_wide_networks_are_lazy_and_mean_field_ones_are_not() -> None:
    """Movement falls as `width^-1/2` at equal loss, kernel and distance at least so fast."""
    x = nn.functional.normalize(randn(8, 3)) * 3**0.5
    y = torch.sin(2 * x[:, :1])
    widths, rows, mean_field = [64, 256, 1024], [], []
    for width in widths:
        for found, w_std in ((rows, 1.0), (mean_field, width**-0.5)):
            net = shallow(width, seed=1, w_std=w_std)
            probe = LazyProbe(net, x)
            assert descend(net, x, y, lr=0.05 / w_std**2, until=0.3) < 0.3
            probe.record(1)
            found.append(probe.history.table[-1])
    assert -0.65 < fitted_exponent(widths, [r.movement for r in rows]) < -0.35
    for name in ("kernel_change", "nonlinearity"):
        assert fitted_exponent(widths, [getattr(r, name) for r in rows]) < -0.5
        assert getattr(mean_field[-1], name) > 5 * getattr(rows[-1], name)
    assert abs(fitted_exponent(widths, [r.movement for r in mean_field])) < 0.1


def test_steps_are_those_asked_for() -> None:
    net, x = shallow(4), randn(2, 3)
    probe = LazyProbe(net, x, steps=range(0, 100, 10))
    for step in range(1, 41):
        probe.record(step)
    assert probe.history.steps.tolist() == [0, 10, 20, 30, 40]
    every = LazyProbe(net, x)
    for step in (7, 2, 7):  # the second of a step counts
        every.record(step, loss=float(step))
    assert every.history.steps.tolist() == [0, 2, 7]
    assert isnan(float(every.history.loss[0]))
    assert every.history.loss.tolist()[1:] == [2.0, 7.0]


def test_it_watches_an_optimiser() -> None:
    net, x = shallow(4), randn(2, 3)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    probe, by_hand = (LazyProbe(net, x, steps=range(0, 20, 3)) for _ in range(2))

    def step(number: int) -> None:
        optimiser.zero_grad()
        net(x).square().sum().backward()
        optimiser.step()
        by_hand.record(number)

    with probe.watch(optimiser):
        for number in range(1, 10):
            step(number)
    assert str(probe.history) == str(by_hand.history)
    assert probe.history.steps.tolist() == [0, 3, 6, 9]
    for number in range(10, 14):  # no longer watched
        step(number)
    assert probe.history.steps.tolist() == [0, 3, 6, 9]
    handle = probe.watch(optimiser)  # goes on after the last one recorded
    for number in range(14, 17):
        step(number)
    assert probe.history.steps.tolist() == [0, 3, 6, 9, 12]
    handle.remove()


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_left_as_it_was(name: str) -> None:
    net, x = network(name)
    net.train()
    net[0].eval() if isinstance(net, nn.Sequential) else None
    modes = [m.training for m in net.modules()]
    net(x).sum().backward()
    state, generator = deepcopy(net.state_dict()), torch.random.get_rng_state()
    gradients = [p.grad.clone() for p in net.parameters()]
    with torch.no_grad():
        probe = LazyProbe(net, x)
        probe.record(1)
    assert [m.training for m in net.modules()] == modes
    for before, after in zip(state.values(), net.state_dict().values(), strict=True):
        assert torch.equal(before, after)
    for before, p in zip(gradients, net.parameters(), strict=True):
        assert torch.equal(before, p.grad)
        assert p.requires_grad
    assert torch.equal(torch.random.get_rng_state(), generator)


def test_also_after_an_error_and_with_chance_in_the_network() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.fails = nn.Linear(3, 2), False

        def forward(self, x: Tensor) -> Tensor:
            if self.fails:
                raise RuntimeError("on purpose")
            return self.layer(x) + 0 * torch.rand(1)

    net, x = Noisy(), torch.zeros(2, 3)
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="draws random numbers"):
        LazyProbe(net, x)
    probe = LazyProbe(net, x, has_kernel=False)
    assert torch.equal(torch.random.get_rng_state(), state)
    net.fails = True
    with pytest.raises(RuntimeError, match="on purpose"):
        probe.record(1)
    assert net.training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_several_inputs() -> None:
    net = TiedLanguageModel().double()
    tokens, mask = torch.tensor([[0, 1, 2, 3, 4], [3, 3, 1, 6, 2]]), randn(2, 5)
    probes = [LazyProbe(net, x) for x in ((tokens, mask), {"tokens": tokens, "mask": mask})]
    shift(net)
    for probe in probes:
        probe.record(1)
    assert str(probes[0].history) == str(probes[1].history)


def test_inputs_that_are_no_samples_are_held() -> None:
    """A number, and a mask that all samples share."""

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, power: int, x: Tensor, *, mask: Tensor) -> dict[str, Any]:
            y = self.layer(x * mask) ** power
            return {"logits": y, "class": y.argmax(1), "pair": (y.sum(1), None)}

    net, x, mask = Masked().double(), randn(3, 4), randn(4)
    probe = LazyProbe(net, {"power": 2, "x": x, "mask": mask})
    rows = []
    for sample in x.split(1):
        y = net(2, sample, mask=mask)["logits"][0]
        values = (*y, y.sum())
        grads = [torch.autograd.grad(v, list(net.parameters()), retain_graph=True) for v in values]
        rows.append(torch.stack([torch.cat([g.flatten() for g in row]) for row in grads]))
    J = torch.stack(rows)
    assert_near(probe._kernel0, torch.einsum("nop,mop->nm", J, J) / 3)


def test_layers_that_are_frozen_later_still_count() -> None:
    net, x = shallow(6), randn(3, 3)
    probe = LazyProbe(net, x)
    net[0].requires_grad_(False)
    probe.record(1)
    assert probe.history.table[1].kernel_change == 0


def test_only_trainable_parameters_count() -> None:
    net, x = shallow(6), randn(3, 3)
    net[0].requires_grad_(False)
    probe = LazyProbe(net, x, has_kernel=False)
    assert list(probe.history.table[0].movements) == ["2.weight"]
    assert isnan(probe.history.table[0].kernel_change)
    with torch.no_grad():
        net[2].weight.mul_(1.5)
    probe.record(1)
    assert abs(probe.history.table[1].movement - 0.5) < 1e-12
    assert_near(probe.history.movement_of("2.weight"), torch.tensor([0, 0.5]).double())


def test_leaving_zero_is_infinitely_far() -> None:
    net = nn.Linear(3, 1).double()
    nn.init.zeros_(net.bias)
    probe = LazyProbe(net, randn(2, 3))
    assert probe.history.table[0].movements["bias"] == 0
    shift(net)
    probe.record(1)
    assert probe.history.table[1].movements["bias"] == float("inf")


def test_log_steps_are_even_in_the_logarithm() -> None:
    steps = log_steps(10_000, per_decade=4)
    assert steps[0] == 0
    assert steps[-1] == 10_000
    late = torch.tensor([float(s) for s in steps if s >= 100])
    assert float((late.log10().diff() - 0.25).abs().max()) < 0.01
    assert log_steps(1) == [0, 1]


def test_refusals() -> None:
    net, x = shallow(4), randn(2, 3)
    with pytest.raises(ValueError, match="nothing to train"):
        LazyProbe(shallow(4).requires_grad_(False), x)
    with pytest.raises(ValueError, match=r"must return floating tensors.*Wrap the network"):
        LazyProbe(nn.Sequential(net, nn.Flatten(0), SumAll()), x)
    with pytest.raises(KeyError, match="no trainable parameter; there are"):
        LazyProbe(net, x).history.movement_of("weight")
    with pytest.raises(ValueError, match="`last=0` must be at least 1"):
        log_steps(0)


class SumAll(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum()
