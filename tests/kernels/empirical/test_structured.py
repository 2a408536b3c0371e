"""The structured method against the plain Jacobian product, and what it does where no rule holds."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ntkit.kernels import Auto, Contraction, Structured, empirical_ntk
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.product_orders import Total
from tests.cases import randn, seeded
from tests.kernels.empirical import oracle
from tests.kernels.empirical.networks import NETWORKS, Shared, VisionTransformer, first, network
from tests.tolerances import assert_near, relative_error


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_against_the_plain_product(name: str) -> None:
    net, x = network(name)
    expected = oracle.full(net, x)
    mean = expected.diagonal(dim1=2, dim2=3).mean(-1)
    method = Structured()
    whole, trace = empirical_ntk(net, "full", method=method), empirical_ntk(net, method=method)
    assert_near(whole(x), expected)
    assert_near(whole(first(x, 2), x), expected[:2])
    assert_near(whole.diag(x), expected.diagonal().permute(2, 0, 1))
    assert_near(trace(x), mean)
    assert_near(trace(first(x, 2), x), mean[:2])
    assert_near(trace.diag(x), mean.diagonal())
    assert_near(empirical_ntk(net, -1, method=method)(x), expected[..., -1, -1])
    assert_near(empirical_ntk(net, method=Auto())(x), mean)
    assert_near(empirical_ntk(net, "full", method=Structured(memory=30_000))(x), expected)
    assert_near(empirical_ntk(net, method=Structured(memory=30_000))(x), mean)
    assert_near(trace(first(x, 1)), mean[:1, :1])


def in_double(x: Any) -> Any:
    if isinstance(x, tuple):
        return tuple(map(in_double, x))
    return x.double() if x.is_floating_point() else x


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("outputs", ["trace", "full"])
def test_float32(name: str, outputs: Any) -> None:
    exact, _ = network(name)
    rough, x32 = network(name, torch.float32)
    rough.load_state_dict({k: v.float() for k, v in exact.state_dict().items()})
    exact.load_state_dict({k: v.double() for k, v in rough.state_dict().items()})
    expected = (oracle.full if outputs == "full" else oracle.trace)(exact, in_double(x32))
    for method in (Structured(), Contraction()):
        found = empirical_ntk(rough, outputs, method=method)(x32)
        assert found.dtype == torch.float32
        assert relative_error(found, expected) < 1e-5


def test_bfloat16_is_summed_in_float32() -> None:
    net, x = network("mlp", torch.bfloat16)
    found = empirical_ntk(net, method=Structured())(x)
    exact, _ = network("mlp")
    exact.load_state_dict({k: v.double() for k, v in net.state_dict().items()})
    assert found.dtype == torch.float32
    assert relative_error(found, oracle.trace(exact, x.double())) < 0.02


@pytest.mark.parametrize("name", ["vision transformer", "convolutions", "u-net", "gru"])
def test_verify_agrees_with_the_network_itself(name: str) -> None:
    net, x = network(name)
    assert empirical_ntk(net, "full", method=Structured()).verify(x, seeded()) < 1e-13
    assert empirical_ntk(net, method=Structured()).verify(x, seeded()) < 1e-13


def test_verify_notices_what_is_wrong() -> None:
    net, x = network("mlp")
    kernel = empirical_ntk(net, method=Structured())
    part = empirical_ntk(net, params=["0.weight"])
    rows = lambda a, b: part(a.args[0], None if b is None else b.args[0])  # noqa: E731
    kernel._method = type("Wrong", (), {"gram": lambda _, target, a, b, o: rows(a, b)})()
    assert kernel.verify(x, seeded()) > 0.01


@pytest.mark.parametrize("name", ["u-net", "gru", "lstm", "shared", "convolutions"])
@pytest.mark.parametrize("method", [Structured(), Contraction(), Auto()], ids=repr)
@pytest.mark.parametrize("outputs", ["trace", "full"])
def test_the_result_holds_no_graph(name: str, method: AbstractGramMethod, outputs: Any) -> None:
    """Also of the gradients of single samples, where parameters fall back, and of given points."""
    net, x = network(name)
    x.requires_grad_()
    kernel = empirical_ntk(net, outputs, method=method)
    for found in (
        kernel(x),
        kernel(x[:2], x),
        kernel.diag(x),
        kernel.operator(x) @ torch.ones(kernel.size(x)),
    ):
        assert not found.requires_grad
    x.requires_grad_(False)
    assert all(p.grad is None for p in net.parameters())


# ------------------------------------------------------------------ the plan


def test_the_plan_names_the_layers_and_orders() -> None:
    net, x = network("vision transformer")
    ways = {row.parameter: row.way for row in empirical_ntk(net, method=Structured()).plan(x).rows}
    assert ways["token"] == "repeated: direct"
    assert ways["positions"] == "shift: direct"
    assert ways["encoder.self_attn.in_proj_weight"].startswith("linear 8 to 24:")
    assert ways["encoder.norm1.weight"] == "LayerNorm: direct"
    assert not any("per-sample" in way for way in ways.values())


def test_the_plan_counts_uses() -> None:
    net, x = network("shared")
    ways = {row.parameter: row.way for row in empirical_ntk(net, method=Structured()).plan(x).rows}
    assert ways["other.weight"].endswith("2 uses")


def fallen(net: nn.Module, x: Any) -> dict[str, str]:
    """Parameters that fell back, and why; the kernel is right all the same."""
    kernel = empirical_ntk(net, "full", method=Structured())
    assert_near(kernel(x), oracle.full(net, x))
    plan = kernel.plan(x)
    return {row.parameter: row.reason for row in plan.rows if "per-sample" in row.way}


# ------------------------------------------------------------------ what no rule holds for


class Doubled(torch.autograd.Function):
    """A function of the user's own with a weight."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return 2 * x * weight

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return 2 * grads[0] * weight, (2 * grads[0] * x).sum(0)


