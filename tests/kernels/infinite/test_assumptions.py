"""Numbers that the limit would take for what they are not: the right value, a warning, or a refusal."""

import types
import warnings
from collections.abc import Callable
from math import log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import empirical_ntk, nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear
from tests.cases import randn, seeded
from tests.layer_networks import Written
from tests.tolerances import assert_near

W = 64
GRID = np.linspace(-12, 12, 20001)
DENSITY = np.exp(-(GRID**2) / 2) / np.exp(-(GRID**2) / 2).sum()

pytestmark = pytest.mark.filterwarnings("default:`[^`]*` (sums|is fed by):UserWarning")


def mean_over(f: Callable[[np.ndarray], np.ndarray], mean: float, variance: float) -> float:
    """`E f(u)` of a Gaussian unit."""
    return float((f(mean + sqrt(variance) * GRID) * DENSITY).sum())


def drawn(layer: Any, variance: float, bias: float | Tensor | None = None) -> Any:
    """A plain layer of Gaussian weights whose mean square is exactly `variance`."""
    with torch.no_grad():
        layer.double().weight.normal_(generator=seeded(layer.weight.numel()))
        layer.weight *= (variance / layer.weight.square().mean()).sqrt()
        if bias is not None:
            layer.bias.copy_(torch.as_tensor(bias).expand_as(layer.bias))
    return layer


def read_out(width: int = W) -> nn.Linear:
    return drawn(nn.Linear(width, 1, bias=False), 1 / width)


X = torch.tensor([[0.6, 0.8]], dtype=torch.float64)


def biased(bias: float | Tensor, act: nn.Module) -> nn.Module:
    return nn.Sequential(drawn(nn.Linear(2, W), 1.0, bias), act, read_out())


def two_means() -> Tensor:
    """Biases of mean 0.7 and spread 0.5, both exactly."""
    z = randn(W)
    return 0.7 + 0.5 * (z - z.mean()) / z.std(unbiased=False)


def softplus(u: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, u)


def shifted_norm(kind: str) -> nn.Module:
    norm: Any = (nn.LayerNorm(W) if kind == "layer" else nn.BatchNorm1d(W).eval()).double()
    with torch.no_grad():
        if kind == "running":
            norm.running_mean.fill_(-0.8)
        else:
            norm.bias.fill_(0.8)
    norm.eps = 0.0
    return nn.Sequential(drawn(nn.Linear(2, W, bias=False), 1.0), norm, nn.Tanh(), read_out())


def bare(forward: Callable[[Any, Tensor], Tensor], parameter: Tensor, **layers: nn.Module) -> Any:
    net = Written(forward, a=drawn(nn.Linear(2, W, bias=False), 1.0), o=read_out(), **layers)
    net.p = nn.Parameter(parameter.double())
    return net.double()


