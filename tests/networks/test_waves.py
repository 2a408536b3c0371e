"""SIREN, FINER and WIRE: their published initialisation, and what a bandwidth means for each."""

from math import exp, pi, sqrt

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import VariableSine, finer, siren, siren_bandwidth, siren_omega, wire
from tests import oracles
from tests.cases import randn, seeded
from tests.tolerances import assert_near

WAVES = {"siren": siren, "finer": finer, "wire": wire}
EACH = pytest.mark.parametrize("make", WAVES.values(), ids=WAVES)


def local_frequencies(network: nn.Sequential, x: Tensor) -> Tensor:
    """Gradients of the phases of the first layer's units at points, cycles per unit: `[n, units, d]`."""
    wave = network[2]

    def phases(point: Tensor) -> Tensor:
        u = network[1](network[0](point))
        faster = u.abs() + 1 if isinstance(wave, VariableSine) else 1.0
        return wave.frequency * faster * u / (2 * pi)

    return torch.stack([torch.func.jacfwd(phases)(point) for point in x])


@EACH
@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_bandwidth_is_the_deviation_of_the_first_frequencies(make, d: int) -> None:
    network = make(d, 1, bandwidth=7.0, width=20_000, depth=1, generator=seeded(d))
    found = local_frequencies(network, torch.full((1, d), 0.5)).detach()
    assert network.bandwidth == 7.0
    assert float(found.mean().abs()) < 0.02 * 7
    assert found[0].std(0).tolist() == pytest.approx([7.0] * d, rel=0.02)


