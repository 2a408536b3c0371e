"""What modules are read, and what is refused with advice."""

import re

import pytest
import torch
from torch import nn

from ntkit import encodings, nngp, ntk
from ntkit._core.errors import UnsupportedLayerError
from ntkit.networks import Linear, mlp, symmetrise
from tests.cases import layered, randn
from tests.tolerances import assert_near


def test_nested_chains_are_flattened() -> None:
    a, b, c = Linear(2, 8), nn.ReLU(), Linear(8, 1)
    x = randn(4, 2)
    nested = nn.Sequential(nn.Sequential(a), nn.Sequential(b, nn.Sequential(c)))
    assert torch.equal(ntk(nested)(x), ntk(nn.Sequential(a, b, c))(x))


def test_any_module_without_parameters_is_a_feature_map() -> None:
    """An encoding in front is the same as its features as inputs."""
    x, encoding = randn(4, 2), encodings.Gaussian(2, 8, 1.0)
    layers = [Linear(16, 8), nn.ReLU(), Linear(8, 1)]
    assert_near(ntk(nn.Sequential(encoding, *layers))(x), ntk(nn.Sequential(*layers))(encoding(x)))
    assert not ntk(nn.Sequential(nn.Identity(), encoding, *layers)).is_stationary


def test_symmetrised_networks_have_the_kernel_of_their_half_and_no_variance() -> None:
    net, x = layered(encodings.Basic(2)), randn(4, 2)
    assert torch.equal(ntk(symmetrise(net))(x), ntk(net)(x))
    assert torch.equal(nngp(symmetrise(net))(x), torch.zeros(4, 4).double())


def test_period_and_stationarity_are_those_of_the_encoding() -> None:
    assert ntk(layered(encodings.Basic(2))).has_unit_period
    assert not ntk(layered(encodings.NeRF(2, 3))).has_unit_period  # half a cycle per unit
    assert not ntk(layered(encodings.NeRF(2, 3, include_input=True))).is_stationary
    whole = encodings.Gaussian(2, 8, 5.0, integer=True)
    assert ntk(layered(whole)).has_unit_period


def test_the_measured_variance_is_the_modules_own() -> None:
    net = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    x = randn(3, 2)
    before = ntk(net)(x)
    with torch.no_grad():
        net[0].weight.mul_(3.0)
    assert float((ntk(net)(x) - before).norm() / before.norm()) > 0.1
    assert_near(ntk(net, variances="default")(x), ntk(net, variances="default")(x))


class Renamed(nn.Linear):
    """A subclass, whose kernel nobody has stated."""


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: ntk("net"), TypeError, "`module` must be a torch.nn.Module, got str"),
        (lambda: ntk(nn.ReLU()), ValueError, "no layer with parameters, so no tangent kernel"),
        (lambda: ntk(nn.Sequential()), ValueError, "no layer with parameters"),
        (
            lambda: ntk(nn.Sequential(nn.Conv2d(2, 4, 3), nn.PixelShuffle(2))),
            UnsupportedLayerError,
            r"At `1`: No infinite-width rule for .*PixelShuffle`. Register one for this exact type, "
            r"or use one of: .*Linear",
        ),
        (
            lambda: ntk(nn.Sequential(Renamed(2, 4))),
            UnsupportedLayerError,
            "It is a subclass of Linear, whose infinite-width rule need not hold",
        ),
        (
            lambda: ntk(nn.Sequential(*[nn.Linear(2, 2)] * 2)),
            ValueError,
            "`1.weight` and `0.weight` are one parameter",
        ),
    ],
)
def test_modules_that_are_refused(unchecked, make, error, match: str) -> None:
    with pytest.raises(error, match=match):
        make()


@pytest.mark.parametrize(
    ("points", "error", "match"),
    [
        (torch.zeros(3, 2, dtype=torch.int64), TypeError, r"`x1` must be float32 or float64"),
        ([[0.0, 1.0]], TypeError, "`x1` must be a torch.Tensor, got list"),
        (torch.zeros(3), ValueError, r"`x1` must be .* at least 2 axes, got shape \(3,\)"),
        (torch.tensor([[0.0, torch.nan]]), ValueError, r"1 NaN or infinite .* index \(0, 1\)"),
        (
            torch.zeros(3, 5),
            ValueError,
            r"does not take `x1`, points of shape \(5,\): at `0` .*2x5 and 2x4.* Check the points' features",
        ),
    ],
)
def test_points_that_are_refused(unchecked, points, error, match: str) -> None:
    with pytest.raises(error, match=match):
        ntk(nn.Sequential(Linear(2, 4), nn.ReLU(), Linear(4, 1)))(points)


class NoRule(nn.Module):
    """Takes a soft maximum over positions in its own forward."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv1d(2, 4, 3)
        self.outer = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        y = torch.logsumexp(y, 2)  # no rule
        return self.outer(y)


def test_the_error_names_the_call_and_its_line_in_the_users_forward() -> None:
    with pytest.raises(UnsupportedLayerError) as error:
        ntk(NoRule())(randn(2, 2, 5))
    assert re.search(
        r'At `logsumexp` \(File ".*test_module.py", line \d+: `y = torch.logsumexp\(y, 2\)  # no rule`\): '
        r"no rule for `logsumexp`.* Write it with the modules and functions that",
        str(error.value),
    )
    net = NoRule()
    net.inner = nn.MaxPool1d(2)
    place = r"At `1.inner` \(File \".*test_module.py\", line \d+: `y = self.inner\(x\)`\): .*max pooling"
    with pytest.raises(UnsupportedLayerError, match=place):
        ntk(nn.Sequential(nn.Conv1d(1, 2, 1), net))


def test_unknown_variances(unchecked) -> None:
    with pytest.raises(ValueError, match='`variances=\'guess\'` must be "measured" or "default"'):
        nngp(mlp(encodings.Basic(2), 1, width=4), variances="guess")


def test_repr() -> None:
    assert repr(ntk(layered(encodings.Basic(1)))) == "<ntk of 5 layers, measured variances>"


def test_a_kernel_that_is_kept_follows_the_mode_of_its_module() -> None:
    """Statistics of the batch are refused, as by a new kernel, and running ones are read again after."""
    net = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 1)).eval()
    x = randn(3, 16)
    kernel = ntk(net)
    before = kernel(x)
    net.train()
    with pytest.raises(Exception, match=r"(?i)training|batch|mixes"):
        kernel(x)
    net.eval()
    assert torch.equal(kernel(x), before)
