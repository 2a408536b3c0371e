"""The tangent kernel layer by layer: its sum, its formula, and the layers of real networks."""

from math import pi

import pytest
import torch
from torch import Tensor, nn

from ntkit import encodings, ntk
from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.back.angle import fit, state_at_angle
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.front.calls.table import is_layer, read_call
from ntkit.kernels.infinite.front.lower import lower
from ntkit.kernels.infinite.front.trace import trace
from ntkit.kernels.infinite.moments.distances import state_of_features
from ntkit.kernels.infinite.rules.variances import Variances
from ntkit.networks import Linear, mlp, symmetrise
from tests import oracles
from tests.cases import layered, randn, seeded
from tests.rates import fitted_exponent
from tests.tolerances import assert_near, relative_error

NETS = {
    "ntk": lambda d: layered(encodings.Gaussian(d, 24, 3.0, seeded()), depth=3),
    "standard": lambda d: mlp(encodings.Basic(d), 1, width=32, depth=4, generator=seeded()),
    "one": lambda d: nn.Sequential(encodings.Basic(d), nn.Linear(2 * d, 1)),
    "no bias": lambda d: nn.Sequential(
        encodings.Positional(d, 4, 20.0),
        Linear(8 * d, 32, bias=False, w_std=1.3, generator=seeded()),
        nn.ReLU(),
        nn.Linear(32, 1, bias=False),
    ),
}
LAGS = [torch.linspace(-0.5, 0.6, 23).double(), torch.linspace(0, 1, 16).double()]


def prepared(net: nn.Module, x: Tensor, variances: Variances) -> Executable:
    """The network's steps for points like `x`."""
    traced = trace(net, is_layer)
    lowered = lower(traced, traced.sample("x", [x.float()]), variances, read_call)
    return Executable(lowered.program.bind(), 1, with_ntk=True)


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("name", NETS)
def test_the_parts_add_up_to_the_tangent_kernel(name: str, d: int) -> None:
    kernel = ntk(NETS[name](d))
    assert relative_error(kernel.layer_table(LAGS[:d]).sum(0), kernel.lag_table(LAGS[:d])) < 1e-10


def test_the_rules_parts_add_up_between_any_points() -> None:
    """Inputs of unequal norms, too: the raw coordinates."""
    net = mlp(encodings.Identity(3), 1, width=32, depth=3, generator=seeded())
    x1, x2 = randn(7, 3), randn(5, 3, seed=1)
    points = state_of_features(x1, x2, "each", with_ntk=True, with_variances=True)
    parts = prepared(net, x1, "measured").layers_of_state(points)
    assert_near(parts.sum(0), ntk(net)(x1, x2), loosen=10)


@pytest.mark.parametrize("parametrisation", ["ntk", "standard"])
def test_each_part_against_its_formula_in_fifty_digits(parametrisation) -> None:
    """What a layer adds, times the weights and derivatives of the layers behind it."""
    width, depth = 32, 3
    encoding = encodings.Basic(1)
    net = mlp(
        encoding, 1, width=width, depth=depth, parametrisation=parametrisation, generator=seeded()
    )
    if parametrisation == "ntk":
        layers = [(2.0, 0.01, 2.0, 0.01)] * depth + [(1.0, 0.01, 1.0, 0.01)]
    else:
        sizes = [encoding.out_dim, *[width] * depth]
        layers = [(1 / 3, 1 / (3 * f), float(f), 1.0) for f in sizes]
    lags = torch.tensor([0.0, 1e-4, 0.01, 0.2, 0.37, 0.49]).double()
    table = ntk(net, variances="default").layer_table([lags])
    for j, lag in enumerate(lags):
        expected = oracles.dense_ntk_parts(2 * pi * float(lag), 1 / encoding.out_dim, layers)
        for part, exact in zip(table, expected, strict=True):
            assert abs(float(part[j]) - float(exact)) < 2e-10 * float(part[0])


