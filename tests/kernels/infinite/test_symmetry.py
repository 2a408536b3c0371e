"""Gram matrices within are symmetric to the last bit, by whatever route."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkit import encodings, networks, ntk
from ntkit.networks import Conv1d, Linear


def dense(bend: nn.Module, b_std: float = 0.3) -> nn.Module:
    return nn.Sequential(Linear(6, 8, b_std=b_std), bend, Linear(8, 8), nn.ReLU(), Linear(8, 1))


def convolved(bend: nn.Module) -> nn.Module:
    return nn.Sequential(Conv1d(1, 4, 3, padding=1), bend, nn.Flatten(), Linear(24, 1))


def points(n: int) -> Tensor:
    x = torch.randn(n, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[1::2] *= 3  # lengths of two kinds
    x[n // 2] = x[0] + 1e-7 * x[1]
    return x


ROUTES = {
    "layer by layer": (dense(networks.Erf()), points(20), {}),
    "layer by layer, in tiles": (dense(networks.Erf()), points(20), {"memory": 20_000}),
    "quadrature": (dense(nn.Tanh()), points(12), {}),
    "quadrature, bent": (dense(nn.Hardtanh()), points(6), {}),
    "by cosine": (dense(nn.ReLU()), points(100), {}),
    "by angle": (dense(nn.ReLU()), torch.nn.functional.normalize(points(200), dim=1), {}),
    "by angle, homogeneous": (dense(nn.ReLU(), 0.0), points(200), {}),
    "encoded": (
        nn.Sequential(encodings.Basic(6), Linear(12, 8), nn.ReLU(), Linear(8, 1)),
        points(30),
        {},
    ),
    "windows, loops": (convolved(nn.ReLU()), points(20)[:, None], {}),
    "windows, in tiles": (convolved(networks.Erf()), points(20)[:, None], {"memory": 300_000}),
    "in single precision": (dense(nn.GELU()), points(70).float(), {}),
}


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_is_symmetric(route: str) -> None:
    net, x, options = ROUTES[route]
    found = ntk(net)(x, **options)
    assert torch.equal(found, found.T)


@pytest.mark.parametrize("route", ["layer by layer", "by cosine", "windows, loops"])
def test_arrays_are_symmetric(route: str) -> None:
    net, x, _ = ROUTES[route]
    found = np.empty((len(x), len(x)))
    ntk(net)(x, out=found)
    assert (found == found.T).all()


@pytest.mark.parametrize("route", ["layer by layer", "quadrature", "windows, loops"])
def test_matrices_with_gradients_are_symmetric(route: str) -> None:
    net, x, _ = ROUTES[route]
    found = ntk(net)(x.clone().requires_grad_()).detach()
    assert torch.equal(found, found.T)
    assert torch.allclose(found, ntk(net)(x), rtol=1e-9)
