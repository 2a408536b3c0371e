"""A module runs with other tensors, and nothing of it changes: held twice, tied, closed over."""

import types
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit._core.copies import as_leaves, snapshot
from ntkit._core.running import AbstractRunner, InPlace, StandIn, call
from tests.cases import randn, seeded


def dense(n_in: int = 3, n_out: int = 3, seed: int = 0) -> nn.Linear:
    """A layer of known weights."""
    layer = nn.Linear(n_in, n_out).double()
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=seeded(seed), dtype=torch.float64))
    return layer


class Held(nn.Module):
    """One layer three times in a list, and once more by another name."""

    def __init__(self) -> None:
        super().__init__()
        block = dense()
        self.blocks = nn.ModuleList([block] * 3)
        self.alias = block

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = torch.tanh(block(x))
        return self.alias(x)


class Tied(nn.Module):
    """Two layers of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = dense(), dense(seed=1)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x)))


class Hidden(nn.Module):
    """Layers by plain lists, tuples and dictionaries as well, and by a weak name of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = dense(), dense(seed=1)
        self.steps = [{"first": self.a}, (self.b,)]
        self.me = (self,)

    def forward(self, x: Tensor) -> Tensor:
        return self.steps[1][0](torch.tanh(self.me[0].steps[0]["first"](x)))


def patched() -> nn.Module:
    """A forward replaced on an instance, by a bound method."""
    net = nn.Sequential(dense(), nn.Tanh(), dense(seed=1))
    net[0].forward = types.MethodType(lambda s, x: 2 * nn.Linear.forward(s, x), net[0])
    return net


def closed_over() -> nn.Module:
    """A forward replaced by a function that closes over the network."""
    net = nn.Sequential(dense(), nn.Tanh(), dense(seed=1))

    def before(x: Tensor) -> Tensor:
        return torch.tanh(net[0](x))

    net.forward = lambda x: net[2](before(x))
    return net


def in_part() -> nn.Module:
    """A forward replaced by a partial function of a layer."""
    net = nn.Sequential(dense(), nn.Tanh(), dense(seed=1))
    net.forward = partial(lambda layer, x: layer(x) ** 2, net[2])
    return net


def hooked() -> nn.Module:
    """Hooks that close over another layer."""
    net = nn.Sequential(dense(), nn.Tanh(), dense(seed=1))
    other = net[0]
    net[2].register_forward_pre_hook(lambda m, args: (args[0] + other.bias,))
    net[1].register_forward_hook(lambda m, args, out: out * m.gain)
    net[1].gain = 0.5
    return net


def parametrised() -> nn.Module:
    """Parametrisations old and new."""
    return nn.Sequential(
        nn.utils.parametrizations.weight_norm(dense()),
        nn.Tanh(),
        nn.utils.parametrizations.orthogonal(dense(seed=1)),
    )


def recurrent() -> nn.Module:
    """A layer that keeps its weights in a list of its own."""

    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 3, batch_first=True).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x[:, None])[0][:, 0]

    return Last()


NETWORKS: list[Callable[[], nn.Module]] = [
    *(Held, Tied, Hidden),
    *(patched, closed_over, in_part, hooked, parametrised, recurrent),
]


def found(net: nn.Module) -> dict[int, dict[str, Any]]:
    """All that a network's parts hold, by identity."""
    seen = {}
    for k, part in enumerate(net.modules()):
        seen[k] = {name: value for name, value in vars(part).items() if name != "_flat_weights"}
        for kind in ("_parameters", "_buffers", "_modules"):
            seen[k][kind] = dict(vars(part)[kind])
    return seen


def moved(net: nn.Module) -> dict[str, Tensor]:
    """Other values of all parameters."""
    return {k: (p.detach() + 0.1).requires_grad_() for k, p in net.named_parameters()}


@pytest.mark.parametrize("runner", [StandIn, InPlace])
@pytest.mark.parametrize("make", NETWORKS, ids=lambda f: f.__name__)
def test_other_values_are_taken_and_the_own_left(
    make: Callable[[], nn.Module], runner: Callable[[nn.Module], AbstractRunner]
) -> None:
    net, x = make(), randn(4, 3)
    values, before = moved(net), found(net)
    y = runner(net)(values, (x,), {})
    slopes = torch.autograd.grad(y.sum(), list(values.values()), allow_unused=True)
    assert found(net) == before
    # the oracle: the same values written into the network itself
    with torch.no_grad():
        for k, p in net.named_parameters():
            p.copy_(values[k])
    expected = net(x)
    torch.testing.assert_close(y, expected, rtol=0, atol=0)
    own = torch.autograd.grad(expected.sum(), list(net.parameters()), allow_unused=True)
    for one, other in zip(slopes, own, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", NETWORKS, ids=lambda f: f.__name__)
def test_a_snapshot_stays(make: Callable[[], nn.Module]) -> None:
    net, x = make(), randn(4, 3)
    before = net(x).detach()
    still = snapshot(net)
    assert [k for k, _ in still.named_parameters()] == [k for k, _ in net.named_parameters()]
    with torch.no_grad():
        for p in net.parameters():
            p.add_(1.0)
    assert torch.equal(still(x), before)
    assert not torch.equal(net(x), before)


class Writing(nn.Module):
    """Sets attributes, fills a list, writes into buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = dense(), nn.BatchNorm1d(3).double()
        self.runs, self.log, self.plain = 0, [], torch.zeros(3)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        self.log.append(x)
        self.plain += 1
        self.seen += len(x)
        self.fresh = x
        return self.norm(self.layer(x))


@pytest.mark.parametrize("breaks", [False, True])
def test_what_a_run_writes_is_the_copys(breaks: bool) -> None:
    net = Writing()
    before, state = found(net), {k: v.clone() for k, v in net.state_dict().items()}
    if breaks:
        net.norm.register_forward_hook(lambda *_: 1 / 0)
        before = found(net)
        with pytest.raises(ZeroDivisionError):
            call(net, {}, randn(4, 3))
    else:
        assert call(net, {}, randn(4, 3)).shape == (4, 3)
    assert found(net) == before
    assert net.log == []
    assert float(net.plain.sum()) == 0
    assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())


def test_in_place_gives_everything_back_where_the_run_fails() -> None:
    net = Held()
    net.alias.register_forward_hook(lambda *_: 1 / 0)
    before = found(net)
    with pytest.raises(ZeroDivisionError):
        InPlace(net)(moved(net), (randn(4, 3),), {})
    assert found(net) == before


def test_lists_that_hooks_fill_stay_the_users() -> None:
    net, seen = nn.Sequential(dense()), []
    net[0].register_forward_hook(lambda m, args, out: seen.append(out))
    call(net, {}, randn(2, 3))
    assert len(seen) == 1


def test_scales_keep_their_graph_in_a_snapshot_and_lose_it_in_a_file() -> None:
    net = dense()
    net.gain = torch.tensor(2.0, requires_grad=True)
    still = snapshot(net)
    (slope,) = torch.autograd.grad(still.gain**2, net.gain)
    assert float(slope) == 4
    with torch.no_grad():
        net.gain.fill_(5.0)
    assert float(still.gain.detach()) == 2
    assert as_leaves(still).gain.is_leaf
    assert as_leaves(still).gain.requires_grad
