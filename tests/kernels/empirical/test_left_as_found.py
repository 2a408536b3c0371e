"""Every door of the empirical kernel leaves the network as it was, also beside other threads."""

import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import Contraction, EmpiricalKernel, Sketch, empirical_ntk
from tests._core.test_running import Held, Hidden, Tied, closed_over, found, patched
from tests.cases import randn
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near

DOORS: dict[str, Callable[[nn.Module, Tensor], object]] = {
    "call": lambda net, x: empirical_ntk(net)(x),
    "contraction": lambda net, x: empirical_ntk(net, method=Contraction())(x),
    "sketch": lambda net, x: empirical_ntk(net, method=Sketch(8)).features(x),
    "diag": lambda net, x: empirical_ntk(net).diag(x),
    "features": lambda net, x: empirical_ntk(net).features(x),
    "plan": lambda net, x: empirical_ntk(net).plan(x),
    "verify": lambda net, x: empirical_ntk(net).verify(x),
    "lazy": lambda net, x: ntkit.gram(empirical_ntk(net), x, lazy=True) @ torch.ones(len(x)),
    "linearize": lambda net, x: ntkit.linearize(net)(x),
    "taylor": lambda net, x: ntkit.taylor(net, 2)(x),
    "probe": lambda net, x: ntkit.LazyProbe(net, x).record(1),
    "flow": lambda net, x: ntkit.GradientFlow(
        empirical_ntk(net, "full"), x, torch.zeros_like(x), f0=net
    ).predict(x[:2], [1.0]),
    "weights": lambda net, x: ntkit.GradientFlow(
        empirical_ntk(net, "full"), x, torch.ones_like(x)
    ).weights(1.0),
    "feature map": lambda net, x: ntkit.kernels.FeatureMap(net)(x),
}


@pytest.mark.parametrize("make", [Held, Tied, Hidden, patched, closed_over])
@pytest.mark.parametrize("door", DOORS)
def test_modules_held_twice_or_tied_stay_whole(make: Callable[[], nn.Module], door: str) -> None:
    net, x = make(), randn(4, 3)
    before = found(net)
    values = {k: v.clone() for k, v in net.state_dict().items()}
    DOORS[door](net, x)
    assert found(net) == before
    assert all(isinstance(p, nn.Parameter) for p in net.parameters())
    assert all(torch.equal(values[k], v) for k, v in net.state_dict().items())


@pytest.mark.parametrize("make", [Held, Tied, Hidden, patched, closed_over])
def test_their_kernels_are_right(make: Callable[[], nn.Module]) -> None:
    net, x = make(), randn(4, 3)
    expected = oracle.full(net, x)
    for method in (None, Contraction()):
        kernel = empirical_ntk(net, "full", **({} if method is None else {"method": method}))
        assert_near(kernel(x), expected)
    operator = ntkit.gram(empirical_ntk(net, "full"), x, lazy=True)
    assert_near(operator.dense(), expected.transpose(1, 2).reshape(12, 12), loosen=10)


SELF: dict[str, nn.Module] = {}
"""Where a network finds itself by a name that is global."""


