"""Taylor expansions: exact polynomials, values alone, neural-tangents, and good manners."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

import ntkit
from ntkit import linearize, taylor
from ntkit.dynamics.plain_formulas import PlainFormulas
from ntkit.networks import Linear
from tests.cases import randn
from tests.dynamics.networks import (
    NETWORKS,
    ManyForms,
    Recurrent,
    TiedLanguageModel,
    network,
    perceptron,
    redraw,
    shift,
)
from tests.tolerances import assert_near, relative_error

DATA = Path(__file__).parent / "data" / "expansions.npz"
INTERPOLATED = 1e-9
"""Relative error allowed to terms from values alone, which lose digits with each order."""


class Erf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.erf(x)


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x


def along_by_interpolation(net: nn.Module, moved: nn.Module, x: Tensor) -> list[Tensor]:
    """Coefficients of `s^k`, `k = 0..3`, in `f(theta0 + s delta)`, from its values alone.

    No derivative of PyTorch takes part (some of them are wrong): the polynomial through 15
    Chebyshev nodes, good to about 1e-10.
    """
    end, radius, degree = dict(moved.named_parameters()), 0.1, 14
    nodes = np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    values = []
    for node in nodes:
        there = deepcopy(net)
        with torch.no_grad():
            for name, p in there.named_parameters():
                p += radius * node * (end[name] - p)
            values.append(there(x).numpy())
    table = np.polynomial.polynomial.polyfit(
        nodes, np.stack(values).reshape(len(nodes), -1), degree
    )
    return [torch.from_numpy(table[k].reshape(values[0].shape)) / radius**k for k in range(4)]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_term_is_that_of_the_values(name: str) -> None:
    net, x = network(name)
    moved = deepcopy(net)
    shift(moved)
    terms = along_by_interpolation(net, moved, x)
    total = torch.zeros_like(terms[0])
    for order, term in enumerate(terms):
        total = total + term
        expansion = taylor(net, order)
        shift(expansion)
        found = expansion(x).detach()
        assert relative_error(found, total) < INTERPOLATED
        with torch.no_grad():  # other kernels of PyTorch, and no graph
            assert_near(expansion(x), found, loosen=10)
        assert float(term.abs().max()) > 1e-3 * float(total.abs().max())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_of_neural_tangents(dtype: torch.dtype) -> None:
    with np.load(DATA, allow_pickle=False) as file:
        data = {name: torch.from_numpy(file[name]) for name in file.files}
    layers = Linear(5, 7, w_std=1.5, b_std=0.3), Erf(), Linear(7, 3, w_std=1.5, b_std=0.3)
    net = nn.Sequential(*layers).to(dtype)
    names = {"0.weight": "W0", "0.bias": "b0", "2.weight": "W1", "2.bias": "b1"}

    def fill(target: nn.Module, size: float) -> None:
        parameters = dict(target.named_parameters())
        for name, theirs in names.items():
            p = data[theirs]
            moved = p + size * torch.sin(torch.arange(p.numel()).double()).reshape(p.shape)
            with torch.no_grad():
                parameters[name].copy_(moved.T if name.endswith("weight") else moved.flatten())

    fill(net, 0.0)
    x = data["x1"].to(dtype)
    for order, name in enumerate(("f1", "linearize", "taylor2", "taylor3")):
        expansion = taylor(net, order)
        fill(expansion, 0.1)
        assert_near(expansion(x).detach(), data[name].to(dtype))


@pytest.mark.parametrize(
    ("degree", "layers"),
    [
        (1, [Linear(3, 2)]),
        (2, [Linear(3, 4), Linear(4, 2)]),
        (3, [Linear(3, 4), Linear(4, 4), Linear(4, 2)]),
        (3, [nn.Linear(3, 4), Square(), nn.Linear(4, 2)]),  # (W x + b)^2, times the read-out
    ],
)
def test_a_polynomial_of_its_parameters_is_its_own_expansion(degree: int, layers: list) -> None:
    """At its degree and above, however far the parameters go; not below it."""
    net, x = nn.Sequential(*layers).double(), randn(5, 3)
    redraw(net)
    expansions = [taylor(net, order) for order in range(degree + 2)]
    for f in (net, *expansions):
        shift(f, size=3.0)
    exact = net(x).detach()
    for order, expansion in enumerate(expansions):
        error = relative_error(expansion(x).detach(), exact)
        assert error < 1e-12 if order >= degree else error > 0.01


def test_the_first_order_is_the_linearised_network() -> None:
    net, x = network("perceptron")
    first, linear = taylor(net, 1), linearize(net)
    shift(first)
    shift(linear)
    assert torch.equal(first(x), linear(x))


def test_it_is_linear_in_the_parameters() -> None:
    net, x = network("encoder")
    linear = linearize(net)
    start = linear(x).detach()
    shift(linear, 0.1)
    once = linear(x).detach() - start
    shift(linear, 0.6)
    assert_near(linear(x).detach() - start, 7 * once, loosen=10)


def test_gradients_are_those_of_the_network_at_the_start() -> None:
    """Of any loss, at the start; and of a linear one, anywhere."""
    net, x = network("convolutional")
    linear, v = linearize(net), randn(2, 2, seed=9)
    expected = torch.autograd.grad((net(x) * v).sum(), list(net.parameters()))
    for _ in range(2):
        found = torch.autograd.grad((linear(x) * v).sum(), list(linear.parameters()))
        for a, b in zip(found, expected, strict=True):
            assert float((a - b).abs().max()) < 1e-12
        shift(linear)


def test_gradients_reach_the_inputs() -> None:
    net, x = network("perceptron")
    linear = linearize(net)
    x.requires_grad_()
    found = torch.autograd.grad(linear(x).square().sum(), x)[0]
    assert_near(found, torch.autograd.grad(net(x).square().sum(), x)[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_names_ties_and_modes_are_those_of_the_network(name: str) -> None:
    net, x = network(name)
    linear = linearize(net)
    for kind in ("named_parameters", "named_modules"):
        theirs = [n for n, _ in getattr(net, kind)()]
        ours = [n for n, _ in getattr(linear, kind)() if not n.startswith("expansion_point")]
        assert ours == theirs
    assert set(net.state_dict()) <= set(linear.state_dict())
    assert not any(linear.get_submodule(n).training for n, _ in net.named_modules())
    shift(linear)
    with torch.no_grad():
        assert not torch.equal(net(x), linear(x))
        net.load_state_dict(linear.state_dict(), strict=False)
        for a, b in zip(net.parameters(), linear.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["perceptron", "convolutional", "tied"])
def test_the_state_holds_all_of_it(name: str) -> None:
    """Loaded into the expansion of another network, it computes the same."""
    net, x = network(name)
    linear = linearize(net)
    shift(linear)
    other, _ = network(name)
    redraw(other, seed=7)
    twin = linearize(other)
    assert not torch.equal(twin(x), linear(x))
    twin.load_state_dict(linear.state_dict())
    assert torch.equal(twin(x), linear(x))


def test_a_copy_is_independent() -> None:
    net, x = network("tied")
    linear = linearize(net)
    linear(x).sum().backward()
    twin, before = deepcopy(linear), linear(x).detach()
    assert torch.equal(twin(x), before)
    shift(twin)
    assert torch.equal(linear(x), before)
    assert twin.head.weight is twin.embedding.weight


def test_it_moves_to_another_precision_with_its_ties() -> None:
    net, x = network("tied")
    linear = linearize(net)
    shift(linear)
    expected = linear(x).detach()
    linear.float()
    assert linear(x).dtype == torch.float32
    assert relative_error(linear(x).detach(), expected) < 2e-6
    assert linear.head.weight is linear.embedding.weight
    assert_near(linear.double()(x).detach(), expected, loosen=1e7)  # weights rounded to float32


@pytest.mark.parametrize("order", [1, 2])
def test_inputs_by_keyword_and_outputs_of_any_form(order: int) -> None:
    net, x, scale = ManyForms().double(), randn(5, 3), randn(5, 1, seed=1)
    redraw(net)
    expansion = taylor(net, order)
    found, start = expansion(x, scale=scale), net(x, scale=scale)
    assert found["name"] == "net"
    assert found["pair"][1] is None
    assert torch.equal(found["class"], start["class"])
    assert_near(found["logits"].detach(), start["logits"].detach())
    shift(expansion)
    found = expansion(x=x, scale=scale)
    assert_near(found["pair"][0].detach(), found["logits"].detach().sum(-1))
    tokens = {"tokens": torch.tensor([[0, 1, 2, 3, 4]]), "mask": torch.ones(1, 5).double()}
    model = TiedLanguageModel().double()
    assert_near(taylor(model, order)(**tokens).detach(), model(**tokens).detach())


def test_training_mode_is_that_of_the_layers() -> None:
    """Batch statistics are expanded too, and running statistics move as in the network."""
    net, x = network("convolutional")
    linear = linearize(net)
    net.train()
    linear.train()
    assert_near(linear(x).detach(), net(x).detach())
    assert_near(linear.get_buffer("1.running_mean"), net.get_buffer("1.running_mean"))
    assert int(linear.get_buffer("1.num_batches_tracked")) == 2
    moved = deepcopy(net)
    shift(moved)
    shift(linear)
    term = along_by_interpolation(net, moved, x)
    assert relative_error(linear(x).detach(), term[0] + term[1]) < INTERPOLATED
    linear.get_submodule("1").eval()  # by its name: frozen statistics within training
    before = linear.get_buffer("1.running_mean").clone()
    linear(x)
    assert torch.equal(linear.get_buffer("1.running_mean"), before)


NORMS = {
    "layer": lambda: nn.LayerNorm(4),
    "layer, 2 axes": lambda: nn.LayerNorm((4, 3), bias=False),
    "batch": lambda: nn.BatchNorm1d(4),
    "batch, cumulative": lambda: nn.BatchNorm1d(4, momentum=None),
    "instance": lambda: nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
    "group": lambda: nn.GroupNorm(2, 4),
    "rms": lambda: nn.RMSNorm(3),
    "glu": lambda: nn.Sequential(nn.Conv1d(4, 4, 1), nn.GLU(dim=1)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NORMS)
def test_second_derivatives_of_norms(name: str, training: bool) -> None:
    """PyTorch's own are silently wrong for three of them (`plain_formulas.py`)."""
    middle = NORMS[name]()
    if name == "layer":
        middle = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), middle)
    net = nn.Sequential(nn.Conv1d(2, 4, 1), middle, nn.Tanh()).double()
    redraw(net)
    x = randn(3, 2, 3)
    net(x)
    net.train(training)
    moved, expansion = deepcopy(net), taylor(net, 2)
    shift(moved)
    shift(expansion)
    expected = sum(along_by_interpolation(net, moved, x)[:3])
    assert relative_error(expansion(x).detach(), expected) < INTERPOLATED
    net(x)
    for buffer, theirs in net.named_buffers():
        assert_near(expansion.get_buffer(buffer).double(), theirs.double())


