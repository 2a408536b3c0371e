"""WIRE's complex layers against complex numbers, and its scale models."""

import pytest
import torch
from torch import Tensor

from ntkit.networks import ComplexGabor, ComplexLinear, wire
from ntkit.networks.wire_scale import wire_at
from tests.cases import randn, seeded
from tests.tolerances import assert_near


def as_complex(z: Tensor) -> Tensor:
    return torch.complex(z[..., 0, :], z[..., 1, :])


def test_a_complex_layer_is_one() -> None:
    layer = ComplexLinear(5, 3, generator=seeded()).double()
    real, imaginary = layer.parts.weight.chunk(2)
    z = randn(7, 2, 5)
    expected = as_complex(z) @ torch.complex(real, imaginary).T + as_complex(layer.bias)
    assert_near(torch.view_as_real(as_complex(layer(z))), torch.view_as_real(expected))


def test_a_complex_wavelet_is_one() -> None:
    z = randn(7, 2, 5)
    c = as_complex(z)
    expected = torch.exp(3j * c - (0.7 * c).abs().square())
    found = as_complex(ComplexGabor(3.0, 0.7)(z))
    assert_near(torch.view_as_real(found), torch.view_as_real(expected))
    first = as_complex(ComplexGabor(3.0, 0.7, is_real=True)(z[:, 0]))
    expected = torch.exp(3j * z[:, 0] - (0.7 * z[:, 0]) ** 2)
    assert_near(torch.view_as_real(first), torch.view_as_real(expected))


def test_the_network_in_complex_numbers() -> None:
    network = wire(
        2, 3, omega_0=6.0, scale=4.0, hidden_omega=2.0, hidden_scale=1.5, width=20, depth=3
    )
    network = network.double()
    x = torch.rand(9, 2, generator=seeded(), dtype=torch.float64)
    u = (2 * x - 1) @ network[1].weight.T + network[1].bias
    z = torch.exp(6j * u - (4 * u) ** 2)
    for layer in (network[3], network[5]):
        real, imaginary = layer.parts.weight.chunk(2)
        z = z @ torch.complex(real, imaginary).T + as_complex(layer.bias)
        z = torch.exp(2j * z - (1.5 * z).abs().square())
    real, imaginary = network[8].weight.chunk(2, 1)
    expected = (z @ torch.complex(real, -imaginary).T).real + network[8].bias
    assert_near(network(x), expected, loosen=10)


def test_real_and_imaginary_parts_have_pytorchs_default_law() -> None:
    network = wire(2, 3, width=283, depth=2, generator=seeded())  # 200 complex units
    assert network[1].weight.shape == (200, 2)
    for part in network[3].parts.weight.detach().chunk(2):
        assert float(part.abs().max()) == pytest.approx(200**-0.5, rel=0.01)
        assert float(part.square().mean()) == pytest.approx(1 / 600, rel=0.02)
    assert float(network[6].weight.detach().abs().max()) == pytest.approx(200**-0.5, rel=0.02)


def test_as_many_parameters_as_a_real_network_of_that_width() -> None:
    count = sum(p.numel() for p in wire(2, 3, width=256, depth=4).parameters())
    assert count == pytest.approx(3 * 256**2, rel=0.02)


@pytest.mark.parametrize(("d", "crop"), [(1, 16.0), (2, 4.0), (3, 2.5)])
def test_units_of_a_scale_model_are_as_large_as_the_networks(d: int, crop: float) -> None:
    """Layer by layer, at points of the piece; the first are as many at a point as before."""
    x = torch.rand(2000, d, generator=seeded(1))
    sizes = []
    for options in ({}, {"factor": 4.0, "crop": crop}):
        network = wire_at(d, 1, bandwidth=4.0, width=200, depth=3, generator=seeded(2), **options)
        with torch.no_grad():
            sizes.append([float(network[: k + 1](x).square().mean()) ** 0.5 for k in (3, 5)])
    assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


def test_wavelets_of_a_scale_model_are_those_of_the_signal() -> None:
    whole = wire_at(2, 1, bandwidth=6.0, width=64, depth=2)
    model = wire_at(2, 1, bandwidth=6.0, width=64, depth=2, factor=4.0, crop=3.0)
    assert model.bandwidth == pytest.approx(whole.bandwidth / 3)
    for name in ("frequency", "scale"):
        assert getattr(model[2], name) == pytest.approx(getattr(whole[2], name) / 3)
        assert getattr(model[4], name) == getattr(whole[4], name)