class Unusual(nn.Module):
    """Two layers with something in between, given the first one's output and its bias's size."""

    def __init__(self, between: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(3, 4), nn.Linear(4, 2)
        self.extra = nn.Parameter(randn(4).float())
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.between(self, self.before(x)))


def in_place(net: Any, x: Tensor) -> Tensor:
    x = x * net.extra
    x[:, :2] += net.extra[:2]
    x.add_(net.extra).tanh_()
    return x


@pytest.mark.parametrize(
    ("between", "names"),
    [
        (lambda net, x: Doubled.apply(x, net.extra), {"extra"}),
        (lambda net, x: torch.tanh(x + net.extra.exp()), {"extra"}),
        (lambda net, x: torch.tanh(x / net.extra), {"extra"}),
        (lambda net, x: torch.tanh(x - 2 * net.extra[None]), {"extra"}),
        (lambda net, x: torch.tanh(torch.sub(x, net.extra, alpha=3)), set()),
        (lambda net, x: net.extra * torch.tanh(net.extra - x), set()),
        (lambda net, x: torch.cat([x[:, :2], net.extra[:2].expand(len(x), 2)], 1), {"extra"}),
        (lambda net, x: torch.tanh(net.before.weight.sum() * x), {"before.weight", "before.bias"}),
        (lambda net, x: x[torch.arange(len(x))].sin() * net.extra, set()),
        (in_place, {"extra"}),
        (lambda net, x: torch.einsum("ni,oi->no", x, net.after.weight).repeat(1, 2), None),
    ],
)
def test_unusual_uses(between: Callable[[Any, Tensor], Tensor], names: set[str] | None) -> None:
    net = Unusual(between).double()
    found = fallen(net, randn(4, 3))
    if names is not None:
        assert set(found) == names
        assert all(found.values())


@pytest.mark.parametrize(
    "parametrise",
    [
        nn.utils.parametrizations.weight_norm,
        nn.utils.parametrizations.orthogonal,
        lambda layer: nn.utils.parametrizations.spectral_norm(layer).eval(),
    ],
)
def test_parametrised_layers_fall_back(parametrise: Callable[[nn.Module], nn.Module]) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    parametrise(net[2])
    found = fallen(net, randn(4, 3))
    assert found
    assert all(name.startswith("2.parametrizations") for name in found)


