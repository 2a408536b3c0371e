"""One unit for many channels, and sums of dependent branches: against formulas and drawn networks."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels import rules
from ntkit.networks import Conv1d, Linear
from tests.cases import randn, seeded
from tests.kernels.infinite.drawn import is_mean_of_draws
from tests.ordinary_networks import relu, written
from tests.tolerances import assert_near

D, T, W = 3, 4, 192

pytestmark = pytest.mark.filterwarnings("ignore:Many channels share one unit")


def net_of(forward: Callable[[Any, Tensor], Tensor], width: int = W, outputs: int = 4) -> nn.Module:
    """`a`, `b`, `c` from the inputs, `d`, `e` from hidden units, `g`, `k` gates of one channel, `o`, `one` read-outs."""
    r = seeded()
    layers: dict[str, Any] = {
        **{name: Linear(D, width, b_std=0.3, generator=r) for name in "abc"},
        **{name: Linear(width, width, b_std=0.3, generator=r) for name in "de"},
        "g": Linear(D, 1, w_std=1.5, generator=r),
        "k": Linear(width, 1, w_std=1.5, b_std=0.2, generator=r),
        "o": Linear(width, outputs, b_std=0.5, generator=r),
        "one": Linear(width, 1, bias=False, generator=r),
        "v": Conv1d(D, width, 2, b_std=0.3, generator=r),
        "w": Conv1d(width, 1, 2, padding=1, generator=r),
    }
    return written(layers, forward).double().eval()


def moments(function: Callable[[Tensor], Tensor], cov: Tensor) -> Tensor:
    """`E[f(u) f(v)]` of Gaussian pairs with the covariances `cov`, by a rule of 150 x 150 nodes."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(150)
    z, w = torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
    var = cov.diagonal()
    one, two = var[:, None, None, None].sqrt(), var[None, :, None, None].sqrt()
    rho = (cov[:, :, None, None] / (one * two)).clamp(-1, 1)
    u = one * z[:, None]
    v = two * (rho * z[:, None] + (1 - rho**2).sqrt() * z)
    return torch.einsum("nmij,i,j->nm", function(u) * function(v), w, w)


def slope(u: Tensor) -> Tensor:
    """Of the sigmoid."""
    return torch.sigmoid(u) * torch.sigmoid(-u)


def test_a_gate_of_one_channel_is_a_mean_over_its_draws() -> None:
    """`nngp = K E[s s'] + b^2`, and `ntk` with the gate's own part `K Theta_g E[s' s']` more."""
    x = randn(4, D)
    net = net_of(lambda s, x: s.o(relu(s.a(x)) * torch.sigmoid(s.g(x))))
    units = net_of(lambda s, x: s.o(relu(s.a(x))))
    gate = net_of(lambda s, x: s.g(x))
    inner, tangent = nngp(units)(x) - 0.25, ntk(units)(x) - nngp(units)(x)
    opened, turned = (moments(f, nngp(gate)(x)) for f in (torch.sigmoid, slope))
    covariance = inner * opened + 0.25
    assert_near(nngp(net)(x), covariance, loosen=1e3)
    expected = covariance + tangent * opened + inner * ntk(gate)(x) * turned
    assert_near(ntk(net)(x), expected, loosen=1e3)
    assert_near(ntk(net).diag(x), expected.diagonal(), loosen=1e3)


