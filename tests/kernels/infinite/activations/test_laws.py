"""What holds of every activation, and gradients through whole kernels."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from ntkit import networks, nngp, ntk
from ntkit.kernels.infinite.activations import AbstractActivation, duals
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.networks import Linear
from tests.cases import randn
from tests.kernels.infinite.activations.table import CLOSED, NUMERICAL, dual_of

EVERY = {
    **{name: row.module for name, row in CLOSED.items()},
    **{name: module for name, (module, _) in NUMERICAL.items()},
}
ODD = {"linear", "erf", "sin", "sin30", "gabor", "gabor_long", "sign", "hermite3", "tanh"}
ODD |= {"softsign", "tanhshrink", "softshrink", "hardshrink"}
EVEN = {"abs", "cos", "gaussian", "gaussian_wide", "square", "hermite4", "elementwise"}
JUMPS = {"sign", "step", "hardshrink", "threshold"}
DIFFERENTIATED = EVERY.keys() - JUMPS - {"normalised_exp"}
"""Price's theorem is of functions of one unit, and sees the slope of a jump too."""


def pairs(angles: Tensor, norm1: float = 0.7, norm2: float = 1.1) -> Pair:
    """Vectors of the plane with a gradient-carrying covariance."""
    product = torch.full_like(angles, norm1 * norm2)
    var1, var2 = torch.full_like(angles, norm1**2), torch.full_like(angles, norm2**2)
    apart, together = 4 * product * (angles / 2).sin() ** 2, 4 * product * (angles / 2).cos() ** 2
    return Pair(product * angles.cos(), apart, together, var1, var2)


ANGLES = torch.tensor([0.0, 1e-9, 1e-5, 0.01, 0.3, 1.0, 1.5, 2.0, 2.9, 3.1, torch.pi]).double()


def test_every_registered_type_is_looked_at() -> None:
    assert {type(module) for module in EVERY.values()} >= set(duals) - {nn.ReLU}


@pytest.mark.parametrize("name", EVERY)
def test_cauchy_schwarz_symmetry_and_equal_points(name: str) -> None:
    activation, pair = dual_of(EVERY[name]), pairs(ANGLES)
    dual = activation.dual(pair)
    lengths = (activation.variance(pair.var1) * activation.variance(pair.var2)).sqrt()
    assert bool((dual.cov.abs() <= lengths * (1 + 1e-12)).all())
    mirrored = activation.dual(Pair(pair.cov, pair.apart, pair.together, pair.var2, pair.var1))
    assert torch.allclose(dual.cov, mirrored.cov, rtol=1e-12, atol=1e-14)
    assert torch.allclose(dual.slope, mirrored.slope, rtol=1e-11, atol=1e-13)
    same = pairs(torch.zeros(1, dtype=torch.float64), 0.9, 0.9)
    equal = activation.dual(same)
    assert torch.allclose(equal.cov, activation.variance(same.var1), rtol=1e-12, atol=0)
    assert equal.apart is None or float(equal.apart) <= 1e-15 * float(equal.cov)


@pytest.mark.parametrize("name", sorted(ODD | EVEN))
def test_opposite_inputs_of_odd_and_even_functions(name: str) -> None:
    activation, pair = dual_of(EVERY[name]), pairs(ANGLES)
    sign = -1 if name in ODD else 1
    dual, other = activation.dual(pair), activation.dual(pair.flipped())
    scale = (activation.variance(pair.var1) * activation.variance(pair.var2)).sqrt()
    assert ((dual.cov - sign * other.cov).abs() / scale).max() < 1e-12
    assert (dual.slope + sign * other.slope).abs().max() < 1e-11 * dual.slope.abs().max() + 1e-300
    assert activation.is_odd == (name in ODD)


@pytest.mark.parametrize("name", sorted(DIFFERENTIATED))
def test_price(name: str) -> None:
    """`d E[s s] / d cov = E[s' s']`: autograd along the angle, whose covariance it turns."""
    activation = dual_of(EVERY[name])
    angles = torch.tensor([0.1, 0.7, 1.4, 2.2, 3.0], dtype=torch.float64, requires_grad=True)
    pair = pairs(angles)
    dual = activation.dual(pair)
    (by_angle,) = torch.autograd.grad(dual.cov.sum(), angles, retain_graph=True)
    (turned,) = torch.autograd.grad(pair.cov.sum(), angles)
    scale = dual.slope.detach().abs().max()
    assert ((by_angle / turned - dual.slope.detach()).abs() / scale).max() < 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_zero_vectors(name: str) -> None:
    """Finite, and zero wherever the function is zero at zero."""
    activation: AbstractActivation = dual_of(EVERY[name])
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    for var1, var2 in ((zero, zero), (zero, one), (one, zero)):
        dual = activation.dual(Pair(zero, zero, zero, var1, var2))
        for table in (dual.cov, dual.slope, dual.apart, dual.together):
            assert table is None or bool(torch.isfinite(table).all())
    module = deepcopy(EVERY[name]).double()  # in float32 its value is off by 1e-8 already
    at_zero = float(module(torch.zeros(1, 1, dtype=torch.float64)).detach())
    assert abs(float(activation.dual(Pair(zero, zero, zero, zero, zero)).cov) - at_zero**2) < 1e-12


def layered(module: nn.Module, b: float) -> nn.Sequential:
    """Three hidden layers; copies, as a slope that layers share (PReLU) is refused."""
    first, second, third = module, deepcopy(module), deepcopy(module)
    return nn.Sequential(
        *(Linear(2, 8, w_std=1.2, b_std=b), first, Linear(8, 8, w_std=1.2, b_std=b), second),
        *(Linear(8, 8, w_std=1.2, b_std=b), third, Linear(8, 1)),
    )


