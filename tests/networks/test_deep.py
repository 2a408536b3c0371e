"""NeRF's network, residual networks and hash grids with a network on top."""

import pytest
import torch
from torch import nn

import ntkit
from ntkit._core.errors import UnsupportedLayerError
from ntkit.encodings import Gaussian, NeRF
from ntkit.networks import ViewMLP, hash_mlp, nerf, residual
from tests import oracles
from tests.cases import seeded
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

POINTS = torch.rand(4, 2, generator=seeded(3), dtype=torch.float64)


def test_nerf_by_hand() -> None:
    encoding = NeRF(3, 4)
    network = nerf(encoding, 4, width=16, generator=seeded())
    layers = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 9
    x = torch.rand(6, 3, generator=seeded(1))
    h = features = encoding(x)
    for k in range(8):
        h = torch.relu(h @ layers[k].weight.T + layers[k].bias)
        if k == 4:  # the fifth layer's activations
            h = torch.cat([h, features], 1)
    assert_near(network(x), h @ layers[8].weight.T + layers[8].bias, loosen=10)


def test_nerf_is_drawn_as_keras_draws() -> None:
    layer = nerf(NeRF(3, 10), width=256, generator=seeded())[0].layers[5]
    assert layer.in_features == 256 + 60
    bound = (6 / (256 + 60 + 256)) ** 0.5
    assert float(layer.weight.detach().abs().max()) == pytest.approx(bound, rel=1e-3)
    assert not bool(layer.bias.detach().any())


def test_density_knows_no_view_and_colours_do() -> None:
    network = nerf(NeRF(3, 4), directions=NeRF(3, 2), width=32, generator=seeded())
    x = torch.rand(6, 6, generator=seeded(1))
    turned = torch.cat([x[:, :3], x[:, 3:].flip(0)], 1)
    assert isinstance(network, ViewMLP)
    assert network.view.out_features == 16
    assert torch.equal(network(x)[:, 0], network(turned)[:, 0])
    assert bool((network(x)[:, 1:] != network(turned)[:, 1:]).all())


def test_residual_by_hand() -> None:
    network = residual(Gaussian(2, 8, 2.0, seeded()), 3, width=16, depth=2, generator=seeded())
    x = torch.rand(6, 2, generator=seeded(1))
    h = network[1](network[0](x))
    for block in (network[2], network[3]):
        h = h + block.outer(block.inner(h.clamp_min(0)).clamp_min(0))
    assert_near(network(x), network[5](h.clamp_min(0)), loosen=10)


@pytest.mark.parametrize(
    "make", [residual, lambda *a, **k: nerf(*a, skip=1, **k)], ids=["residual", "nerf"]
)
def test_kernels_of_wide_networks_near_their_limit(make) -> None:
    """The kernel of the network's own Jacobian, at the rate `width^-1/2`."""
    widths, errors = (16, 64, 256), []
    for width in widths:
        found = []
        for seed in range(12):
            encoding = Gaussian(2, 64, 1.0, seeded(9))
            network = make(encoding, 1, width=width, depth=2, generator=seeded(seed)).double()
            limit = ntkit.ntk(network)(POINTS)
            found.append(
                float((oracles.jacobian_kernel(network, POINTS) - limit).norm() / limit.norm())
            )
        errors.append(sum(found) / len(found))
    assert errors[-1] < 0.15
    assert -0.75 < fitted_exponent(widths, errors) < -0.3


@pytest.mark.parametrize("make", [residual, nerf], ids=["residual", "nerf"])
def test_empirical_kernels_are_the_jacobians(make) -> None:
    network = make(Gaussian(2, 8, 1.0, seeded()), 1, width=12, generator=seeded()).double()
    assert_near(
        ntkit.empirical_ntk(network)(POINTS), oracles.jacobian_kernel(network, POINTS), loosen=10
    )


def test_views_have_two_kernels_and_so_none() -> None:
    network = nerf(NeRF(2, 4), directions=NeRF(2, 2), width=32, generator=seeded())
    with pytest.raises(UnsupportedLayerError, match="whose kernels differ, so that no one kernel"):
        ntkit.ntk(network)(torch.cat([POINTS, POINTS], 1))


@pytest.mark.parametrize("bandwidth", [0.4, 3.0, 64.0, 5000.0])
def test_two_cells_of_the_finest_grid_hold_a_cycle(bandwidth: float) -> None:
    network = hash_mlp(1, 1, bandwidth=bandwidth, log2_table=8, width=8, generator=seeded())
    grid = network[0]
    finest = grid.base_resolution * grid.per_level_scale ** (grid.n_levels - 1) - 1
    assert network.bandwidth == bandwidth
    assert finest == pytest.approx(2 * bandwidth)
    assert 1 <= grid.n_levels <= 16
    assert grid.per_level_scale <= 1.5 + 1e-9 or grid.n_levels == 16


def test_errors(unchecked) -> None:
    with pytest.raises(ValueError, match="`skip=8` must be a layer before the last of `depth=8`"):
        nerf(NeRF(3, 4), skip=8)
    with pytest.raises(ValueError, match="`out_dim=1` leaves no colour beside the density"):
        nerf(NeRF(3, 4), 1, directions=NeRF(3, 2))
    for name in ("width", "depth"):
        for make in (nerf, residual):
            with pytest.raises(ValueError, match=f"`{name}=0` must be at least 1"):
                make(NeRF(3, 4), 4, **{name: 0})