def test_dropout_draws_one_mask_for_all_terms() -> None:
    net = nn.Sequential(nn.Linear(3, 400), nn.Dropout(0.5), nn.Linear(400, 1)).double()
    linear, x = linearize(net), randn(1, 3)
    with torch.no_grad():
        linear.get_parameter("2.weight").add_(1.0)  # so that the tangent is the sum of what is kept
    torch.random.manual_seed(0)
    found = linear(x).detach()
    torch.random.manual_seed(0)
    kept = net[:2](x).detach()
    assert_near(found, net[2](kept).detach() + kept.sum(1, keepdim=True))


def test_frozen_parameters_stay_frozen() -> None:
    net, x = network("perceptron")
    net[0].requires_grad_(False)
    linear = linearize(net)
    assert [p.requires_grad for p in linear.parameters()] == [False, False, True, True]
    linear(x).sum().backward()
    assert linear.get_parameter("0.weight").grad is None
    assert linear.get_parameter("2.weight").grad is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5),
        lambda p: torch.optim.Adam(p, lr=0.05),
        lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=1e-3),
    ],
)
def test_it_trains(make) -> None:
    net, x = network("perceptron")
    linear, y = linearize(net), randn(3, 2, seed=4)
    optimiser, losses = make(linear.parameters()), []
    for _ in range(80):
        optimiser.zero_grad()
        loss = (linear(x) - y).square().sum()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_left_as_it_was(name: str) -> None:
    net, x = network(name)
    net.train()
    state = deepcopy(net.state_dict())
    generator = torch.random.get_rng_state()
    settings = (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled)
    sdpa = torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()
    seen: list[int] = []
    net.register_full_backward_hook(lambda *_: seen.append(1))
    expansion = taylor(net, 2).eval()
    expansion(x).sum().backward()
    shift(expansion)
    assert not seen
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert all(m.training for m in net.modules())
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), state.values(), strict=True)
    )
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert settings == (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled)
    assert sdpa == (
        torch.backends.cuda.flash_sdp_enabled(),
        torch.backends.cuda.mem_efficient_sdp_enabled(),
    )


