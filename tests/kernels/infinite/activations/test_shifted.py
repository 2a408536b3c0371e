"""Nonlinearities of Gaussian units around known means: laws, and integrals over one unit after the other."""

from math import pi

import pytest
import torch
from torch import Tensor, nn

from ntkit._core.errors import NumericalError, UnsupportedLayerError
from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations import AbstractActivation, duals
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.pair import Pair
from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted, ShiftedPairs
from ntkit.kernels.infinite.activations.shifted.choice import shifted
from ntkit.networks import Abs, Elementwise, Erf, Polynomial, RectifiedMonomial, Sign, Sine
from tests.tolerances import assert_near

LAYERS: dict[str, nn.Module] = {
    "ReLU": nn.ReLU(),
    "LeakyReLU": nn.LeakyReLU(0.2),
    "Abs": Abs(),
    "Hardtanh": nn.Hardtanh(-0.4, 1.3),
    "Softshrink": nn.Softshrink(0.3),
    "Sine": Sine(2.0),
    "Erf": Erf(),
    "GELU": nn.GELU(),
    "Softplus": nn.Softplus(),
    "Polynomial": Polynomial((0.5, 1.0, -2.0, 0.3)),
}

VAR1 = torch.tensor([1.0, 1.0, 0.5, 2.0, 1.0, 1.0, 1.3]).double()
VAR2 = torch.tensor([1.0, 2.0, 3.0, 0.7, 1.0, 1.0, 1.3]).double()
COSINE = torch.tensor([0.3, -0.6, 0.8, 0.0, 0.99, -0.999, 0.9999]).double()
ONE = torch.tensor([0.0, 1.0, -2.0, 0.7, 0.0, 0.3, -0.5]).double()
TWO = torch.tensor([0.0, -0.5, 0.3, 2.5, 0.4, -0.3, -0.4]).double()


def of(name: str) -> tuple[AbstractActivation, AbstractShifted]:
    layer = LAYERS[name]
    activation = duals[layer](layer)
    how = shifted(activation)
    assert how is not None
    return activation, how


def paired(one: Tensor, two: Tensor) -> ShiftedPairs:
    """One pair at each of several positions, `[1, 1, p]`."""
    norms = (VAR1 * VAR2).sqrt()
    tables = norms * COSINE, 2 * norms * (1 - COSINE), 2 * norms * (1 + COSINE), VAR1, VAR2
    return ShiftedPairs(Pair(*(t[None, None] for t in tables)), one[None], two[None], "each")


def nodes(activation: AbstractActivation, mean: float, sd: float) -> tuple[Tensor, Tensor]:
    """Of the normal law, in panels that end at the kinks."""
    ends = torch.linspace(-9, 9, 361).double()
    kinks = (torch.tensor(activation.kinks, dtype=torch.float64) - mean) / sd
    ends = torch.cat([ends, kinks.clamp(-9, 9)]).sort().values
    x, w = legendre(16)
    half = (ends[1:, None] - ends[:-1, None]) / 2
    z = (ends[1:, None] + ends[:-1, None]) / 2 + half * x
    return z.flatten(), (half * w * torch.exp(-(z**2) / 2)).flatten() / (2 * pi) ** 0.5


@pytest.mark.parametrize("name", LAYERS)
def test_moments_are_integrals_over_one_unit_after_the_other(name: str) -> None:
    """`E[s(X) s(Y)] = E[s(X) E[s(Y) | X]]`, and `E[s'(Y) | X]` is the derivative by the mean."""
    activation, how = of(name)
    found = how.moments(paired(ONE[:, None], TWO[:, None]))
    for k, (m1, m2) in enumerate(zip(ONE.tolist(), TWO.tolist(), strict=True)):
        sd1, sd2, cosine = float(VAR1[k]) ** 0.5, float(VAR2[k]) ** 0.5, float(COSINE[k])
        z, w = nodes(activation, m1, sd1)
        around = (m2 + sd2 * cosine * z)[:, None, None].requires_grad_()
        rest = torch.full((len(z), 1), sd2 * (1 - cosine**2) ** 0.5, dtype=torch.float64)
        after = how.mean(rest, around)
        (steep,) = torch.autograd.grad(after.sum(), around)
        x = m1 + sd1 * z
        cov = (w * activation.value(x) * after.detach().flatten()).sum()
        slope = (w * derivative(activation.value, x) * steep.flatten()).sum()
        assert float((found[0][0, 0, k] - cov).abs()) < 1e-9 * max(1.0, float(cov.abs()))
        assert float((found[1][0, 0, k] - slope).abs()) < 1e-9 * max(1.0, float(slope.abs()))


