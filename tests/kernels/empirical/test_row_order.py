"""Networks that order samples by their values and put them back: each output is its sample's own."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import Contraction, Sketch, Structured, empirical_ntk
from ntkit.kernels.empirical import parameter_groups
from ntkit.kernels.empirical.batch import batched
from ntkit.kernels.empirical.parameter_groups import read
from ntkit.kernels.empirical.target import Target
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.mixing import OWN, points_of
from tests.tolerances import assert_near

Through = Callable[[nn.Module, Tensor], Tensor]


class Ordered(nn.Module):
    """Two layers, the second of which sees the samples in another order.

    Args:
        through: Applies a layer to samples in an order of its own and puts them back.
    """

    def __init__(self, through: Callable[["Ordered", Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 5), nn.Linear(4, 5)
        self.last = nn.Linear(5, 2)
        self.through = through

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.through(self, x)))


def _order(x: Tensor) -> tuple[Tensor, Tensor]:
    i = x[:, 0].argsort()
    return i, i.argsort()


def _sorted(net: Ordered, x: Tensor) -> Tensor:
    i, back = _order(x)
    return net.a(x[i])[back]


def _gathered(net: Ordered, x: Tensor) -> Tensor:
    i, back = _order(x)
    return net.a(x.index_select(0, i)).gather(0, back[:, None].expand(-1, 5))


def _scattered(net: Ordered, x: Tensor) -> Tensor:
    i, _ = _order(x)
    y = net.a(x[i])
    return torch.zeros_like(y).scatter(0, i[:, None].expand_as(y), y)


def _copied(net: Ordered, x: Tensor) -> Tensor:
    i, _ = _order(x)
    y = net.a(x[i])
    return torch.zeros_like(y).index_copy(0, i, y)


def _multiplied(net: Ordered, x: Tensor) -> Tensor:
    p = torch.eye(len(x)).to(x)[_order(x)[0]]
    return p.T @ net.a(p @ x)


def _multiplied_in_batches(net: Ordered, x: Tensor) -> Tensor:
    p = torch.eye(len(x)).to(x)[_order(x)[0]]
    return torch.bmm(p.T[None], net.a(p @ x)[None])[0]


def _summed(net: Ordered, x: Tensor) -> Tensor:
    p = torch.eye(len(x)).to(x)[_order(x)[0]]
    return (p[:, :, None] * net.a(p @ x)[:, None]).sum(0)


def _looked_up(net: Ordered, x: Tensor) -> Tensor:
    i, back = _order(x)
    return nn.functional.embedding(back, net.a(x[i]))


def _cut(net: Ordered, x: Tensor) -> Tensor:
    """Turned round by as much as the first largest sample says."""
    k = int(x[:, 0].argmax())
    y = net.a(torch.cat([x[k:], x[:k]]))
    return torch.cat([y[len(x) - k :], y[: len(x) - k]])


def _rolled(net: Ordered, x: Tensor) -> Tensor:
    k = int(x[:, 0].argmax())
    return net.a(x.roll(k, 0)).roll(-k, 0)


def _assigned(net: Ordered, x: Tensor) -> Tensor:
    i, back = _order(x)
    y, out = net.a(x[i]), torch.zeros(len(x), 5).to(x)
    for k in range(len(x)):
        out[k : k + 1] = y[int(back[k]) : int(back[k]) + 1]
    return out


def _experts(net: Ordered, x: Tensor) -> Tensor:
    out, m = torch.zeros(len(x), 5).to(x), x[:, 0] > 0
    out[m] = net.a(x[m])
    out[~m] = net.b(x[~m])
    return out


def _sorted_experts(net: Ordered, x: Tensor) -> Tensor:
    m = (x[:, 0] > 0).long()
    i = m.argsort(stable=True)
    parts = x[i].split([int((m == 0).sum()), int((m == 1).sum())])
    return torch.cat([net.a(parts[0]), net.b(parts[1])])[i.argsort()]


def _dispatched(net: Ordered, x: Tensor) -> Tensor:
    """Slots of experts by one-hot products, as in a switch transformer."""
    own = torch.stack([x[:, 0] > 0, x[:, 0] <= 0], 1).to(x)
    slot = (own.cumsum(0) * own).long()
    send = torch.zeros(len(x), 2, len(x) + 1).to(x).scatter(2, slot[..., None], own[..., None])
    rows = torch.einsum("nec,nd->ecd", send, x)
    y = torch.stack([net.a(rows[0]), net.b(rows[1])])
    return torch.einsum("nec,ecd->nd", send, y)


ORDERED: dict[str, Callable[[Ordered, Tensor], Tensor]] = {
    "sorted": _sorted,
    "gathered": _gathered,
    "scattered": _scattered,
    "copied": _copied,
    "multiplied": _multiplied,
    "multiplied in batches": _multiplied_in_batches,
    "summed": _summed,
    "looked up": _looked_up,
    "cut": _cut,
    "rolled": _rolled,
    "assigned": _assigned,
    "experts": _experts,
    "sorted experts": _sorted_experts,
    "dispatched": _dispatched,
}


def cross(net: nn.Module, x: Tensor, z: Tensor) -> Tensor:
    """`[n, m]` of the trace, sample by sample."""
    a, b = oracle.jacobian(net, x), oracle.jacobian(net, z)
    return torch.einsum("nop,mop->nm", a, b) / a.shape[1]


@pytest.mark.parametrize("kind", ORDERED)
def test_any_number_of_rows_has_its_kernel(kind: str) -> None:
    net = Ordered(ORDERED[kind]).double()
    kernel = empirical_ntk(net, method=Structured())
    for n, seed in ((1, 0), (2, 1), (3, 2)):
        z = randn(6, 4, seed=seed)
        x = z[:n]
        assert_near(kernel(x, z), cross(net, x, z))
        assert_near(kernel(z, x), cross(net, z, x))
    assert_near(kernel(z), cross(net, z, z))
    assert_near(kernel.diag(z), cross(net, z, z).diagonal())


@pytest.mark.parametrize("kind", ORDERED)
def test_every_way_to_the_kernel_agrees(kind: str) -> None:
    net, z = Ordered(ORDERED[kind]).double(), randn(6, 4)
    expected = cross(net, z[:2], z)
    assert_near(empirical_ntk(net)(z[:2], z), expected)
    assert_near(empirical_ntk(net, method=Contraction())(z[:2], z), expected)
    lazy = ntkit.gram(empirical_ntk(net), z, lazy=True)
    assert_near(lazy @ torch.eye(6).double(), cross(net, z, z))


@pytest.mark.parametrize("kind", ["sorted", "experts", "dispatched"])
def test_sketches_are_of_each_sample(kind: str) -> None:
    net, z = Ordered(ORDERED[kind]).double(), randn(6, 4)
    for memory in (5000, 2**20):
        kernel = empirical_ntk(net, method=Sketch(64, memory=memory))
        alone = torch.cat([kernel.features(z[i : i + 1]) for i in range(6)])
        assert_near(kernel.features(z), alone)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_expert_that_nobody_asks(sign: int) -> None:
    net, z = Ordered(_experts).double(), sign * randn(5, 4).abs()
    assert_near(empirical_ntk(net)(z), cross(net, z, z))
    assert_near(empirical_ntk(net)(z[:1], -z), cross(net, z[:1], -z))


class Padded(nn.Module):
    """Padding taken out before the layers, and put back."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.e, self.a, self.h = nn.Embedding(7, 3), nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, ids: Tensor) -> Tensor:
        own = ids != 0
        rows = torch.tanh(self.a(self.e(ids[own])))
        back = rows.new_zeros(*ids.shape, 3)
        back[own] = rows
        return self.h(back.sum(1))