class Global(nn.Module):
    """Reaches its layer by a global name, and says whose attribute it sets."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2).double()
        self.runs = 0

    def forward(self, x: Tensor) -> Tensor:
        SELF["net"].runs += 1
        return torch.tanh(SELF["net"].layer(x))


def test_a_network_that_reaches_itself_by_a_global_name_runs_in_place() -> None:
    net, x = Global(), randn(4, 3)
    SELF["net"] = net
    expected, before = oracle.trace(net, x), found(net)
    kernel = empirical_ntk(net)
    assert_near(kernel(x), expected)
    assert_near(kernel(x, x[:2]), expected[:, :2])
    assert found(net) == before


class Bounded(nn.Module):
    """Rows of an embedding are brought to a largest norm, where they are used."""

    def __init__(self, function: Callable[[Tensor, nn.Module], Tensor]) -> None:
        super().__init__()
        self.table = nn.Embedding(6, 3, max_norm=0.5).double()
        self.readout = nn.Linear(3, 1).double()
        self.function = function

    def forward(self, tokens: Tensor) -> Tensor:
        return self.readout(self.function(tokens, self.table).mean(1))


@pytest.mark.parametrize(
    "function",
    [
        lambda tokens, table: table(tokens),
        lambda tokens, table: nn.functional.embedding(tokens, table.weight, max_norm=0.5),
    ],
    ids=["module", "function"],
)
def test_embeddings_of_a_largest_norm_are_not_rewritten(function: Callable) -> None:
    net, tokens = Bounded(function), torch.arange(6).reshape(3, 2)
    net.table.max_norm = None if "lambda" not in repr(function) else net.table.max_norm
    values = {k: v.clone() for k, v in net.state_dict().items()}
    kernel = empirical_ntk(net)
    found = [kernel(tokens), kernel(tokens), kernel.diag(tokens)]
    assert all(torch.equal(values[k], v) for k, v in net.state_dict().items())
    net(tokens)  # the network itself does rewrite them
    assert not torch.equal(values["table.weight"], net.table.weight)
    expected = oracle.trace(net, tokens)
    assert_near(found[0], expected)
    assert_near(found[1], expected)
    assert_near(found[2], expected.diagonal())


class Drifting(nn.Module):
    """Each run changes a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.layer.weight.mul_(0.9)
        return self.layer(x)


def test_a_parameter_that_each_run_changes_is_refused() -> None:
    net = Drifting()
    before = net.layer.weight.detach().clone()
    with pytest.raises(ValueError, match=r"gives other values each time"):
        empirical_ntk(net)(randn(3, 3))
    assert torch.equal(net.layer.weight, before)


class Late(nn.Module):
    """Writes into a parameter where a point is large."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        if float(x.abs().max()) > 50:
            with torch.no_grad():
                self.layer.weight.clamp_(-0.1, 0.1)
        return self.layer(x)


def test_a_parameter_that_some_points_write_into_is_refused_then_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # beside another thread all parameters are copied at each call, and nothing is written
    monkeypatch.setattr("ntkit.kernels.empirical.moment.active_count", lambda: 1)
    net, x = Late(), randn(3, 3)
    kernel = empirical_ntk(net)
    kernel(x)
    with pytest.raises(ValueError, match=r"wrote into its parameter `layer.weight` for these"):
        kernel(100 * x)
    with torch.no_grad():
        net.layer.weight.fill_(1.0)
    kernel(100 * x)
    assert bool((net.layer.weight == 1).all())


def test_two_threads_on_one_kernel_and_a_training_beside() -> None:
    net = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1)).double()
    x, kernel = randn(8, 3), empirical_ntk(net)
    expected = kernel(x)
    results: list[Tensor] = []
    lost: list[str] = []
    errors: list[BaseException] = []
    stop = threading.Event()

    def train() -> None:
        while not stop.is_set():
            net.zero_grad()
            net(x).sum().backward()
            lost.extend(k for k, p in net.named_parameters() if p.grad is None)

    def ask() -> None:
        try:
            results.extend(kernel(x) for _ in range(10))
        except Exception as error:
            errors.append(error)

    trainer = threading.Thread(target=train)
    others = [threading.Thread(target=ask) for _ in range(2)]
    for thread in (trainer, *others):
        thread.start()
    for thread in others:
        thread.join()
    stop.set()
    trainer.join()
    assert not errors
    assert not lost
    assert len(results) == 20
    for one in results:
        assert torch.equal(one, expected)


def test_a_kernel_beside_an_optimiser_has_the_values_of_some_moment() -> None:
    net, x = nn.Linear(3, 1, bias=False).double(), randn(8, 3)
    kernel, errors = EmpiricalKernel(nn.Sequential(net, nn.Tanh(), nn.Linear(1, 1).double())), []
    stop = threading.Event()

    def step() -> None:
        while not stop.is_set():
            with torch.no_grad():
                net.weight.mul_(1.0001)

    trainer = threading.Thread(target=step)
    trainer.start()
    try:
        for _ in range(20):
            kernel(x)
    except RuntimeError as error:
        errors.append(error)
    finally:
        stop.set()
        trainer.join()
    assert not errors
