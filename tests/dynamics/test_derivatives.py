"""Networks whose derivatives are easily got wrong: expansions with the derivatives that autograd has."""

import pickle
from copy import deepcopy
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from ntkit import GradientFlow, LazyProbe, empirical_ntk, linearize, taylor
from tests.cases import randn
from tests.derivative_networks import NETWORKS, Tokens, network
from tests.dynamics.networks import shift
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near, relative_error

EXACT = 1e-9
NO_SECOND = {"bag, mean", "bag, sum", "bag, max", "sparse bag", "sparse embedding", "weight norm"}
"""Without two backward passes in PyTorch 2.13, as they are written."""


def moved(net: nn.Module) -> Tensor:
    """What `shift` adds to the trained parameters, in a row."""
    there = deepcopy(net)
    shift(there)
    pairs = zip(there.parameters(), net.parameters(), strict=True)
    return torch.cat([(p - q).detach().flatten() for p, q in pairs])


@pytest.mark.parametrize("name", NETWORKS)
def test_the_linearised_network_is_that_of_the_jacobian(name: str) -> None:
    """Its values with a graph and without one, and its own Jacobian wherever it is."""
    net, x = network(name)
    jacobian = oracle.jacobian(deepcopy(net), x.clone())
    expected = net(x.clone()).detach() + (jacobian @ moved(net))
    linear = linearize(net)
    assert_near(linear(x.clone()).detach(), net(x.clone()).detach(), loosen=10)
    shift(linear)
    assert relative_error(linear(x.clone()).detach(), expected) < EXACT
    with torch.no_grad():
        assert relative_error(linear(x.clone()), expected) < EXACT
    parameters = [p for p in linear.parameters() if p.requires_grad]
    found = oracle.jacobian(linear, x.clone(), parameters)
    assert relative_error(found, jacobian) < EXACT


def second_order(net: nn.Module, x: Tensor) -> Tensor:
    """`delta^T d^2 f delta / 2` by two plain backward passes for each output."""
    there, names = deepcopy(net), [name for name, _ in net.named_parameters()]
    deltas = moved(net).split([p.numel() for p in net.parameters()])
    direction = dict(zip(names, deltas, strict=True))
    parameters = dict(there.named_parameters())

    def along(entry: Tensor) -> Tensor:
        if not entry.requires_grad:
            return torch.zeros((), dtype=torch.float64)
        found = torch.autograd.grad(
            entry, list(parameters.values()), create_graph=True, allow_unused=True
        )
        parts = zip(parameters, found, strict=True)
        return sum(
            ((g.flatten() * direction[k]).sum() for k, g in parts if g is not None),
            torch.zeros((), dtype=torch.float64),
        )

    with sdpa_kernel(SDPBackend.MATH):
        y = there(x)
    return torch.stack([along(along(entry)) for entry in y.flatten()]).reshape(y.shape) / 2


@pytest.mark.parametrize("name", [n for n in NETWORKS if n not in NO_SECOND])
def test_the_second_order_is_that_of_two_backward_passes(name: str) -> None:
    net, x = network(name)
    first, second = linearize(net), taylor(net, 2)
    shift(first)
    shift(second)
    found = (second(x.clone()) - first(x.clone())).detach()
    expected = second_order(net, x.clone()).detach()
    if float(expected.abs().max()) == 0:
        assert float(found.abs().max()) < EXACT
    else:
        assert relative_error(found, expected) < 10 * EXACT


@pytest.mark.parametrize("name", NETWORKS)
def test_a_probe_measures_it(name: str) -> None:
    net, x = network(name)
    probe = LazyProbe(net, x)
    shift(net, 1e-4)
    probe.record(1)
    history = probe.history
    assert float(history.kernel_change[-1]) < 1
    if "straight" not in name and "round" not in name:
        assert float(history.nonlinearity[-1]) < 1
    assert not x.requires_grad