@pytest.mark.parametrize("name", LAYERS)
def test_means_and_squares_are_integrals_over_the_line(name: str) -> None:
    activation, how = of(name)
    mean, square = (
        how.mean(VAR1.sqrt()[None], ONE[None, :, None]),
        how.square(VAR1.sqrt()[None], ONE[None, :, None]),
    )
    for k, m in enumerate(ONE.tolist()):
        sd = float(VAR1[k]) ** 0.5
        z, w = nodes(activation, m, sd)
        value = activation.value(m + sd * z)
        assert float((mean[0, k, 0] - w @ value).abs()) < 1e-10
        assert float((square[0, k] - w @ value**2).abs()) < 1e-9


@pytest.mark.parametrize("name", LAYERS)
def test_without_means_it_is_the_dual(name: str) -> None:
    activation, how = of(name)
    pairs = paired(0 * ONE[:, None], 0 * TWO[:, None])
    cov, slope = how.moments(pairs)
    dual = activation.dual(pairs.pair)
    assert dual.slope is not None
    assert_near(cov, dual.cov, loosen=100)
    assert_near(slope, dual.slope, loosen=100)


@pytest.mark.parametrize("name", LAYERS)
def test_channels_are_averaged(name: str) -> None:
    how = of(name)[1]
    alone = [how.moments(paired(*(m[:, None] for m in side))) for side in ((ONE, TWO), (TWO, ONE))]
    both = how.moments(paired(torch.stack([ONE, TWO], 1), torch.stack([TWO, ONE], 1)))
    for found, *parts in zip(both, *alone, strict=True):
        assert_near(found, (parts[0] + parts[1]) / 2, loosen=100)


@pytest.mark.parametrize("name", ["ReLU", "Hardtanh", "Sine", "GELU"])
def test_units_without_variance_are_their_means(name: str) -> None:
    activation, how = of(name)
    zero = torch.zeros(1, 1, 1).double()
    pairs = ShiftedPairs(Pair(zero, zero, zero, zero, zero), zero + 0.7, zero - 0.2, "each")
    value = activation.value(torch.tensor([0.7, -0.2], dtype=torch.float64))
    assert_near(how.moments(pairs)[0].flatten(), value.prod()[None], loosen=100)


@pytest.mark.parametrize(
    "layer",
    [nn.ELU(), nn.Hardswish(), nn.Softsign(), nn.Hardshrink(), Sign(), RectifiedMonomial(2)],
)
def test_what_bends_otherwise_has_no_formula(layer: nn.Module) -> None:
    assert shifted(duals[layer](layer)) is None


def test_gradients_of_ramps_are_refused() -> None:
    how, pairs = of("ReLU")[1], paired(ONE[:, None].clone().requires_grad_(), TWO[:, None])
    with pytest.raises(
        UnsupportedLayerError, match=r"only values have a formula\. Take differences"
    ):
        how.moments(pairs)


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (torch.abs, "do not settle as the nodes double.*name them"),
        (lambda x: torch.sin(40 * x), "512 Hermite degrees do not hold it"),
    ],
)
def test_series_that_do_not_settle(function, match: str) -> None:
    layer = Elementwise(function)
    how = shifted(duals[layer](layer))
    assert how is not None
    with pytest.raises(NumericalError, match=match):
        how.moments(paired(ONE[:, None], TWO[:, None]))