def times(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Of a product of independent units."""
    return one[0] * other[0], one[1] * other[0] + one[0] * other[1]


def second_moments(forward: Callable[[Any, Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Of hidden units, means included, as a read-out without biases sees them; and their tangent kernel."""
    net = net_of(lambda s, x: s.one(forward(s, x)))
    found = nngp(net)(x)
    return found, ntk(net)(x) - found


SUMS = {
    "units and what they are times": (
        lambda s, x: (lambda h: h + h * s.b(x))(s.a(x)),
        ["h", "h b"],
    ),
    "two functions of units, weighed": (
        lambda s, x: (lambda h: h * s.b(x) + relu(h) * s.c(x))(s.a(x)),
        ["h b", "r c"],
    ),
    "with numbers": (
        lambda s, x: (lambda h: 2 * (h * s.b(x)) - 0.5 * relu(h))(s.a(x)),
        ["h b", "h b", "h b", "h b", "r/4"],
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_dependent_branches_without_a_covariance_add(name: str) -> None:
    forward, terms = SUMS[name]
    x = randn(4, D)
    h, b, c = (second_moments(f, x) for f in (_a, _b, _c))
    r = second_moments(lambda s, x: relu(s.a(x)), x)
    parts = {"h": h, "h b": times(h, b), "r c": times(r, c), "r/4": (r[0] / 4, r[1] / 4)}
    found = second_moments(forward, x)
    for k in range(2):
        assert_near(found[k], sum((parts[t][k] for t in terms), torch.zeros(4, 4)), loosen=1e3)


def _a(s: Any, x: Tensor) -> Tensor:
    return s.a(x)


def _b(s: Any, x: Tensor) -> Tensor:
    return s.b(x)


def _c(s: Any, x: Tensor) -> Tensor:
    return s.c(x)


def highway(s: Any, x: Tensor) -> Tensor:
    """A gate between a layer and what it was given."""
    h = relu(s.a(x))
    g = torch.sigmoid(s.d(h))
    return s.o(g * torch.tanh(s.e(h)) + (1 - g) * h)


def spatial(s: Any, x: Tensor) -> Tensor:
    """Spatial attention before the pooling."""
    h = relu(s.v(x))
    return s.o((h * torch.sigmoid(s.w(h))[:, :, 1:]).mean(2))


DRAWN: dict[str, tuple[Callable[[Any, Tensor], Tensor], tuple[int, ...]]] = {
    "a gate of hidden units": (
        lambda s, x: (lambda h: s.o(h * torch.sigmoid(s.k(h))))(relu(s.a(x))),
        (D,),
    ),
    "a linear gate, and a residual block": (
        lambda s, x: (lambda y: s.o(y + s.d(y)))(s.a(x) * s.g(x)),
        (D,),
    ),
    "one unit added to all, and to its own gate": (
        lambda s, x: (lambda g: s.o(s.d(s.a(x) * g) + s.b(x) * torch.cos(g) + s.k(relu(s.c(x)))))(
            s.g(x)
        ),
        (D,),
    ),
    "one unit beside the inputs": (lambda s, x: s.o(s.a(x + s.g(x))), (D,)),
    "spatial attention": (spatial, (D, T)),
    "highway": (highway, (D,)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(("make", "count"), [(nngp, 600), (ntk, 200)], ids=["nngp", "ntk"])
def test_drawn_networks_have_these_means(name: str, make: Any, count: int) -> None:
    forward, shape = DRAWN[name]
    assert is_mean_of_draws(make(net_of(forward)), randn(3, *shape), count, W, within=0.25)


@pytest.mark.parametrize(("make", "count"), [(nngp, 200), (ntk, 25)], ids=["nngp", "ntk"])
def test_small_networks_have_these_means(make: Any, count: int) -> None:
    net = net_of(spatial, width=48, outputs=2)
    assert is_mean_of_draws(make(net), randn(2, D, T), count, 48, within=0.25)


class Attentive(nn.Module):
    """Spatial attention, in a class that pickles."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.g, self.o = Conv1d(D, 8, 2), Conv1d(8, 1, 1), Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = relu(self.a(x))
        return self.o((h * torch.sigmoid(self.g(h))).mean(2))


def test_programs_with_gates_are_data() -> None:
    kernel, x = ntk(Attentive()), randn(2, D, T)
    expected = kernel(x)
    again = pickle.loads(pickle.dumps(kernel))
    assert torch.equal(again(x), expected)
    assert "one unit for all channels" in str(kernel.plan(x))


@pytest.mark.filterwarnings("default:Many channels share one unit")
@pytest.mark.parametrize("make", [ntk, nngp])
def test_what_the_values_are_is_said_once(make: Any) -> None:
    net = net_of(lambda s, x: s.o(s.a(x) * s.g(x)))
    kernel = make(net)
    with pytest.warns(
        UserWarning, match=r"Linear\(3, 1.*not independent.*mean of the tangent"
    ) as seen:
        kernel(randn(2, D))
        kernel(randn(3, D))
    assert len(seen) == 1


class Squared(nn.Module):
    """A layer of a third party, whose rule need not be affine."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x


@rules.register(Squared)
def squared(layer: Squared, state: Any, variances: Any) -> Any:
    return state


def test_a_rule_of_a_third_party_is_not_trusted_with_means() -> None:
    net = net_of(lambda s, x: s.o(s.own(s.a(x) * s.g(x))), width=8)
    net.own = Squared().double()
    with pytest.raises(UnsupportedLayerError, match="one unit that many channels share"):
        ntk(net)(randn(2, D))