@pytest.mark.parametrize("name", ["derivative by the input", "energy and forces", "no_grad inside"])
def test_flows_take_it_as_start_and_kernel(name: str) -> None:
    """And the linearised network at their weights is what they predict."""
    net, x = network(name)
    z, y = randn(3, 4, seed=8), randn(*net(x.clone()).shape, seed=9)
    flow, linear = GradientFlow(empirical_ntk(net, "full"), x, y, f0=net), linearize(net)
    linear.load_state_dict(flow.weights(0.3), strict=False)
    assert_near(linear(z.clone()).detach(), flow.predict(z, [0.3])[0], loosen=1e4)
    assert not (x.requires_grad or z.requires_grad)


def test_compiled_parts_run_as_they_were_written() -> None:
    net, x = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).double(), randn(3, 4)
    expected = taylor(net, 2)
    net[0] = cast(nn.Module, torch.compile(net[0], backend="eager"))
    net(x)
    found = taylor(net, 2)
    for expansion in (expected, found):
        shift(expansion)
    assert_near(found(x).detach(), expected(x).detach())


def test_a_reentrant_checkpoint_is_refused_by_name() -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            found = checkpoint(self.b, self.a(x), use_reentrant=True)
            assert isinstance(found, Tensor)
            return found

    for order in (1, 2):
        with pytest.raises(NotImplementedError, match=r"hides.*Pass `use_reentrant=False`"):
            taylor(Checkpointed(), order)(randn(3, 4).float())


def test_embeddings_of_bounded_norm_are_renormalised_in_a_copy() -> None:
    net = Tokens(max_norm=0.5).double()
    start, ids = deepcopy(net), NETWORKS["embedding"][1]()
    linear = linearize(net)
    shift(linear)
    again = linear(ids)
    assert_near(linear(ids).detach(), again.detach())
    assert torch.equal(net.table.weight, start.table.weight)
    expected = start(ids).detach()  # this renormalises its weight
    jacobian = oracle.jacobian(start, ids)
    assert_near(again.detach(), expected + jacobian @ moved(start), loosen=100)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_by_offsets_with_weights_and_padding(mode: str) -> None:
    class Ragged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(7, 3, mode=mode, padding_idx=2).double()

        def forward(self, ids: Tensor, offsets: Tensor) -> Tensor:
            weights = randn(len(ids)) if mode == "sum" else None
            return self.bag(ids, offsets, per_sample_weights=weights).sin()

    net = Ragged()
    points = torch.tensor([1, 2, 2, 0, 6, 6, 5]), torch.tensor([0, 1, 3, 3])
    linear = linearize(net)
    assert_near(linear(*points).detach(), net(*points).detach())
    v = randn(4, 3, seed=1)
    for f in (net, linear):
        (f(*points) * v).sum().backward()
    assert_near(linear.get_parameter("bag.weight").grad, net.bag.weight.grad)


def test_other_branches_are_looked_at_again() -> None:
    """A wrong rule that only some points meet, after others were found right."""

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(4, 9).double()

        def forward(self, x: Tensor) -> Tensor:
            m = self.a(x).view(-1, 3, 3)
            m = m @ m.mT + torch.eye(3).to(x)
            m = torch.linalg.cholesky(m)
            return (torch.cholesky_inverse(m) if float(x.sum()) > 0 else m @ m.mT).flatten(1)

    net, x = Branching(), randn(3, 4)
    linear = linearize(net)
    shift(linear)
    for points in (-x.abs(), x.abs(), -x.abs()):
        expected = net(points) + (oracle.jacobian(net, points) @ moved(net))
        assert relative_error(linear(points).detach(), expected.detach()) < EXACT


@pytest.mark.parametrize("name", ["cholesky inverse", "transmittance", "derivative by the input"])
def test_gradients_reach_the_inputs(name: str) -> None:
    """Of values by the points, at the start, where the expansion is the network."""
    net, x = network(name)
    linear, found = linearize(net), []
    for f in (net, linear):
        at = x.clone().requires_grad_()
        found.append(torch.autograd.grad(f(1.0 * at).square().sum(), at)[0])
    assert_near(found[1], found[0], loosen=100)


def test_copies_after_use_compute_the_same() -> None:
    net, x = network("cholesky inverse")
    linear = linearize(net)
    shift(linear)
    expected = linear(x).detach()
    for twin in (deepcopy(linear), pickle.loads(pickle.dumps(linearize(nn.Linear(4, 2).double())))):
        twin(x)
    assert torch.equal(deepcopy(linear)(x).detach(), expected)
