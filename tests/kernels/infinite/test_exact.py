"""Kernels against formulas written out in 50 digits."""

from math import cos, pi, sin

import mpmath
import pytest
import torch
from torch import nn

from ntkit import nngp, ntk
from ntkit.kernels.infinite.activations import duals
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.networks import Linear
from tests import oracles
from tests.cases import randn
from tests.tolerances import TOLERANCE, assert_near

ANGLES = [1e-8, 1e-6, 1e-4, 1e-2, 0.1, 1.0, pi / 2, 3.0]
TIGHT = TOLERANCE[torch.float64]
# The angle of two vectors of unequal length, or of nearly opposite ones, comes from a difference
# of squares, which keeps its absolute accuracy (1e-16) but only half of its relative one.
HALF_OF_THE_DIGITS = 1e-7


def relative(actual: float, expected: mpmath.mpf) -> float:
    return abs(float((mpmath.mpf(actual) - expected) / expected))


def pair_at(norm1: float, norm2: float, angle: float) -> Pair:
    """Two units of these lengths at this angle, to the last digit."""
    with mpmath.workdps(50):
        a, b, half = mpmath.mpf(norm1), mpmath.mpf(norm2), mpmath.mpf(angle) / 2
        apart, together = 4 * a * b * mpmath.sin(half) ** 2, 4 * a * b * mpmath.cos(half) ** 2
        numbers = (a * b * mpmath.cos(angle), apart, together, a * a, b * b)
        return Pair(*[torch.tensor(float(v), dtype=torch.float64) for v in numbers])


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("ratio", [1.0, 2.0, 1e3])
@pytest.mark.parametrize("angle", [*ANGLES, pi - 1e-4, pi - 1e-8])
def test_relu_duals(angle: float, ratio: float, scale: float) -> None:
    """Covariance, derivative and squared distance, each to relative accuracy."""
    relu, pair = duals[nn.ReLU()](nn.ReLU()), pair_at(scale, ratio * scale, angle)
    dual = relu.dual(pair)
    after = Pair(
        dual.cov, dual.apart, dual.together, relu.variance(pair.var1), relu.variance(pair.var2)
    )
    expected = oracles.relu_duals(scale, ratio * scale, angle)
    for k, (actual, exact) in enumerate(
        zip((dual.cov, dual.slope, after.gap), expected, strict=True)
    ):
        # An angle of pi less a little is itself rounded: its distance to pi has that many digits.
        loosen = 1 if angle <= 3 or k == 2 else 1e-16 / (pi - angle) / TIGHT * 10
        assert relative(float(actual), exact) < TIGHT * max(loosen, 1)


@pytest.mark.parametrize("length", [1.0, 3.0])
@pytest.mark.parametrize("bias", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("angle", [*ANGLES, pi - 1e-4])
def test_three_layers_against_fifty_digits(angle: float, bias: float, length: float) -> None:
    layers = [(2**0.5, bias), (1.3, bias), (1.0, bias)]
    first, second, third = [Linear(2, 2, w_std=w, b_std=b) for w, b in layers]
    net = nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), third)
    x1, x2 = [cos(0.3), sin(0.3)], [length * cos(0.3 + angle), length * sin(0.3 + angle)]
    actual = ntk(net)(torch.tensor([x1, x2], dtype=torch.float64))[0, 1]
    bound = TIGHT if bias or (length == 1 and angle <= 3) else HALF_OF_THE_DIGITS
    assert relative(float(actual), oracles.dense_ntk(x1, x2, layers)) < bound


def test_one_hidden_layer_is_the_sum_of_both_arc_cosine_kernels() -> None:
    """`K_a + K_b` of the design, section 5, with inputs scaled by `1/sqrt(d)` as in `Linear`."""
    net = nn.Sequential(Linear(3, 4, bias=False), nn.ReLU(), Linear(4, 1, bias=False))
    x = randn(7, 3)
    z = x / 3**0.5
    norms = z.norm(dim=1)[:, None] * z.norm(dim=1)
    cosine = (z @ z.T / norms).clamp(-1, 1)
    angle = cosine.arccos().fill_diagonal_(0)
    first = z @ z.T * (pi - angle) / (2 * pi)
    second = norms * (angle.sin() + (pi - angle) * cosine) / (2 * pi)
    assert_near(ntk(net)(x), first + second, loosen=10)
    assert_near(nngp(net)(x), second, loosen=10)


def test_one_linear_layer_is_linear_regression() -> None:
    x = randn(5, 3)
    assert_near(ntk(Linear(3, 1, bias=False))(x), x @ x.T / 3)
    assert_near(ntk(nn.Linear(3, 1))(x), x @ x.T + 1)
    assert_near(ntk(nn.Linear(3, 1, bias=False))(x), x @ x.T)


def test_the_first_layers_kernel_has_no_width() -> None:
    """Two networks that differ in their widths alone have one limit."""
    narrow = nn.Sequential(Linear(2, 4), nn.ReLU(), Linear(4, 1))
    wide = nn.Sequential(Linear(2, 400), nn.ReLU(), Linear(400, 1))
    x = randn(6, 2)
    assert torch.equal(ntk(narrow)(x), ntk(wide)(x))


def test_default_variances_are_what_reset_parameters_draws() -> None:
    """Of mean square `1 / (3 fan_in)`: the kernel is the formula's, and drawn entries are within five standard errors."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = nn.Linear(64, 2048)
    for parameter in layer.parameters():
        error = 5 * (0.8 / parameter.numel()) ** 0.5  # of a mean of squares of uniform numbers
        assert float(3 * 64 * parameter.detach().square().mean()) == pytest.approx(1, abs=error)
    net, x = nn.Sequential(layer, nn.ReLU(), nn.Linear(2048, 1, bias=False)), randn(4, 64)
    before = (x @ x.T + 1) / (3 * 64)
    size = before.diagonal()[:, None].mul(before.diagonal()).sqrt()
    angle = (before / size).clamp(-1, 1).acos()
    after = size / (2 * pi) * (angle.sin() + (pi - angle) * angle.cos())  # of the rectified
    assert_near(nngp(net, variances="default")(x), after / 3, loosen=100)