@pytest.mark.parametrize("order", [1, 3])
def test_plain_formulas_have_the_values_of_pytorch(order: int) -> None:
    """Called by either of their names, in either mode."""
    x, w, b, mean, var = randn(3, 4, 5), *randn(3, 4), randn(4).square()
    f = nn.functional
    calls = [
        lambda: f.layer_norm(x, (5,), w.new_ones(5), x[0, 0], 1e-3),
        lambda: torch.layer_norm(x, (4, 5), x[0], x[1]),
        lambda: torch._weight_norm(x, x[:, :1, :1], 0),
        lambda: f.glu(x, 1),
        *(lambda t=t: f.batch_norm(x, mean, var, w, b, t, 0.2) for t in (True, False)),
        *(
            lambda t=t: torch.batch_norm(x, w, b, mean, var, t, 0.2, 1e-3, False)
            for t in (True, False)
        ),
        *(lambda t=t: f.instance_norm(x, mean, var, w, b, t, 0.2) for t in (True, False)),
        *(
            lambda t=t: torch.instance_norm(x, w, b, mean, var, t, 0.2, 1e-3, False)
            for t in (True, False)
        ),
    ]
    for call in calls:
        before = mean.clone(), var.clone()
        expected, after = call(), (mean.clone(), var.clone())
        mean.copy_(before[0])
        var.copy_(before[1])
        with PlainFormulas(order):
            found = call()
        assert_near(found, expected)
        for ours, theirs in zip((mean, var), after, strict=True):
            assert_near(ours, theirs)


