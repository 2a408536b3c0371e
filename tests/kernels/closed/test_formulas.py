"""Each closed form against an independent formula."""

from math import cos, exp, inf, pi, prod, sin

import mpmath
import pytest
import torch

from ntkit import Grid, encodings, gram, kernels
from tests.cases import randn, seeded
from tests.oracles import arc_cosine, matern
from tests.rates import fitted_exponent
from tests.tolerances import assert_near

X, Y = randn(4, 2), randn(3, 2, seed=1)


def table(value) -> torch.Tensor:
    """`value(x, y)` at each pair of points, as lists of floats."""
    rows = [[float(value(x, y)) for y in Y.tolist()] for x in X.tolist()]
    return torch.tensor(rows, dtype=torch.float64)


def distance(x: list[float], y: list[float], scale: list[float]) -> mpmath.mpf:
    with mpmath.workdps(50):
        parts = [(mpmath.mpf(a) - b) / s for a, b, s in zip(x, y, scale, strict=True)]
        return mpmath.sqrt(sum(p**2 for p in parts))


def test_dot_products() -> None:
    dots = table(lambda x, y: x[0] * y[0] + x[1] * y[1])
    assert_near(kernels.Linear()(X, Y), dots)
    assert_near(kernels.Polynomial(3, 0.5)(X, Y), (dots + 0.5) ** 3)


@pytest.mark.parametrize("scale", [[0.7, 0.7], [0.3, 2.0]], ids=["one", "axes"])
def test_functions_of_a_distance(scale: list[float]) -> None:
    length = scale[0] if scale[0] == scale[1] else scale
    for nu in (0.5, 1.5, 2.5):
        expected = table(lambda x, y, nu=nu: matern(nu, distance(x, y, scale)))
        assert_near(kernels.Matern(nu, length)(X, Y), expected)
    gaussian = table(lambda x, y: mpmath.exp(-(distance(x, y, scale) ** 2) / 2))
    assert_near(kernels.RBF(length)(X, Y), gaussian)
    assert_near(kernels.Matern(inf, length)(X, Y), gaussian)
    factors = table(
        lambda x, y: prod(exp(-abs(a - b) / s) for a, b, s in zip(x, y, scale, strict=True))
    )
    assert_near(kernels.Laplace(length)(X, Y), factors)


def test_on_a_line_the_exponential_of_both_norms_is_one() -> None:
    x = randn(6, 1)
    assert_near(kernels.Laplace(0.4)(x), kernels.Matern(0.5, 0.4)(x))


@pytest.mark.parametrize("order", [0, 1, 2])
def test_arc_cosine(order: int) -> None:
    assert_near(kernels.ArcCosine(order)(X, Y), table(lambda x, y: arc_cosine(order, x, y)))


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("angle", [1e-12, 1e-6, pi - 1e-12, pi - 1e-6])
def test_arc_cosine_keeps_the_digits_of_small_and_flat_angles(order: int, angle: float) -> None:
    """Opposite points have a kernel of order `(pi - t)^(2n + 1)`, to full relative accuracy."""
    x, y = [cos(1.4), sin(1.4)], [2 * cos(angle + 1.4), 2 * sin(angle + 1.4)]
    points = torch.tensor([x, y], dtype=torch.float64)
    value = kernels.ArcCosine(order)(points[:1], points[1:])
    assert_near(value, torch.full_like(value, float(arc_cosine(order, x, y))))


def test_arc_cosine_is_an_average_over_units() -> None:
    """`2 E[s(w.x) s(w.y)]`, at the rate `m^-1/2` in the number of units."""
    sizes = [2**k for k in range(6, 13, 2)]
    errors = []
    for m in sizes:
        w = torch.randn(30, m, 2, generator=seeded(m), dtype=torch.float64)
        a, b = (w @ X.T).clamp_min(0), (w @ Y.T).clamp_min(0)
        estimate = 2 * a.mT @ b / m
        errors.append(float((estimate - kernels.ArcCosine(1)(X, Y)).pow(2).mean().sqrt()))
    assert fitted_exponent(sizes, errors) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(
    "encoding",
    [
        encodings.Basic(2),
        encodings.Positional(2, 4, 20.0),
        encodings.Gaussian(2, 24, 2.0, seeded()),
    ],
    ids=repr,
)
def test_stationary_is_energy_times_correlation(encoding) -> None:
    delta = X[:, None] - Y[None, :]
    expected = encoding.energy * encoding.correlation(delta)
    assert_near(kernels.Stationary(encoding)(X, Y), expected, loosen=100)  # phases of the points


def test_amplitudes_weigh_the_waves() -> None:
    encoding = encodings.Gaussian(2, 8, 1.0, seeded())
    encoding.amplitudes.copy_(torch.arange(1.0, 9.0))
    kernel = kernels.Stationary(encoding)
    assert_near(kernel.diag(X), torch.full((4,), 204.0, dtype=torch.float64))
    lags = [torch.linspace(-1, 1, 5).double(), torch.linspace(0, 1, 3).double()]
    delta = torch.stack(torch.meshgrid(*lags, indexing="ij"), -1).flatten(0, -2)
    expected = 204 * encoding.correlation(delta).reshape(5, 3)
    assert_near(kernel.lag_table(lags), expected, loosen=10)


def test_gaussian_features_tend_to_the_rbf_kernel() -> None:
    """At `l = 1 / (2 pi bandwidth)`, with an error of `m^-1/2`."""
    sizes = [2**k for k in range(6, 13, 2)]
    errors = []
    for m in sizes:
        parts = []
        for seed in range(10):
            encoding = encodings.Gaussian(2, m, 0.3, seeded(1000 * m + seed))
            difference = kernels.Stationary(encoding)(X, Y) / m - kernels.RBF(1 / (0.6 * pi))(X, Y)
            parts.append(float(difference.pow(2).mean()))
        errors.append((sum(parts) / len(parts)) ** 0.5)
    assert fitted_exponent(sizes, errors) == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(
    "kernel",
    [
        kernels.RBF([0.1, 0.3]),
        kernels.Laplace(0.2),
        kernels.Matern(1.5, 0.2),
        kernels.Stationary(encodings.Gaussian(2, 24, 3.0, seeded())),
        2 * kernels.RBF(0.3) + kernels.Matern(0.5) * kernels.Laplace(0.1) + 0.5,
    ],
    ids=repr,
)
def test_grids_work_by_fast_fourier_transform(kernel) -> None:
    grid, v = Grid((6, 5)), randn(30, 2)
    operator = gram(kernel, grid)
    assert operator.kind == "toeplitz"
    assert_near(operator @ v, kernel(grid.points()) @ v, loosen=10)
    assert_near(operator.diagonal(), kernel.diag(grid.points()))
    coarse = gram(kernel, grid, grid[::1, ::1])
    assert coarse.kind == "toeplitz"


def test_whole_cycles_are_circulant() -> None:
    kernel = 1 + 2 * kernels.Stationary(encodings.Basic(2))
    operator = gram(kernel, Grid((6, 5)))
    assert operator.kind == "circulant"
    assert_near(operator.dense(), kernel(Grid((6, 5)).points()), loosen=10)


def test_images_count_as_their_pixels() -> None:
    images = randn(3, 2, 4, 4)
    for kernel in (kernels.Linear(), kernels.RBF(3.0), kernels.ArcCosine(1)):
        assert_near(kernel(images), kernel(images.flatten(1)))
        assert_near(kernel.diag(images), kernel.diag(images.flatten(1)))