VALUES: dict[str, tuple[Callable[[], nn.Module], float]] = {
    "bias of ones, tanh": (
        lambda: biased(1.0, nn.Tanh()),
        mean_over(lambda u: np.tanh(u) ** 2, 1.0, 1.0),
    ),
    "bias of ones, softplus": (
        lambda: biased(1.0, nn.Softplus()),
        mean_over(lambda u: softplus(u) ** 2, 1.0, 1.0),
    ),
    "bias with a mean and a spread": (
        lambda: biased(two_means(), nn.Tanh()),
        mean_over(lambda u: np.tanh(u) ** 2, 0.7, 1.25),
    ),
    "shift of a layer norm": (
        lambda: shifted_norm("layer"),
        mean_over(lambda u: np.tanh(u) ** 2, 0.8, 1.0),
    ),
    "shift of a batch norm": (
        lambda: shifted_norm("batch"),
        mean_over(lambda u: np.tanh(u) ** 2, 0.8, 1.0),
    ),
    "running mean of a batch norm": (
        lambda: shifted_norm("running"),
        mean_over(lambda u: np.tanh(u) ** 2, 0.8, 1.0),
    ),
    "bare bias of a number": (
        lambda: bare(lambda m, x: m.o(torch.tanh(m.a(x) + m.p)), torch.full((W,), 0.5)),
        mean_over(lambda u: np.tanh(u) ** 2, 0.5, 1.0),
    ),
    "bare bias, subtracted twice over": (
        lambda: bare(lambda m, x: m.o(torch.tanh(2 * m.a(x) - m.p)), torch.full((W,), 0.5)),
        mean_over(lambda u: np.tanh(u) ** 2, -0.5, 4.0),
    ),
    "a bias of ones, averaged over positions": (
        lambda: Written(
            lambda m, x: m.o(torch.tanh(m.a(x[:, None]).mean(1))),
            a=drawn(nn.Linear(2, W), 1.0, 1.0),
            o=read_out(),
        ),
        mean_over(lambda u: np.tanh(u) ** 2, 1.0, 1.0),
    ),
    "a mean that nothing bends": (
        lambda: nn.Sequential(drawn(nn.Linear(2, W), 1.0, 0.5), read_out()),
        1.25,
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_known_means_are_taken_exactly(name: str) -> None:
    make, right = VALUES[name]
    assert float(nngp(make())(X)) == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("make", [lambda: biased(1.0, nn.ReLU()), lambda: shifted_norm("layer")])
def test_tangent_kernels_with_a_mean(make: Callable[[], nn.Module]) -> None:
    """Against the Jacobians of drawn networks."""
    x = randn(3, 2)
    net = make()
    found = torch.stack([jacobian_kernel(make, x, seed) for seed in range(40)]).mean(0)
    error = float((ntk(net)(x) - found).norm() / found.norm())
    assert error < 0.06  # width 64, 40 draws; with the bias as a draw of mean zero 0.2


def jacobian_kernel(make: Callable[[], nn.Module], x: Tensor, seed: int) -> Tensor:
    net, g = make(), seeded(seed)
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            layer.weight.data.normal_(
                std=float(layer.weight.detach().square().mean().sqrt()), generator=g
            )
    return empirical_ntk(net)(x)


def sinusoids(n: int, channels: int) -> Tensor:
    angle = (
        torch
        .arange(n)
        .double()
        .outer(torch.exp(-torch.arange(0, channels, 2).double() / channels * log(100.0)))
    )
    return torch.cat([angle.sin(), angle.cos()], 1)


@pytest.mark.parametrize("trained", [False, True])
def test_tables_of_sinusoids_have_their_own_gram_matrix(trained: bool) -> None:
    """A linear network: `|mean x|^2 / 3 + |mean of the table|^2 / C`, plus 1 a position if trained."""
    n, c = 4, 256
    table = sinusoids(n, c)
    net: Any = Written(
        lambda m, x: m.o((m.a(x) + m.p).mean(1)), a=Linear(3, c, bias=False), o=Linear(c, 1, False)
    )
    net.p = nn.Parameter(table, requires_grad=trained)
    x = randn(1, n, 3)
    mean = x[0].mean(0)
    right = float(mean @ mean) / 3 + float((table.mean(0) ** 2).mean())
    assert float(nngp(net.double())(x)) == pytest.approx(right, rel=1e-12)
    own = 1 / n if trained else 0.0
    expected = right + float(mean @ mean) / 3 + own
    assert float(ntk(net)(x)) == pytest.approx(expected, rel=1e-12)


def test_tables_before_a_layer_norm() -> None:
    """As in vision transformers: each position's mean over the channels is known, and taken off."""
    n, c = 4, 512
    table = sinusoids(n, c)
    net: Any = Written(
        lambda m, x: m.o(m.n(m.a(x) + m.p).mean(1)),
        a=Linear(3, c, bias=False),
        n=nn.LayerNorm(c, eps=0.0, elementwise_affine=False),
        o=Linear(c, 1, False),
    )
    net.p = nn.Parameter(table, requires_grad=False)
    x = randn(2, n, 3)
    flat = x.reshape(-1, 3)
    rows = (table - table.mean(1, keepdim=True)).repeat(2, 1)
    cov = flat @ flat.T / 3 + rows @ rows.T / c
    cov = cov / cov.diagonal().sqrt().outer(cov.diagonal().sqrt())
    right = cov.reshape(2, n, 2, n).mean((1, 3))
    assert_near(nngp(net.double())(x), right, loosen=100)


def spoilt(change: Callable[[Any], Any], *, conv: bool = False) -> nn.Module:
    """A hidden layer whose weights are changed in place."""
    first, last = drawn(nn.Linear(2, W), 1.0, 0.0), read_out()
    if conv:
        middle = nn.Conv1d(W, W, 3, groups=W, bias=False).double()
        with torch.no_grad():
            change(middle.weight)
        return Written(
            lambda m, x: m.o(m.b(m.a(x).transpose(1, 2)).flatten(1)),
            a=first,
            b=middle,
            o=last,
        )
    middle = drawn(nn.Linear(W, W, bias=False), 1 / W)
    with torch.no_grad():
        change(middle.weight)
    return nn.Sequential(first, nn.ReLU(), middle, nn.ReLU(), last)


def with_forward(net: nn.Sequential, index: int, forward: Callable) -> nn.Module:
    net[index].forward = forward  # type: ignore[method-assign]
    return net


def changed(net: nn.Module, name: str, values: Tensor) -> nn.Module:
    net.get_parameter(name).data.copy_(values)
    return net


def shallow(first: nn.Module | None = None) -> nn.Sequential:
    return nn.Sequential(first or Linear(2, W), nn.ReLU(), Linear(W, 1))


def prelu(*, trains: bool = True, plain: bool = False) -> nn.Module:
    make = nn.Linear if plain else Linear
    act = nn.PReLU().requires_grad_(trains)
    return nn.Sequential(make(14, W), act, make(W, 1)).double()


REFUSED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "identity": (lambda: spoilt(nn.init.eye_), (2,), r"`2.weight`: a unit hears 1 inputs"),
    "diagonal": (
        lambda: spoilt(lambda w: w.copy_(torch.diag(randn(W)))),
        (2,),
        "`2.weight`: a unit hears 1 inputs.*take the empirical kernel",
    ),
    "equal weights": (
        lambda: spoilt(lambda w: w.fill_(0.1)),
        (2,),
        "`2.weight`: all units have the same weights",
    ),
    "a blur": (
        lambda: spoilt(lambda w: w.copy_(torch.tensor([0.25, 0.5, 0.25])), conv=True),
        (3, 2),
        "`b.weight`: all units have the same weights",
    ),
    "a constant bias before what has no rule for means": (
        lambda: Written(
            lambda m, x: m.o(nn.functional.elu(m.a(x).mean(1))),
            a=drawn(nn.Linear(2, W), 1.0, 1.0),
            o=read_out(),
        ),
        (3, 2),
        "`a.bias`: all entries are 1. .*set shifts to zero",
    ),
    "a trained slope": (prelu, (14,), r"At `1`.*its slope is a single trained number.*Freeze it"),
    "a forward of an object": (
        lambda: with_forward(shallow(), 0, lambda x: x),
        (2,),
        "At `0`: the forward of .* was replaced on the object",
    ),
    "a method of an object": (
        lambda: (lambda n: with_forward(n, 1, types.MethodType(lambda s, x: x.tanh(), n[1])))(
            shallow()
        ),
        (2,),
        r"At `1`: the forward of `ReLU\(\)` was replaced on the object.*a rule of its own",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    make, shape, match = REFUSED[name]
    with pytest.raises(UnsupportedLayerError, match=f"(?s){match}"):
        ntk(make())(randn(2, *shape))


WARNED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "positive weights": (
        lambda: spoilt(lambda w: w.abs_()),
        (2,),
        r"`2.weight`: the mean of the entries is .*take `ntkit.empirical_ntk`",
    ),
    "near the identity": (
        lambda: spoilt(lambda w: w.add_(torch.eye(W))),
        (2,),
        "`2.weight`: the diagonal stands out",
    ),
    "unlike units": (
        lambda: spoilt(lambda w: w.mul_(torch.logspace(-1, 1, W)[:, None])),
        (2,),
        "`2.weight`: the weights of different units differ in size",
    ),
    "standardised units": (
        lambda: spoilt(lambda w: w.sub_(w.mean(1, keepdim=True))),
        (2,),
        "`2.weight`: the weights of each unit add up to zero",
    ),
    "scales that differ": (
        lambda: changed(shifted_norm("layer"), "1.weight", torch.exp(randn(W))),
        (2,),
        "`1.weight`: the factors differ from channel to channel",
    ),
    "entries of unit Gaussians that are set": (
        lambda: changed(shallow(), "0.bias", torch.ones(W)),
        (2,),
        "`0.bias` has a mean square of 1, .*Set `w_std` and `b_std`",
    ),
    "trained scales of the inputs": (
        lambda: nn.Sequential(nn.LayerNorm(2), *shallow()),
        (2,),
        "`0` has trained scales for the points' own features.*random at any width",
    ),
    "a nonlinearity at the end": (
        lambda: nn.Sequential(*shallow(), nn.Sigmoid()),
        (2,),
        r"`Sigmoid\(\)` comes after the last layer.*Leave it to the loss",
    ),
    "a product at the end": (
        lambda: Written(lambda m, x: m.a(x) * m.b(x), a=shallow(), b=shallow()),
        (2,),
        "`product` comes after the last layer",
    ),
    "a narrow hidden layer": (
        lambda: nn.Sequential(nn.Linear(14, 8), nn.ReLU(), nn.Linear(8, 1)),
        (14,),
        "`2` is fed by 8 hidden units.*off by about 35 %",
    ),
    "few uniform inputs": (
        lambda: nn.Sequential(nn.Linear(2, W), nn.Tanh(), nn.Linear(W, 1)),
        (2,),
        r"`0` sums few inputs with uniform weights.*off by about \d+ %",
    ),
    # against the mean of finite networks with uniform weights: 24 %, 10 %, 3 %, 4 %
    "few uniform inputs, multiplied": (
        lambda: Written(
            lambda m, x: m.b(torch.sin(3 * m.a(x))), a=nn.Linear(2, W), b=nn.Linear(W, 1)
        ),
        (2,),
        r"`a` sums few inputs with uniform weights.*off by about \d\d %",
    ),
    "few uniform inputs, normalised after": (
        lambda: nn.Sequential(nn.Linear(2, W), nn.ReLU(), nn.LayerNorm(W), nn.Linear(W, 1)),
        (2,),
        "`0` sums few inputs with uniform weights",
    ),
    "few uniform inputs, normalised before": (
        lambda: nn.Sequential(nn.Linear(2, W), nn.RMSNorm(W), nn.GELU(), nn.Linear(W, 1)),
        (2,),
        "`0` sums few inputs with uniform weights",
    ),
    "few uniform inputs, batch norm": (
        lambda: nn.Sequential(
            nn.Linear(2, W), nn.BatchNorm1d(W), nn.GELU(), nn.Linear(W, 1)
        ).eval(),
        (2,),
        "`0` sums few inputs with uniform weights",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_is_warned_of(name: str) -> None:
    make, shape, match = WARNED[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = make().double()
    kernel = ntk(net)
    with pytest.warns(UserWarning, match=f"(?s){match}") as seen:
        kernel(randn(4, *shape))
    assert all(Path(w.filename).name == "test_assumptions.py" for w in seen)
    with warnings.catch_warnings():  # once a kernel
        warnings.simplefilter("error")
        kernel(randn(4, *shape))


def test_numbers_that_are_none() -> None:
    net = nn.Sequential(nn.Linear(14, W), nn.ReLU(), nn.Linear(W, 1))
    with torch.no_grad():
        net.get_parameter("2.weight")[0, 3] = torch.nan
    with pytest.raises(
        ValueError, match=r"`2.weight` holds NaN or infinity, and so would the kernel"
    ):
        ntk(net)(randn(2, 14))
    assert bool(ntk(net, variances="default")(randn(2, 14)).isfinite().all())  # nobody reads it


def test_a_patched_class(monkeypatch: pytest.MonkeyPatch) -> None:
    net = nn.Sequential(nn.Linear(14, W), nn.ReLU(), nn.Linear(W, 1))
    old = nn.Linear.forward
    monkeypatch.setattr(nn.Linear, "forward", lambda layer, x: 2 * old(layer, x))
    with pytest.raises(UnsupportedLayerError, match="was replaced on the class `Linear`"):
        ntk(net)


def test_the_forward_of_a_whole_module_is_followed() -> None:
    """What the object runs, not its class."""
    net, x = shallow().double(), randn(3, 2)
    other = nn.Sequential(net[0], nn.Tanh(), net[2])
    net.forward = lambda v: net[2](torch.tanh(net[0](v)))  # type: ignore[method-assign]
    assert_near(nngp(net)(x), nngp(other)(x))


def test_means_that_training_brings_are_seen() -> None:
    """The kernel is read again once a bias has a mean, and once that changes."""
    net = biased(0.0, nn.Tanh())
    kernel = nngp(net)
    for bias in (0.0, 1.0, 0.5, 0.0):
        with torch.no_grad():
            net[0].bias.fill_(bias)  # type: ignore[index,union-attr]
        right = mean_over(lambda u: np.tanh(u) ** 2, bias, 1.0)
        assert float(kernel(X)) == pytest.approx(right, rel=1e-9)


def with_constant_scales() -> nn.Module:
    net = shallow(Linear(2, W, w_std=2**0.5)).double()
    nn.init.zeros_(net.get_parameter("2.bias"))
    nn.init.constant_(net.get_parameter("0.bias"), 2.0)
    return net


DISAGREE: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "positive weights": (lambda: spoilt(lambda w: w.abs_()), (2,)),
    "entries of unit Gaussians that are set": (with_constant_scales, (2,)),
    "standardised units": (lambda: spoilt(lambda w: w.sub_(w.mean(1, keepdim=True))), (2,)),
}


@pytest.mark.parametrize("name", DISAGREE)
@pytest.mark.filterwarnings("ignore:The limit takes weights as:UserWarning")
@pytest.mark.filterwarnings("ignore:.* in the NTK parametrisation:UserWarning")
def test_monte_carlo_disagrees_where_numbers_are_no_draws(name: str) -> None:
    make, shape = DISAGREE[name]
    kernel, x = nngp(make()), randn(1, *shape)
    found = kernel.monte_carlo(x, 1000, seeded())
    off = (found.mean - kernel(x)).abs()
    assert float(off) > 5 * float(found.standard_error) + 0.1 * float(kernel(x))


@pytest.mark.parametrize("make", [lambda: biased(1.0, nn.Tanh()), lambda: spoilt(lambda w: None)])
def test_monte_carlo_agrees_where_they_are(make: Callable[[], nn.Module]) -> None:
    kernel = nngp(make())
    found = kernel.monte_carlo(X, 400, seeded())
    off = (found.mean - kernel(X)).abs()
    assert float(off) < 4 * float(found.standard_error) + 4 / W * float(kernel(X))
