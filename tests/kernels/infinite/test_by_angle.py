"""One function of the angle in place of the layers: which networks, and the same numbers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ntkit import encodings, nngp, ntk
from ntkit.kernels.infinite.back import gram_matrix
from ntkit.networks import Erf, Linear
from tests.cases import randn, seeded
from tests.tolerances import assert_near

N = 130
"""Points: enough for the polynomials to pay."""


def dense(
    depth: int, act: Callable[[], nn.Module] = nn.ReLU, *, bias: bool = False, plain: bool = False
) -> nn.Sequential:
    """A chain of `depth` hidden layers."""
    torch.manual_seed(0)
    kind = nn.Linear if plain else Linear
    scale = {} if plain else {"w_std": 2**0.5}
    layers: list[nn.Module] = []
    for k in range(depth):
        layers += [kind(8 if k == 0 else 64, 64, bias=bias, **scale), act()]
    return nn.Sequential(*layers, kind(64, 1, bias=bias))


def points(spread: float = 0.0) -> Tensor:
    """Norms from `10^-spread` to `10^spread`, near duplicates, near opposites, and a zero if any."""
    x = nn.functional.normalize(randn(N, 8), dim=1)
    for k, distance in enumerate((1e-3, 1e-6, 1e-9, 0.0)):
        x[10 + k] = nn.functional.normalize(x[k] + distance * randn(8, seed=k), dim=0)
        x[20 + k] = -nn.functional.normalize(x[k] + distance * randn(8, seed=k), dim=0)
    x = nn.functional.normalize(x, dim=1)
    if spread:
        x = x * 10 ** (spread * torch.linspace(-1, 1, N).double()[:, None])
        x[30] = 0
    return x


def both(kernel, x: Tensor, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, Tensor]:
    """By the angle, and layer by layer."""
    assert kernel.plan(x).route == "one function of the angle"
    quick = kernel(x)
    with monkeypatch.context() as patch:
        patch.setattr(gram_matrix, "chosen", lambda *_: None)
        patch.setattr(gram_matrix, "pays", lambda *_: False)
        assert kernel.plan(x).route == "layer by layer"
        return quick, kernel(x)


def assert_entrywise(actual: Tensor, expected: Tensor, bound: float) -> None:
    scale = expected.abs()
    error = (actual - expected).abs() / torch.where(scale > 0, scale, 1)
    assert float(error.max()) <= bound


@pytest.mark.parametrize("which", [ntk, nngp], ids=["ntk", "nngp"])
@pytest.mark.parametrize("plain", [False, True], ids=["NTK", "standard"])
@pytest.mark.parametrize("depth", [2, 3, 10, 30])
def test_homogeneous_networks(which, plain: bool, depth: int, monkeypatch) -> None:
    """Any norms; every entry to 1e-12 of itself."""
    if plain and depth > 3:
        pytest.skip("default weights vanish with depth, and warn of it")
    kernel = which(dense(depth, plain=plain))
    for spread in (0.0, 4.0):
        assert_entrywise(*both(kernel, points(spread), monkeypatch), 1e-12)


def test_leaky_networks(monkeypatch) -> None:
    kernel = ntk(dense(4, lambda: nn.LeakyReLU(0.2)))
    assert_entrywise(*both(kernel, points(2.0), monkeypatch), 1e-12)


@pytest.mark.parametrize("act", [nn.ReLU, Erf, nn.GELU], ids=lambda a: a.__name__)
@pytest.mark.parametrize("which", [ntk, nngp], ids=["ntk", "nngp"])
@pytest.mark.parametrize("depth", [1, 3, 10])
def test_any_network_on_a_sphere(which, act, depth: int, monkeypatch) -> None:
    """With biases, at one norm."""
    kernel = which(dense(depth, act, bias=True))
    assert_entrywise(*both(kernel, points(), monkeypatch), 1e-12)


def test_stationary_encodings_are_spheres(monkeypatch) -> None:
    net = nn.Sequential(encodings.Gaussian(2, 4, 3.0, seeded()), *dense(3, bias=True))
    quick, slow = both(ntk(net), randn(N, 2), monkeypatch)
    assert_entrywise(quick, slow, 1e-12)


def test_two_sets_of_points(monkeypatch) -> None:
    kernel, x, y = ntk(dense(3)), points(1.0), points(2.0).flip(0)
    quick = kernel(x, y)
    monkeypatch.setattr(gram_matrix, "chosen", lambda *_: None)
    monkeypatch.setattr(gram_matrix, "pays", lambda *_: False)
    assert_entrywise(quick, kernel(x, y), 1e-12)


@pytest.mark.parametrize(
    ("net", "x"),
    [
        pytest.param(dense(3, bias=True), points(1.0), id="biases and many norms"),
        pytest.param(dense(1), points(), id="a kernel that falls to zero, whose digits would go"),
        pytest.param(dense(3), points()[:20], id="few points"),
        pytest.param(dense(3, nn.Dropout), points(), id="masks"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*training mode")
def test_layer_by_layer_elsewhere(net: nn.Module, x: Tensor) -> None:
    assert ntk(net).plan(x).route == "layer by layer"


@pytest.mark.parametrize("depth", [3, 10, 30])
@pytest.mark.parametrize("bias", [False, True], ids=["angle", "layers"])
def test_float32(depth: int, bias: bool) -> None:
    """Points in float32 give the float64 kernel of those points, also of close ones."""
    kernel, x = ntk(dense(depth, bias=bias)), points(0.5).float()
    for k in range(8):
        x[60 + k] = x[40 + k] + 1e-4 * randn(8, seed=k).float() * x[40 + k].norm() / 8**0.5
    found = kernel(x)
    assert found.dtype == torch.float32
    expected = kernel(x.double())
    assert_near(found, expected)
    if not bias:  # of every entry: norms differ by a factor of ten
        assert_entrywise(found.double(), expected, 2e-6)


def test_scales_that_change_are_seen() -> None:
    """Of layers in the NTK parametrisation, whose weights do not matter, which a warning says."""
    net, x = dense(3), randn(200, 8)
    kernel = ntk(net)
    before = kernel(x)
    with torch.no_grad():
        net[0].weight.mul_(3)
    assert torch.equal(kernel(x), before)
    net[2].w_std = 0.7
    with pytest.warns(
        UserWarning, match=r"`0.weight` has a mean square of .*Set `w_std` and `b_std`"
    ):
        assert torch.equal(kernel(x), ntk(net)(x))
    assert not torch.allclose(kernel(x), before, rtol=1e-3)


def test_weights_that_change_are_seen() -> None:
    """The function of the angle is kept from call to call, and made anew after training."""
    net = nn.Sequential(
        nn.Linear(6, 64, bias=False), nn.ReLU(), nn.Linear(64, 32, bias=False), nn.ReLU()
    )
    net.append(nn.Linear(32, 1, bias=False))
    kernel, x = ntk(net), randn(200, 6)
    before = kernel(x)
    with torch.no_grad():
        net[2].weight.data *= 1.5
    assert torch.equal(kernel(x), ntk(net)(x))
    assert not torch.allclose(kernel(x), before, rtol=1e-3)