@pytest.mark.filterwarnings("ignore:The variance of the units grows")  # monomial3: as it must
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "bias"),
    [(name, 0.0) for name in sorted(EVERY.keys() - {"exp", "square", "cubic", "elementwise"})]
    + [(name, 0.3) for name in ("relu", "gelu", "sin", "tanh", "elu", "hardsigmoid")],
)
def test_gradients_are_finite_at_degenerate_points(name: str, bias: float) -> None:
    """Equal, parallel, opposite, nearly equal and zero inputs, three layers deep."""
    x = [[1.0, 0.5], [1.0, 0.5], [2.0, 1.0], [-1.0, -0.5], [1.0, 0.5 + 1e-9], [0.0, 0.0]]
    points = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    fixed = deepcopy(EVERY[name]).requires_grad_(False)  # a trained slope has no limit
    kernel = ntk(layered(fixed, bias))(points)
    assert bool(torch.isfinite(kernel).all())
    (slope,) = torch.autograd.grad(kernel.sum(), points)
    assert bool(torch.isfinite(slope).all())


@pytest.mark.parametrize(
    "name", ["relu", "erf", "gelu", "sin", "gaussian", "tanh", "elu", "sin_phase"]
)
def test_gradients_are_difference_quotients(name: str) -> None:
    x = randn(3, 2)
    kernel = ntk(layered(EVERY[name], 0.3))
    points = x.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(kernel(points)[0, 1], points)
    step = 1e-5 * randn(3, 2, seed=1)
    quotient = (kernel(x + step)[0, 1] - kernel(x - step)[0, 1]) / 2
    assert abs(float((slope * step).sum() - quotient)) < 1e-7 * float(step.norm() * slope.norm())


@pytest.mark.parametrize("name", ["relu", "gelu", "sin", "tanh", "elu", "hardtanh", "monomial2"])
def test_equal_points_in_different_rows(name: str) -> None:
    """`k(x, x)` is the same whether the pair is known to be one point, or met as two."""
    x = randn(4, 2)
    kernel = ntk(layered(EVERY[name], 0.3))
    assert torch.allclose(kernel(x, x.clone()).diagonal(), kernel.diag(x), rtol=1e-11, atol=0)


def deep(module: nn.Module, layers: int) -> nn.Sequential:
    hidden = [
        part for _ in range(layers) for part in (Linear(6, 6, w_std=2**0.5, bias=False), module)
    ]
    return nn.Sequential(*hidden, Linear(6, 1, bias=False))


def test_sign_before_pooling_is_the_mean_over_all_pairs_of_pixels() -> None:
    """`E[mean s mean s] = mean over p, q of (2 / pi) asin(cos t_pq)`: the exact form, by hand."""
    x = randn(3, 2, 4, 4)
    net = nn.Sequential(
        networks.Conv2d(2, 8, 1, bias=False),
        networks.Sign(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        Linear(8, 1, bias=False),
    )
    pixels = torch.nn.functional.normalize(x.flatten(2).transpose(1, 2), dim=-1)
    cosine = torch.einsum("ipc,jqc->ijpq", pixels, pixels).clamp(-1, 1)
    exact = (2 / torch.pi * cosine.asin()).mean((2, 3))
    assert torch.allclose(nngp(net)(x), exact, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_rectified_monomials_are_finite_on_the_diagonal(degree: int) -> None:
    x = torch.cat([randn(3, 6), torch.zeros(1, 6, dtype=torch.float64)])
    net = nn.Sequential(Linear(6, 6), networks.RectifiedMonomial(degree), Linear(6, 1))
    for make in (ntk, nngp):
        kernel = make(net)(x)
        assert bool(torch.isfinite(kernel).all())
        assert torch.allclose(kernel.diagonal(), make(net).diag(x), rtol=1e-12, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "erf", "gelu", "sin", "tanh", "elu"])
def test_near_duplicates_in_float32_thirty_layers_deep(name: str) -> None:
    """1e-4 apart: float32 in gives what float64 of the same points gives, and stays definite."""
    x = randn(12, 6).float()
    x[6:] = x[:6] + 1e-4 * randn(6, 6, seed=1).float()
    kernel = ntk(deep(EVERY[name], 30))
    single, double = kernel(x), kernel(x.double())
    assert single.dtype == torch.float32
    assert ((single.double() - double).abs() / double.abs()).max() < 2e-6
    smallest = torch.linalg.eigvalsh(double)
    assert float(smallest[0]) > -1e-12 * float(smallest[-1])
    smallest = torch.linalg.eigvalsh(single.double())
    assert float(smallest[0]) > -1e-6 * float(smallest[-1])


@pytest.mark.parametrize("name", ["erf", "gelu", "tanh", "elu"])
def test_near_duplicates_thirty_layers_deep_against_their_limit(name: str) -> None:
    """`(k(x, x) + k(y, y) - 2 k(x, y)) / gap^2` settles as the gap halves: no digit of it is noise."""
    activation, quotients = dual_of(EVERY[name]), []
    for gap in (2e-5, 1e-5):
        pair = pairs(torch.tensor([gap], dtype=torch.float64), 1.0, 1.0)
        for _ in range(30):
            dual = activation.dual(pair)
            var = activation.variance(pair.var1)
            together = 4 * var - dual.apart if dual.together is None else dual.together
            pair = Pair(dual.cov + 0.1, dual.apart, together + 0.4, var + 0.1, var + 0.1)
        quotients.append(float(pair.apart) / gap**2)
    assert abs(quotients[0] / quotients[1] - 1) < 1e-5