def test_the_fused_kernels_are_switched_off_and_on_again() -> None:
    """The fast path of attention has no forward derivative; nor has the LSTM of oneDNN (float32)."""
    for net, x in ((network("encoder")), (Recurrent(nn.LSTM), randn(2, 4, 3))):
        net, x = net.float().eval(), x.float()
        with torch.no_grad():
            expansion = linearize(net)
            assert_near(expansion(x), net(x), loosen=10)
        assert torch.backends.mha.get_fastpath_enabled()
        assert torch.backends.mkldnn.enabled


class Halved(torch.autograd.Function):
    """A function of the user's with a backward that is not to be differentiated."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x / 2

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor) -> Tensor:
        return grads[0] / 2


class HalvedForward(torch.autograd.Function):
    """The same with a forward derivative."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x / 2

    @staticmethod
    def setup_context(ctx, inputs: Any, output: Any) -> None:
        pass

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor) -> Tensor:
        return grads[0] / 2

    @staticmethod
    def jvp(ctx, *tangents: Tensor) -> Tensor:
        return tangents[0] / 2


class Custom(nn.Module):
    def __init__(self, function: type[torch.autograd.Function] = Halved) -> None:
        super().__init__()
        self.layer, self.function = nn.Linear(3, 2), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function.apply(self.layer(x))


@pytest.mark.parametrize("order", [1, 2])
def test_what_has_no_derivative_says_so(order: int) -> None:
    expansion = taylor(Custom(), order)
    with pytest.raises(
        NotImplementedError, match=r"derivative of this order.*`once_differentiable`"
    ):
        expansion(torch.zeros(1, 3))
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_forward_rule_that_agrees_will_do_for_the_first_order() -> None:
    net, x = Custom(HalvedForward).double(), randn(4, 3)
    linear = linearize(net)
    shift(linear)
    shift(net)
    assert_near(linear(x).detach(), net(x).detach())  # it is linear
    with pytest.raises(NotImplementedError, match="derivative of this order"):
        taylor(net, 2)(x)


def test_errors_of_the_network_are_its_own() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        linearize(perceptron())(torch.zeros(1, 7))


def test_attributes_set_on_the_way_are_forgotten() -> None:
    """Attention maps kept for later would be tensors of a transform that has ended."""

    class Keeper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.last = self.layer(x)
            return self.last

    linear = linearize(Keeper())
    linear(torch.zeros(1, 3))
    deepcopy(linear)
    assert not hasattr(linear._skeleton[0], "last")


def test_a_module_with_tensors_of_a_forward_pass_is_copied() -> None:
    """Spectral norm by hooks sets the weight in each forward pass."""
    net, x = nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 2))).double().eval(), randn(4, 3)
    net(x)
    linear = linearize(net)
    assert_near(linear(x).detach(), net(x).detach())
    moved = deepcopy(linear)
    shift(moved)
    assert not torch.equal(moved(x), linear(x))


def test_an_expansion_is_expanded() -> None:
    net, x = network("perceptron")
    linear = linearize(net)
    shift(linear)
    again = taylor(linear, 2)
    shift(linear)
    shift(again)
    assert_near(again(x).detach(), linear(x).detach())


def test_the_skeleton_takes_no_memory() -> None:
    linear = linearize(perceptron())
    assert all(t.is_meta for t in linear._skeleton[0].state_dict().values())


@pytest.mark.usefixtures("unchecked")
def test_refusals() -> None:
    net = perceptron()
    with pytest.raises(TypeError, match=r"`order=1.0` must be an int"):
        taylor(net, 1.0)
    with pytest.raises(ValueError, match=r"`order=-1` must be 0 or more"):
        taylor(net, -1)
    with pytest.raises(
        TypeError, match=r"`module` must be an ordinary torch.nn.Module, got function"
    ):
        linearize(lambda x: x)
    with pytest.raises(ValueError, match="lazy parameters without a shape yet: weight, bias"):
        linearize(nn.LazyLinear(2))


def test_repr_names_order_and_network() -> None:
    assert "order=2, of a Sequential" in repr(ntkit.taylor(perceptron(), 2))