def test_hooks_that_change_the_output_are_part_of_the_network() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    net[0].register_forward_hook(lambda _, __, y: y * y)
    net[2].register_forward_pre_hook(lambda _, args: (args[0] + 1,))
    expected = oracle.full(net, randn(4, 3))
    net[2].register_full_backward_hook(lambda _, grads, __: (3 * grads[0],))
    assert_near(empirical_ntk(net, "full", method=Structured())(randn(4, 3)), expected)


def test_frozen_parts() -> None:
    net, x = network("convolutions")
    for frozen in ("0.weight", "2.bias", "3.weight", "8.bias"):
        net.get_parameter(frozen).requires_grad_(False)
    assert fallen(net, x) == {}
    net[0].requires_grad_(False)
    assert fallen(net, x) == {}


def test_biases_only() -> None:
    net, x = network("convolutions")
    biases = [p for name, p in net.named_parameters() if name.endswith("bias")]
    kernel = empirical_ntk(net, params=lambda name, _: name.endswith("bias"), method=Structured())
    assert_near(kernel(x), oracle.trace(net, x, biases))
    assert not any("per-sample" in row.way for row in kernel.plan(x).rows)


def test_compiled_modules_are_computed_as_they_were_written() -> None:
    net = Shared().double()
    expected = oracle.full(net, randn(4, 4))
    compiled = torch.compile(net, backend="eager")
    assert_near(empirical_ntk(compiled, "full", method=Structured())(randn(4, 4)), expected)
    net.layer.compile(backend="eager")
    assert_near(empirical_ntk(net, "full", method=Structured())(randn(4, 4)), expected)


def test_rows_that_are_placed_by_value_fall_back() -> None:
    """Tokens sorted by their size before a layer, as experts do."""

    class Routed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = nn.Linear(3, 3), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            rows = x.flatten(0, 1)
            order = rows[:, 0].argsort()
            out = torch.zeros_like(rows).index_copy(0, order, torch.tanh(self.layer(rows[order])))
            return self.head(out.view_as(x).sum(1))

    found = fallen(Routed().double(), randn(4, 3, 3))
    assert set(found) == {"layer.weight", "layer.bias"}


def test_checkpointed_layers() -> None:
    net = Unusual(
        lambda net, x: torch.utils.checkpoint.checkpoint(
            lambda z: torch.tanh(net.after.weight.T @ net.after(z).T).T, x, use_reentrant=False
        )
    ).double()
    fallen(net, randn(4, 3))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("method", [Structured(), Contraction()], ids=repr)
def test_as_many_samples_as_outputs(method: AbstractGramMethod, n: int) -> None:
    """Where a rule of `vmap` that takes one axis for the other stays silent: PReLU's in torch 2.13."""
    net, x = network("mlp")
    kernel, expected = empirical_ntk(net, "full", method=method), oracle.full(net, x[:n])
    assert_near(kernel(x[:n]), expected)
    assert_near(kernel(x[:1], x[:n]), expected[:1])


@pytest.mark.parametrize("method", [Structured(), Contraction()], ids=repr)
@pytest.mark.parametrize("where", ["one row", "first two alike"])
def test_samples_that_look_alike_to_a_wrong_rule(method: AbstractGramMethod, where: str) -> None:
    """A multiple of a sample has the signs of the sample, and behind a norm the same numbers."""
    before = nn.Conv1d(2, 4, 1, bias=False), nn.GroupNorm(1, 4, affine=False), nn.PReLU()
    bias = nn.Conv1d(4, 4, 1), nn.PReLU(), nn.Flatten(), nn.Linear(12, 3)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(*before, *bias).double()
        for layer in (net[0], net[3], net[6]):
            layer.reset_parameters()
    x = randn(4, 2, 3)
    x1, x2 = (x[:1], x[1:]) if where == "one row" else (x[[0, 0, 1]], x[1:])
    j1, j2 = oracle.jacobian(net, x1), oracle.jacobian(net, x2)
    expected = torch.einsum("nop,mop->nm", j1, j2) / 3
    assert_near(empirical_ntk(net, method=method)(x1, x2), expected)


def test_unused_parameters_are_named() -> None:
    net = Unusual(lambda _, x: torch.tanh(x)).double()
    plan = empirical_ntk(net, method=Structured()).plan(randn(3, 3))
    assert {row.parameter: row.way for row in plan.rows}["extra"] == "not used: zero"