@EACH
def test_a_published_frequency_and_its_bandwidth_are_one_network(make) -> None:
    one = make(2, 3, omega_0=25.0, width=16, depth=2, generator=seeded())
    other = make(2, 3, bandwidth=one.bandwidth, width=16, depth=2, generator=seeded())
    x = torch.rand(20, 2, generator=seeded(1))
    assert_near(other(x), one(x), loosen=30)
    assert other[2].frequency == pytest.approx(25.0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_omega_and_bandwidth_of_siren(d: int) -> None:
    """The two formulas of the literature: on [0, 1)^d, and twice that where [-1, 1] is meant."""
    on_unit = 30 / (2 * pi * d * sqrt(3))
    assert siren_bandwidth(30.0, d, (0.0, 1.0)) == pytest.approx(on_unit)
    assert siren_bandwidth(30.0, d) == pytest.approx(2 * on_unit)
    assert siren(d, 1, width=4).bandwidth == pytest.approx(2 * on_unit)
    for domain in ((0.0, 1.0), (-1.0, 1.0), (0.0, 2 * pi)):
        assert siren_omega(siren_bandwidth(17.0, d, domain), d, domain) == pytest.approx(17.0)


@EACH
def test_layers_see_points_as_published(make) -> None:
    """The chain without its first module, on [-1, 1]."""
    network = make(2, 3, omega_0=9.0, width=16, depth=2, generator=seeded())
    x = torch.rand(20, 2, generator=seeded(1))
    assert torch.equal(network[1:](2 * x - 1), network(x))
    assert network[2].frequency == 9.0


def largest(parameter: Tensor) -> float:
    return float(parameter.detach().abs().max())


def test_weights_of_siren_and_finer_are_drawn_as_published() -> None:
    for network, bias in ((siren, 2**-0.5), (finer, 2**-0.5)):
        layers = [
            m for m in network(2, 1, width=400, depth=3, generator=seeded()) if hasattr(m, "weight")
        ]
        assert largest(layers[0].weight) == pytest.approx(1 / 2, rel=0.02)
        assert largest(layers[0].bias) == pytest.approx(bias, rel=0.02)
        for layer in layers[1:]:
            assert largest(layer.weight) == pytest.approx(sqrt(6 / 400) / 30, rel=0.02)
        for layer in layers[1:-1]:
            assert largest(layer.bias) == pytest.approx(400**-0.5, rel=0.02)
    first = finer(2, 1, first_bias=5.0, width=400, depth=1, generator=seeded())[1]
    assert largest(first.bias) == pytest.approx(5.0, rel=0.02)


def test_sirens_units_keep_their_size_through_depth() -> None:
    """Phases of variance `2 E[h^2]` and the biases' part, sines of mean square `(1 - exp(-2 v)) / 2`."""
    width, omega = 900, 30.0
    network = siren(2, 1, bandwidth=20.0, width=width, depth=6, generator=seeded())
    x = torch.rand(300, 2, generator=seeded(1))
    with torch.no_grad():
        units = network[:3](x)
        size = float(units.square().mean())
        assert size == pytest.approx(0.5, rel=0.02)  # phases of many turns: the arcsine law
        assert float((units**4).mean()) == pytest.approx(3 / 8, rel=0.02)
        for k in range(3, len(network) - 1, 2):
            phases = network[k + 1].frequency * network[k](units)
            v = 2 * size + omega**2 / (3 * width)
            assert float(phases.square().mean()) == pytest.approx(v, rel=0.08)
            units = network[k + 1](network[k](units))
            size = float(units.square().mean())
            assert size == pytest.approx((1 - exp(-2 * v)) / 2, rel=0.04)
            fourth = 3 / 8 - exp(-2 * v) / 2 + exp(-8 * v) / 8
            assert float((units**4).mean()) == pytest.approx(fourth, rel=0.06)


def test_hidden_omega_changes_the_speed_and_not_the_function() -> None:
    """Without biases, weights a fraction as large behind a frequency as many times larger are the same."""
    nets = [
        siren(1, 1, omega_0=30.0, hidden_omega=o, width=64, depth=3, generator=seeded())
        for o in (10.0, 40.0)
    ]
    with torch.no_grad():
        for network in nets:
            for layer in network[3::2]:
                layer.bias.zero_()
    x = torch.rand(50, 1, generator=seeded(1))
    assert_near(4 * nets[1](x), nets[0](x), loosen=100)


def test_finers_sine_and_its_slope() -> None:
    x = randn(100).requires_grad_()
    wave = VariableSine(3.0)
    (slope,) = torch.autograd.grad(wave(x).sum(), x)
    assert_near(wave(x), torch.sin(3 * (x * x.abs() + x)))
    assert_near(slope, 3 * (2 * x.abs() + 1) * torch.cos(3 * (x.abs() + 1) * x))


def test_finers_first_biases_make_it_faster() -> None:
    """`E[(2 |b| + 1)^2] = 1 + 2 k + 4 k^2 / 3` under `U(-k, k)`."""
    for k in (0.5, 1.0, 5.0):
        ratio = finer(2, 1, first_bias=k, width=2).bandwidth / siren(2, 1, width=2).bandwidth
        b = torch.linspace(-k, k, 100_001, dtype=torch.float64)
        assert ratio == pytest.approx(float((2 * b.abs() + 1).square().mean() ** 0.5), rel=1e-4)


@EACH
def test_the_empirical_kernel_is_the_jacobians(make) -> None:
    network = make(2, 1, bandwidth=1.0, width=12, depth=2, generator=seeded()).double()
    x = torch.rand(5, 2, generator=seeded(1), dtype=torch.float64)
    assert_near(ntkit.empirical_ntk(network)(x), oracles.jacobian_kernel(network, x), loosen=100)


@pytest.mark.parametrize(
    ("make", "why"), [(finer, "numerical integrals do not settle"), (wire, "WIRE has no kernel")]
)
def test_families_without_a_limit_say_so(make, why: str) -> None:
    with pytest.raises(UnsupportedLayerError, match=f"At `2`: .*{why}.*empirical_ntk"):
        ntkit.ntk(make(2, 1, width=16, depth=2))(torch.rand(3, 2))


@EACH
def test_errors(make, unchecked) -> None:
    with pytest.raises(
        ValueError, match=r"`bandwidth=2.0` and `omega_0=30.0` say the same.*Pass one"
    ):
        make(2, 1, bandwidth=2.0, omega_0=30.0)
    for name in ("bandwidth", "omega_0", "hidden_omega"):
        with pytest.raises(ValueError, match="must be a finite number above 0"):
            make(2, 1, **{name: 0.0})
    for name in ("width", "depth"):
        with pytest.raises(ValueError, match=f"`{name}=0` must be at least 1"):
            make(2, 1, **{name: 0})


def test_a_domain_has_a_length() -> None:
    with pytest.raises(ValueError, match=r"`domain=\(1, 0\)` must be two numbers, the lower first"):
        siren_bandwidth(30.0, 2, (1, 0))