def test_padding_that_is_taken_out() -> None:
    net = Padded().double()
    ids = torch.arange(1, 6).repeat(6, 1) * (torch.arange(5) <= torch.arange(6)[:, None] % 4)
    for n in (1, 3, 6):
        assert_near(empirical_ntk(net)(ids[:n], ids), cross(net, ids[:n], ids))


@pytest.mark.parametrize("kind", OWN)
def test_what_stays_in_order_needs_no_second_look(kind: str) -> None:
    net = OWN[kind]().double()
    plan = empirical_ntk(net, method=Structured()).plan(points_of(net))
    assert "order of its own" not in str(plan)


def test_an_order_that_is_right_by_chance() -> None:
    """All points are in order, which the points of the rows are not: seen in each run."""
    net, z = Ordered(_sorted).double(), randn(6, 4)
    z = z[z[:, 0].argsort()]
    few = z[[4, 1, 2]]
    for method in (Structured(), Contraction()):
        assert_near(empirical_ntk(net, method=method)(few, z), cross(net, few, z))
    kernel = empirical_ntk(net, method=Structured())
    assert "linear 4 to 5: pair" in str(kernel.plan(z))
    assert "no axis of its output tells the samples apart" in str(kernel.plan(few))


def test_an_index_on_features_moves_no_samples() -> None:
    net = nn.Sequential(nn.Linear(4, 6), Picked(), nn.Linear(6, 2)).double()
    readings = [read(Target(net), batched("x", randn(n, 4), None)) for n in (3, 6, 12)]
    assert not any(reading.may_reorder for reading in readings)
    assert_near(empirical_ntk(net)(randn(6, 4)), oracle.trace(net, randn(6, 4)))


class Picked(nn.Module):
    """Features in another order."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, torch.arange(5, -1, -1)]


def test_verify_is_of_samples_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes rows for those of others is found out, whichever side they are on."""
    net, z = Ordered(_sorted).double(), randn(6, 4)
    kernel = empirical_ntk(net, "full", method=Structured())
    assert kernel.verify(z) < 1e-12
    assert kernel.verify(z[:2], x2=z[2:]) < 1e-12
    monkeypatch.setattr(parameter_groups, "may_reorder", lambda *_: False)
    monkeypatch.setattr(parameter_groups, "_READ", {})
    wrong = empirical_ntk(Ordered(_sorted).double(), method=Structured())
    z = torch.cat([z[z[:, 0].argsort()], z[:1]])
    assert wrong.verify(z) > 0.01
    assert wrong.verify(z[:1], x2=z) > 0.01