def test_images_of_a_sequence_share_a_convolution() -> None:
    class Video(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 2, 2), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            frames = torch.tanh(self.conv(x.flatten(0, 1)[:, None]))
            return self.head(frames.flatten(1)).view(len(x), -1)

    assert fallen(Video().double(), randn(3, 2, 3, 3)) == {}


# ------------------------------------------------------------------ orders, and the choice


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("order", ["pair", "input side"])
def test_the_orders_agree(order: Any, symmetric: bool, full: bool) -> None:
    if order == "input side" and not full:
        return
    n, m, o, groups = 5, 5 if symmetric else 3, 2, 2
    left = randn(groups, n, 4, 3), randn(groups, o, n, 4, 2, seed=1)
    right = (
        None if symmetric else (randn(groups, m, 4, 3, seed=2), randn(groups, o, m, 4, 2, seed=3))
    )
    like = torch.zeros(0, dtype=torch.float64)
    total, expected = (
        Total(n, None if symmetric else m, o, full=full, like=like) for _ in range(2)
    )
    total.add_outer(left, right, order)
    for g in range(groups):
        j = [
            torch.einsum("ontc,ntk->onck", s[1][g], s[0][g]).flatten(2)
            for s in (left, right or left)
        ]
        expected.add_jacobians(j[0], None if symmetric else j[1])
    assert_near(total.finished(), expected.finished())


class FirstToken(nn.Module):
    """Layers on seven tokens, of which the first is read."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after, self.head = nn.Linear(5, 6), nn.Linear(6, 7), nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.before(x))
        x = x + x.mean(1, keepdim=True)
        return self.head(torch.tanh(self.after(x))[:, 0])


@pytest.mark.parametrize("full", [True, False])
def test_positions_without_gradient_are_left_out(
    monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    torch.manual_seed(0)
    net, x = FirstToken().double(), randn(4, 7, 5)
    sizes: list[tuple[int, int]] = []
    add = Total.add_outer

    def counted(self: Total, left: Any, right: Any, order: Any) -> None:
        sizes.append((left[0].shape[2], left[1].shape[3]))
        add(self, left, right, order)

    monkeypatch.setattr(Total, "add_outer", counted)
    kernel = empirical_ntk(net, "full" if full else "trace", method=Structured())
    expected = (oracle.full if full else oracle.trace)(net, x)
    assert_near(kernel(x), expected)
    assert (1, 1) in sizes[:-1]  # `after`, as the head has one position in any case
    assert_near(kernel(x[:2], x[1:]), expected[:2, 1:])


def test_auto_takes_the_structured_way_and_says_so() -> None:
    net, x = VisionTransformer().double(), randn(3, 3, 4, 4)
    plan = empirical_ntk(net).plan(x)
    assert plan.method == "structured"
    assert "Estimates" in str(plan)
    net, x = network("lstm")
    assert empirical_ntk(net).plan(x).method in {"structured", "contraction"}


def test_auto_contracts_where_no_rule_holds() -> None:
    net = Unusual(lambda net, x: torch.tanh(x / net.extra)).double()
    kernel = empirical_ntk(net, params=["extra"])
    assert kernel.plan(randn(3, 3)).method == "contraction"
    assert_near(kernel(randn(3, 3)), oracle.trace(net, randn(3, 3), [net.extra]))
    assert_near(kernel.diag(randn(3, 3)), kernel(randn(3, 3)).diagonal())


def test_long_sums_in_float32_keep_their_digits() -> None:
    """Terms of one sign: a wide layer's position pairs, and its Jacobian."""
    a = torch.rand(1, 3, 1, 4, generator=seeded())
    g = torch.rand(1, 2, 3, 1, 200_000, generator=seeded(1))
    total = Total(3, None, 2, full=False, like=a)
    total.add_outer((a, g), None, "pair")
    inputs = a[0, :, 0].double() @ a[0, :, 0].double().T
    grams = g.double()[0, :, :, 0]
    assert_near(total.finished(), (inputs * (grams @ grams.mT).sum(0)).float())


@pytest.mark.parametrize("method", [Structured, Auto])
def test_memory_must_be_positive(method: Any) -> None:
    with pytest.raises(ValueError, match="memory"):
        method(memory=-1)
