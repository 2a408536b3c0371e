"""What is asked of the module at the door, and that it is left as found."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import empirical_ntk
from tests.cases import randn, seeded
from tests.kernels.empirical import oracle
from tests.tolerances import assert_near


class Wrapped(nn.Module):
    """A function of a layer's module and the points."""

    def __init__(self, function: Callable[..., Any], layer: nn.Module | None = None) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2).double() if layer is None else layer
        self.function = function

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        return self.function(self.layer, *args, **kwargs)


def test_parameters_by_name_by_predicate_and_by_what_is_frozen() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = randn(4, 3)
    last = list(net[2].parameters())
    expected = oracle.trace(net, x, last)
    assert_near(empirical_ntk(net, params=["2.weight", "2.bias"])(x), expected)
    assert_near(empirical_ntk(net, params=lambda name, _: name.startswith("2."))(x), expected)
    biases = [net[0].bias, net[2].bias]
    assert_near(
        empirical_ntk(net, params=lambda _, p: p.ndim == 1)(x), oracle.trace(net, x, biases)
    )
    net[0].requires_grad_(False)
    assert_near(empirical_ntk(net)(x), expected)
    with pytest.raises(ValueError, match=r"names `0.bias`, which is frozen; thaw"):
        empirical_ntk(net, params=["0.bias"])


def test_a_shared_parameter_goes_by_either_name() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3)).double()
    net[2].weight = net[0].weight
    x = randn(4, 3)
    expected = oracle.trace(net, x, [net[0].weight])
    for name in ("0.weight", "2.weight"):
        assert_near(empirical_ntk(net, params=[name])(x), expected)


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        ((randn(4, 3), randn(4, 1, seed=1)), tuple),
        ({"x": randn(4, 3), "gain": randn(4, 1, seed=1)}, dict),
    ],
)
def test_tuples_and_dicts_of_points(points: Any, kind: type) -> None:
    net = Wrapped(lambda layer, x, gain: gain * layer(x))
    expected = oracle.trace(net, points)
    kernel = empirical_ntk(net)
    assert_near(kernel(points), expected)
    few = kind((k, t[:2]) for k, t in points.items()) if kind is dict else (points[0][:2],) * 0
    few = few or tuple(t[:2] for t in points)
    assert_near(kernel(few, points), expected[:2])


def test_outputs_are_flattened_in_the_order_of_memory() -> None:
    net = Wrapped(lambda layer, x: layer(x).reshape(-1, 1, 2).movedim(1, 2))
    x = randn(3, 3)
    assert_near(empirical_ntk(net, "full")(x), oracle.full(net, x))


def test_the_kernel_follows_the_parameters() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x, kernel = randn(3, 3), empirical_ntk(net)
    before = kernel(x)
    with torch.no_grad():
        net[2].weight *= 2
    assert float((kernel(x) - before).abs().max()) > 0.01
    assert_near(kernel(x), oracle.trace(net, x))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_whatever_the_grad_mode(mode: Callable[[], Any]) -> None:
    net = nn.Linear(3, 2).double()
    expected = oracle.trace(net, randn(3, 3))
    with mode():
        assert_near(empirical_ntk(net)(randn(3, 3)), expected)


def test_points_are_cast_to_the_module_and_the_kernel_back() -> None:
    net = nn.Linear(3, 2)
    x = randn(3, 3)
    found = empirical_ntk(net)(x)
    assert found.dtype == torch.float64
    assert_near(found.float(), (x @ x.T + 1).float())
    assert empirical_ntk(net.bfloat16())(x.bfloat16()).dtype == torch.float32


