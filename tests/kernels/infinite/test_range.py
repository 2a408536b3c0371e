"""Points of any length: the value wherever it is a number, a refusal where it is none."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ntkit import networks, nngp, ntk
from ntkit._core.errors import NumericalError
from ntkit.networks import Linear

pytestmark = pytest.mark.filterwarnings("ignore:The variance of the units")

X = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X[3] = 1.5 * X[2] + 1e-7 * X[0]
SIZES = [10.0**e for e in (-150, -77, -20, 20, 77, 100, 150)]


def two_layers(bend: nn.Module, b_std: float = 1.0) -> nn.Module:
    return nn.Sequential(
        *(Linear(5, 8, b_std=b_std), bend, Linear(8, 8, b_std=b_std), deepcopy(bend), Linear(8, 1)),
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "bend",
    [
        *(nn.ReLU(), nn.GELU(), networks.Erf(), networks.Sine(), networks.Sine(phase=0.4)),
        *(networks.Sign(), networks.NormalisedExponential()),
    ],
    ids=repr,
)
def test_every_formula_at_every_length(bend: nn.Module, size: float) -> None:
    """Finite, symmetric, and no entry above what the diagonal allows."""
    kernel = ntk(two_layers(bend))
    found = kernel(size * X)
    assert bool(torch.isfinite(found).all())
    assert torch.equal(found, found.T)
    roots = found.diagonal().sqrt()
    assert bool((found.abs() <= roots[:, None] * roots * (1 + 1e-9)).all())
    assert torch.allclose(kernel(size * X, size * X.clone()), found, rtol=1e-9, atol=0)


BUMPS = [networks.Gaussian(), networks.Gabor(), networks.Gabor(5.0, 0.2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bend", BUMPS, ids=repr)
def test_bumps_at_every_length(bend: nn.Module, size: float) -> None:
    """The same, or a refusal where the slope is below the range; without a slope at any length."""
    if size > 1e60:
        with pytest.raises(
            NumericalError, match=r"below the range of float64.*Scale the points down"
        ):
            ntk(two_layers(bend))(size * X)
        found = nngp(two_layers(bend))(size * X)
        assert bool(torch.isfinite(found).all())
    else:
        test_every_formula_at_every_length(bend, size)


@pytest.mark.parametrize("size", [1e10, 1e20, 1e48])
@pytest.mark.parametrize("bend", BUMPS, ids=repr)
def test_bumps_of_long_inputs_are_integrals_over_lines(bend: nn.Module, size: float) -> None:
    """The density of long pairs is flat where the bump is, and bends by the inverse covariance."""
    net = nn.Sequential(Linear(5, 8, b_std=0.0), bend, Linear(8, 1, bias=False))
    points = size * X[:2]
    (a, c), (_, b) = ((points @ points.T) / 5).tolist()
    root = (
        a / size * b / size - (c / size) ** 2
    ) ** 0.5 * size  # of the determinant, over the size
    tangent = (c / size / root) ** 2  # of what the angle lacks to a right one
    x = torch.linspace(-30, 30, 60001, dtype=torch.float64)
    if isinstance(bend, networks.Gaussian):
        whole = float(bend(x).sum()) / 1000
        cov, share = whole**2 / (2 * torch.pi) / root / size, 1 + tangent
    else:
        whole = float((x * bend(x)).sum()) / 1000
        cov = whole**2 / (2 * torch.pi) / root / root / root * (c / size) / size / size
        share = 2 + 3 * tangent
    assert float(nngp(net)(points)[0, 1]) == pytest.approx(cov, rel=1e-6)
    assert float(ntk(net)(points)[0, 1]) == pytest.approx(cov * share, rel=1e-6)


@pytest.mark.parametrize("size", [1e20, 1e77, 1e100])
def test_steps_of_long_inputs_are_steps(size: float) -> None:
    """Off the diagonal theirs is the kernel of a jump: the slope's part goes with the angle alone."""
    net = nn.Sequential(Linear(5, 8, b_std=0.0), networks.Erf(), Linear(8, 1, bias=False))
    far, near = (ntk(net)(s * X[:3]) for s in (size, 1e10))
    assert float(far[0, 1]) == pytest.approx(float(near[0, 1]), rel=1e-9)
    assert float(far[0, 0] / size) == pytest.approx(float(near[0, 0] / 1e10), rel=1e-9)


@pytest.mark.parametrize("size", [1e20, 1e77, 1e100, 1e150])
def test_gelu_of_long_inputs_is_relu(size: float) -> None:
    smooth, bent = (ntk(two_layers(bend, b_std=0.0))(size * X) for bend in (nn.GELU(), nn.ReLU()))
    assert torch.allclose(smooth, bent, rtol=1e-9, atol=0)


@pytest.mark.parametrize("size", [1e40, 1e77, 1e100])
def test_bumps_of_long_inputs_fall_as_one_over_their_lengths(size: float) -> None:
    """`E[s s]` is one over the product of the lengths, off the diagonal: that at 1e20, scaled."""
    net = nn.Sequential(Linear(5, 8, b_std=0.0), networks.Gaussian(), Linear(8, 1, bias=False))
    far, near = (nngp(net)(s * X[:3])[0, 1] * s**2 for s in (size, 1e20))
    assert float(far) == pytest.approx(float(near), rel=1e-9)


@pytest.mark.parametrize(
    ("bend", "size"),
    [(networks.Polynomial([0.0, 0.0, 0.0, 1.0]), 1e60), (networks.Exponential(), 1e3)],
    ids=repr,
)
def test_values_past_the_range_are_refused(bend: nn.Module, size: float) -> None:
    kernel = ntk(nn.Sequential(Linear(5, 8), bend, Linear(8, 1)))
    with pytest.raises(NumericalError, match="beyond the range of torch"):
        kernel(size * X)
    with pytest.raises(NumericalError, match="beyond the range"):
        kernel.diag(size * X)


def test_values_past_the_range_of_float32_are_refused() -> None:
    with pytest.raises(NumericalError, match=r"torch.float32.*in float64"):
        ntk(two_layers(nn.ReLU()))(1e25 * X.float())
