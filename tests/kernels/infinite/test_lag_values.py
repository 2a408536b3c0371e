"""Tables of many lags, read off a polynomial of the angle, against the layers' own formulas."""

import pytest
import torch
from torch import nn

from ntkit import encodings, networks, nngp, ntk
from ntkit.networks import mlp
from tests.cases import layered, seeded
from tests.tolerances import relative_error

NETS = {
    "all near orthogonal": lambda: layered(encodings.Gaussian(2, 48, 20.0, seeded()), depth=3),
    "all close": lambda: layered(encodings.Gaussian(2, 24, 0.2, seeded()), depth=2),
    "every angle": lambda: mlp(encodings.Basic(2), 1, width=32, depth=4, generator=seeded()),
    "smooth": lambda: nn.Sequential(
        encodings.Positional(2, 4, 20.0), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1)
    ),
    "passes through zero: no polynomial": lambda: nn.Sequential(
        encodings.Basic(2), nn.Linear(4, 1, bias=False)
    ),
}
LAGS = [torch.linspace(-0.5, 0.5, 150).double(), torch.arange(-60, 61).double() / 97]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("kernel", [ntk, nngp])
def test_many_lags_are_the_same_as_few(kernel, name: str) -> None:
    """A row of lags is too few for a polynomial: the layers' own formulas."""
    k = kernel(NETS[name]())
    table = k.lag_table(LAGS)
    rows = torch.cat([k.lag_table([LAGS[0][i : i + 1], LAGS[1]]) for i in range(len(LAGS[0]))])
    assert relative_error(table, rows) < 2e-13


def test_no_lag_is_the_diagonal_for_amplitudes_that_float32_does_not_hold() -> None:
    """The squared norm of the features is no round number, and goes to the layers with all its digits."""
    kernel = ntk(layered(encodings.Blurred(encodings.NeRF(2, 4), 1e-3)))
    zero = torch.zeros(1, 2, dtype=torch.float64)
    assert relative_error(kernel.lag_table([zero[0, :1]] * 2).flatten(), kernel.diag(zero)) < 1e-14


def test_weights_trained_in_between_count() -> None:
    net = NETS["every angle"]()
    kernel = ntk(net)
    before = kernel.lag_table(LAGS)
    with torch.no_grad():
        net[1].weight.mul_(1.5)
    after = kernel.lag_table(LAGS)
    assert relative_error(after, ntk(net).lag_table(LAGS)) < 1e-14
    assert relative_error(after, before) > 0.01


def test_gradients_with_respect_to_scales_pass_through() -> None:
    """Where they are wanted, the layers' own formulas; values as without."""
    scale = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    layer = networks.Linear(4, 8)
    layer.w_std = scale
    net = nn.Sequential(encodings.Basic(2), layer, nn.ReLU(), networks.Linear(8, 1))
    table = ntk(net).lag_table(LAGS)
    (slope,) = torch.autograd.grad(table.sum(), scale)
    assert slope > 0
    with torch.no_grad():
        assert relative_error(ntk(net).lag_table(LAGS), table.detach()) < 2e-13