@pytest.mark.parametrize("name", NETS)
def test_each_part_is_positive_semi_definite(name: str) -> None:
    """On the points of a grid, which only differ in their lags."""
    lags = torch.arange(-11, 12).double() / 13
    for part in ntk(NETS[name](1)).layer_table([lags]):
        values = torch.linalg.eigvalsh(oracles.toeplitz_matrix(part, (12,), (12,)))
        assert float(values[0]) > -1e-9 * float(values[-1])
        assert float(values[-1]) > 0


@pytest.mark.slow
def test_the_parts_are_the_layers_of_wide_networks() -> None:
    """Jacobians over one layer's parameters tend to its part at the rate `width^-1/2`.

    The read-out has no bias: it would add exactly 1 and hide how far the rest is from its limit.
    """
    widths, seeds, n = [32, 64, 128, 256], range(8), 5
    lags, x = torch.arange(1 - n, n).double() / 8, torch.arange(n).double()[:, None] / 8
    errors = torch.zeros(len(widths), 4).double()
    for i, width in enumerate(widths):
        for seed in seeds:
            net = mlp(encodings.Basic(1), 1, width=width, depth=3, generator=seeded(seed)).double()
            net[-1].bias = None
            limits = ntk(net, variances="default").layer_table([lags])
            for g, found in enumerate(oracles.layer_jacobian_kernels(net, x)):
                limit = oracles.toeplitz_matrix(limits[g], (n,), (n,))
                errors[i, g] += (found - limit).norm() / limit.norm() / len(seeds)
    for g in range(4):
        assert -0.75 < fitted_exponent(widths, errors[:, g].tolist()) < -0.25, f"layer {g}"
    assert -0.65 < fitted_exponent(widths, errors.mean(1).tolist()) < -0.35
    assert float(errors[-1].max()) < 0.3


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8, 1e-10])
def test_the_stated_error_bounds_the_profile_everywhere(tolerance: float) -> None:
    """On angles that the fit never saw, relative to each part at angle zero."""
    steps = prepared(NETS["standard"](2), torch.zeros(2, 2), "default")

    def parts(angle: Tensor) -> Tensor:
        return steps.layers_of_state(state_at_angle(angle, 0.5, with_ntk=True))

    profile = fit(parts, 0.0, pi, tolerance)
    assert profile.error <= tolerance
    angle = pi * torch.rand(4000, generator=seeded(), dtype=torch.float64)
    largest = parts(torch.zeros(1).double())
    # The points of the check lie three to a node: between them the error may be a little larger.
    error = float(((profile.all(angle) - parts(angle)) / largest).abs().max())
    assert error < 2 * max(profile.error, 1e-13)


def test_a_tolerance_below_rounding_is_refused() -> None:
    with pytest.raises(NumericalError, match=r"no polynomials of the angle to 1e-20 \(reached"):
        ntk(NETS["ntk"](1)).layer_table(LAGS[:1], tolerance=1e-20)


def test_raw_coordinates_have_no_table() -> None:
    with pytest.raises(ValueError, match="needs one stationary encoding in front of the layers"):
        ntk(layered(encodings.Identity(1))).layer_table(LAGS[:1])


def test_layer_sizes_count_every_parameter_once() -> None:
    net = mlp(encodings.Basic(2), 3, width=10, depth=2, generator=seeded())
    assert ntk(net).layer_sizes() == [4 * 10 + 10, 10 * 10 + 10, 10 * 3 + 3]
    pair = symmetrise(net)
    assert ntk(pair).layer_sizes() == [2 * n for n in ntk(net).layer_sizes()]
    assert sum(ntk(pair).layer_sizes()) == sum(p.numel() for p in pair.parameters())
    squares = [
        float((m.weight.double().square().sum() + m.bias.double().square().sum()).detach())
        for m in net[1::2]
    ]
    assert ntk(net).layer_norms() == pytest.approx(squares)
    assert ntk(pair).layer_norms() == pytest.approx([2 * s for s in squares])


def test_both_halves_of_a_pair_together_have_the_parts_of_one() -> None:
    net = NETS["standard"](1)
    assert torch.equal(ntk(symmetrise(net)).layer_table(LAGS[:1]), ntk(net).layer_table(LAGS[:1]))