class Counting(nn.Module):
    """Sets attributes and writes to the log when it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.norm = nn.BatchNorm1d(2).eval()
        self.runs, self.last = 0, None

    def forward(self, x: Tensor) -> Tensor:
        self.runs += 1
        self.last = self.norm(self.layer(x))
        return self.last


@pytest.mark.parametrize("breaks", [False, True])
def test_the_module_is_left_exactly_as_found(breaks: bool) -> None:
    net = Counting()
    calls = []
    net.layer.register_forward_hook(lambda *_: calls.append("forward"))
    net.layer.register_full_backward_hook(lambda *_: calls.append("backward"))
    net.layer.register_full_backward_pre_hook(lambda *_: calls.append("backward"))
    net.layer.weight.register_hook(lambda g: g * 3)
    net.layer.weight.grad = torch.ones(2, 3)
    x = randn(4, 3).float()
    if breaks:
        net.layer.register_forward_hook(lambda *_: 1 / 0)
    state = copy.deepcopy(net.state_dict())
    attributes = {k: dict(vars(m)) for k, m in net.named_modules()}
    expected = oracle_without_hooks(net, x)
    chance = torch.get_rng_state()
    if breaks:
        with pytest.raises(ZeroDivisionError):
            empirical_ntk(net)(x)
    else:
        # hooks on gradients are the user's training, not the network
        assert_near(empirical_ntk(net)(x), expected, loosen=5)
    assert set(calls) <= {"forward"}
    assert torch.equal(net.layer.weight.grad, torch.ones(2, 3))
    assert torch.equal(chance, torch.get_rng_state())
    assert attributes == {k: dict(vars(m)) for k, m in net.named_modules()}
    for k, value in net.state_dict().items():
        assert torch.equal(value, state[k])
    assert [m.training for m in net.modules()] == [True, True, False]
    assert all(p.requires_grad for p in net.parameters())
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("has_bias", [True, False])
def test_attention_computes_the_same_numbers(*, has_bias: bool) -> None:
    """With its queries, keys and values taken at once, of itself and of something else."""
    torch.manual_seed(0)
    layer = nn.MultiheadAttention(6, 2, bias=has_bias, batch_first=True).double()
    x, other = randn(3, 5, 6), randn(3, 4, 6)
    for inputs in ((x, x, x), (x, other, other), (x, other, other.clone())):
        expected = layer(*inputs)[0]
        with empirical_ntk(layer).target.evaluation():
            found = layer(*inputs)[0]
        assert_near(found.detach(), expected.detach())


def oracle_without_hooks(net: nn.Module, x: Tensor) -> Tensor:
    plain = Counting()
    plain.load_state_dict(net.state_dict())
    return oracle.trace(plain, x)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (nn.BatchNorm1d(3), r"`module` \(BatchNorm1d\).*Call `module.eval\(\)`"),
        (nn.BatchNorm1d(3, track_running_stats=False).eval(), "keeps no running statistics"),
        (nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.1)), r"`1` \(Dropout\) drops units"),
        (nn.LSTM(3, 4, 2, dropout=0.1), "drops units"),
        (nn.LazyLinear(3), "lazy"),
        (nn.Sequential(nn.LazyLinear(3)), "`0`.* is lazy"),
        (nn.Linear(3, 3).requires_grad_(False), "selects no parameter that requires gradients"),
    ],
)
def test_modules_without_a_kernel_are_refused(net: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        empirical_ntk(net)


def spectral() -> nn.Module:
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2).double())


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Wrapped(lambda layer, x: layer(x) - layer(x).mean(0)), "mixes the samples"),
        (Wrapped(lambda layer, x: layer(x) * torch.rand(2)), "draws random numbers"),
        (Wrapped(lambda layer, x: layer(x) / 0), "NaN or infinite"),
        (Wrapped(lambda layer, x: layer(x).sum(0)), "samples must stay on axis 0"),
        (Wrapped(lambda layer, x: layer(x).sum()), "samples must stay on axis 0"),
        (spectral(), "writes into its buffer"),
    ],
)
def test_functions_without_a_kernel_are_refused(net: nn.Module, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        empirical_ntk(net)(randn(3, 3))


def test_outputs_that_are_no_tensor_are_refused() -> None:
    with pytest.raises(TypeError, match="must return one floating tensor, got tuple"):
        empirical_ntk(Wrapped(lambda layer, x: (layer(x), x)))(randn(3, 3))
    with pytest.raises(TypeError, match=r"got torch.int64"):
        empirical_ntk(Wrapped(lambda layer, x: layer(x).argmax(1)))(randn(3, 3))


def test_parameters_kept_past_the_attributes_are_refused() -> None:
    layer = nn.Linear(3, 2).double()
    kept = [layer.weight]
    net = Wrapped(lambda _, x: nn.functional.linear(x, kept[0]), layer)
    with pytest.raises(ValueError, match=r"reaches `layer.weight`.*past its attributes"):
        empirical_ntk(net)(randn(3, 3))


def test_complaints_about_the_points() -> None:
    kernel = empirical_ntk(nn.Linear(3, 2).double())
    with pytest.raises(ValueError, match=r"`x1` has 1 NaN"):
        kernel(torch.tensor([[0.0, float("nan"), 1.0]]))
    with pytest.raises(ValueError, match=r"`x2` must hold samples along axis 0"):
        kernel(randn(2, 3), randn(0, 3))
    with pytest.raises(ValueError, match=r"`x1\[1\]` has 3 samples.*`x1\[0\]` has 2"):
        kernel((randn(2, 3), randn(3, 3)))
    with pytest.raises(ValueError, match="`x1` is empty"):
        kernel(())
    with pytest.raises(ValueError, match="meta"):
        kernel(torch.empty(2, 3, device="meta"))


@pytest.mark.usefixtures("unchecked")
def test_complaints_about_types() -> None:
    with pytest.raises(TypeError, match=r"`module` must be a torch.nn.Module, got function"):
        empirical_ntk(lambda x: x)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`x1` must be a torch.Tensor, got list"):
        empirical_ntk(nn.Linear(3, 2))([1.0])  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match=r"`params='bias'` must be a list"):
        empirical_ntk(nn.Linear(3, 2), params="bias")
    with pytest.raises(ValueError, match=r"`params` names `b`, and the module has `weight`"):
        empirical_ntk(nn.Linear(3, 2), params=["b"])
    for wrong in ("mean", 1.5, True):
        with pytest.raises(ValueError, match=r'must be "trace", "full" or the index'):
            empirical_ntk(nn.Linear(3, 2), wrong)  # pyright: ignore[reportArgumentType]
    with pytest.raises(IndexError, match=r"`outputs=2` asks for one of the module's 2"):
        empirical_ntk(nn.Linear(3, 2), 2)(randn(2, 3))
    with pytest.warns((DeprecationWarning, FutureWarning)):  # by the release of torch
        scripted = torch.jit.script(nn.Linear(3, 2))
    with pytest.raises(TypeError, match="scripted"):
        empirical_ntk(scripted)


def test_a_gram_operator_and_gradient_flow() -> None:
    """Training a linear network: the minimum-norm fit at infinite time."""
    net = nn.Linear(3, 1, bias=False).double()
    x, y = randn(3, 3), randn(3, seed=1)
    kernel = empirical_ntk(net)
    assert_near(ntkit.gram(kernel, x).dense(), x @ x.T)
    flow = ntkit.GradientFlow(kernel, x, y)
    probe = randn(5, 3, seed=2)
    expected = probe @ torch.linalg.solve(x, y)
    assert_near(flow.predict(probe, [float("inf")])[0], expected, loosen=1e4)


def test_verify_needs_no_seed_but_takes_one() -> None:
    kernel = empirical_ntk(nn.Linear(3, 2).double())
    assert kernel.verify(randn(3, 3), seeded(3)) == kernel.verify(randn(3, 3), seeded(3))
    assert kernel.verify(randn(3, 3)) < 1e-14
