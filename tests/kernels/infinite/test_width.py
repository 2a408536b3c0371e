"""The infinite-width kernel is the limit of the finite ones, at the rate `width^-1/2`.

For every layer type with a rule: the kernel of a network's own Jacobian, by `torch.func`, against
`ntkit.ntk` of the very same object, in the mean over seeded initialisations.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ntkit import encodings, nngp, ntk
from ntkit.networks import Linear, mlp
from tests import oracles
from tests.cases import randn, seeded
from tests.rates import fitted_exponent

WIDTHS = [64, 128, 256, 512, 1024]
SEEDS = range(8)


def ntk_parametrised(width: int, seed: int) -> nn.Sequential:
    return mlp(
        encodings.Basic(2), 1, width=width, depth=2, parametrisation="ntk", generator=seeded(seed)
    )


def standard(width: int, seed: int) -> nn.Sequential:
    """Plain layers. The read-out has no bias, which would add exactly 1 to both kernels: a third
    of the whole at width 64, it would hide how far the rest is from its limit.
    """
    net = mlp(encodings.Basic(2), 1, width=width, depth=2, generator=seeded(seed))
    net[-1].bias = None
    return net


def mixed(width: int, seed: int) -> nn.Sequential:
    g = seeded(seed)
    return nn.Sequential(
        Linear(2, width, generator=g),
        nn.ReLU(),
        Linear(width, width, bias=False, w_std=1.5, generator=g),
        nn.ReLU(),
        Linear(width, 1, b_std=0.0, generator=g),
    )


def relative_errors(make: Callable[[int, int], nn.Module], width: int, x: Tensor) -> list[float]:
    errors = []
    for seed in SEEDS:
        net = make(width, seed).double()
        limit = ntk(net)(x)
        errors.append(float((oracles.jacobian_kernel(net, x) - limit).norm() / limit.norm()))
    return errors


@pytest.mark.slow
@pytest.mark.parametrize("make", [ntk_parametrised, standard, mixed])
def test_empirical_kernels_converge_as_one_over_root_width(make) -> None:
    x = randn(5, 2)
    errors = [torch.tensor(relative_errors(make, width, x)).mean().item() for width in WIDTHS]
    assert -0.65 < fitted_exponent(WIDTHS, errors) < -0.35
    assert errors[-1] < 0.1


@pytest.mark.slow
def test_covariance_of_outputs_converges_to_nngp() -> None:
    """Over draws of the network, at the Monte Carlo rate `draws^-1/2`."""
    x = randn(4, 2)
    limit = nngp(ntk_parametrised(256, 0))(x)
    with torch.no_grad():
        outputs = [ntk_parametrised(256, 100 + s)(x.float())[:, 0].double() for s in range(600)]
    samples = torch.stack(outputs)
    covariance = samples.T @ samples / len(samples)
    assert float((covariance - limit).norm() / limit.norm()) < 4 * (2 / len(samples)) ** 0.5
