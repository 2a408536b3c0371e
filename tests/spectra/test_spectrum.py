"""Spectra against dense matrices, laws of training, and the exponents of the theory."""

from importlib import import_module
from math import inf

import pytest
import torch
from torch import Tensor

import ntkit
from ntkit._core.errors import NumericalError
from ntkit.encodings import Basic, Gaussian
from ntkit.kernels import RBF, FeatureMap, Matern
from ntkit.networks import Linear, mlp
from ntkit.operators import DenseOperator, LowRankOperator
from tests.cases import randn, seeded
from tests.oracles import flow_by_eigh
from tests.tolerances import assert_near

GRIDS = [ntkit.Grid(15), ntkit.Grid(16), ntkit.Grid((6, 8)), ntkit.Grid((4, 3, 6))]


def periodic(d: int) -> ntkit.kernels.AbstractKernel:
    encoding = Gaussian(d, 12, 2.0, seeded(), integer=True)
    return ntkit.ntk(mlp(encoding, 1, width=16, depth=2, parametrisation="ntk"))


def all_methods() -> list:
    x = randn(40, 2)
    factor = randn(40, 6)
    return [
        pytest.param(ntkit.spectrum(Matern(0.5, 1.0), x), Matern(0.5, 1.0)(x), id="dense"),
        pytest.param(
            ntkit.spectrum(Matern(0.5, 1.0), x, k=9, method="top-k"),
            Matern(0.5, 1.0)(x),
            id="top-k",
        ),
        pytest.param(ntkit.spectrum(LowRankOperator(factor)), factor @ factor.T, id="low-rank"),
        pytest.param(
            ntkit.spectrum(periodic(2), ntkit.Grid((5, 8))),
            periodic(2)(ntkit.Grid((5, 8)).points()),
            id="grid",
        ),
    ]


@pytest.mark.parametrize(("spectrum", "matrix"), all_methods())
def test_eigenvectors_diagonalise_the_matrix(
    spectrum: ntkit.spectra.Spectrum, matrix: Tensor
) -> None:
    vectors = spectrum.eigenfunctions() / 40**0.5
    k = len(spectrum.eigenvalues)
    assert_near(vectors.T @ vectors, torch.eye(k).double(), loosen=10)
    exact = torch.linalg.eigvalsh(matrix).flip(0)[:k]
    assert_near(spectrum.eigenvalues, exact, loosen=100)
    errors = (matrix @ vectors - vectors * spectrum.eigenvalues).norm(dim=0)
    assert bool((errors <= spectrum.residuals + 1e-12 * exact[0]).all())
    assert spectrum.converged
    assert_near(torch.tensor(spectrum.trace, dtype=torch.float64), matrix.trace())
    y = randn(40, 3)
    assert_near(spectrum.coefficients(y), vectors.T @ y, loosen=100)


@pytest.mark.parametrize("grid", GRIDS, ids=lambda g: str(g.shape))
def test_waves_of_a_grid(grid: ntkit.Grid) -> None:
    """Odd and even axes: every wave vector once, each an eigenvector."""
    kernel = periodic(grid.ndim)
    spectrum = ntkit.spectrum(kernel, grid)
    assert spectrum.method == "grid"
    vectors = spectrum.basis.columns(len(grid))
    assert_near(vectors.T @ vectors, torch.eye(len(grid)).double(), loosen=10)
    assert_near(
        vectors @ torch.diag(spectrum.eigenvalues) @ vectors.T, kernel(grid.points()), loosen=100
    )
    y = randn(len(grid), 2)
    assert_near(spectrum.coefficients(y), vectors.T @ y, loosen=10)
    waves = spectrum.wave_vectors
    assert waves is not None
    assert len({tuple(w) for w in waves.tolist()}) == len(grid)


@pytest.mark.parametrize(("spectrum", "matrix"), all_methods())
def test_the_loss_is_that_of_gradient_flow(
    spectrum: ntkit.spectra.Spectrum, matrix: Tensor
) -> None:
    """All of it where all modes are known; an upper bound, with what is left out, where not."""
    y = randn(40, 2, seed=1)
    times = [0.0, 0.1, 3.0, 100.0]
    power = spectrum.power(y)
    exact = torch.stack([0.5 * flow_by_eigh(matrix, y, t)[0].square().sum() for t in times])
    found = spectrum.loss(y, times)
    if spectrum.method == "top-k":
        rest = 0.5 * (y.square().sum() - power.sum())
        assert bool((found >= exact * (1 - 1e-12)).all())
        assert bool((found - exact <= rest * (1 + 1e-12)).all())
    else:
        assert_near(found, exact, loosen=1000)
    assert_near(found[0], 0.5 * y.square().sum(), loosen=10)


def test_time_to_learn_is_when_the_residual_is_there() -> None:
    spectrum = ntkit.spectrum(RBF(0.7), randn(12, 2))
    times = spectrum.time_to_learn(0.01)
    vectors = spectrum.eigenfunctions()
    for mode in (0, 3):
        y = vectors[:, mode]
        left = spectrum.loss(y, [float(times[mode])]) / spectrum.loss(y, [0.0])
        assert_near(left, torch.tensor([0.01**2]).double(), loosen=1e5)


def test_zero_eigenvalues_are_never_learned() -> None:
    """Singular kernels give the limit, never NaN."""
    x = randn(10, 2)
    spectrum = ntkit.spectrum(FeatureMap(lambda x: x), x)
    y = randn(10)
    outside = y - x @ torch.linalg.lstsq(x, y[:, None]).solution[:, 0]
    assert_near(spectrum.loss(y, [inf])[0], 0.5 * outside.square().sum(), loosen=100)
    assert int(torch.isinf(spectrum.time_to_learn(0.1)).sum()) == 8
    assert spectrum.effective_dimension(1e-9) == pytest.approx(2)


def test_effective_dimension_and_alignment_against_their_definitions() -> None:
    x, y = randn(30, 2), randn(30, 2, seed=1)
    matrix = Matern(1.5, 0.5)(x)
    spectrum = ntkit.spectrum(DenseOperator(matrix))
    smoother = torch.linalg.solve(matrix + 0.3 * torch.eye(30).double(), matrix)
    assert spectrum.effective_dimension(0.3) == pytest.approx(float(smoother.trace()), rel=1e-10)
    target = y @ y.T
    aligned = float((matrix * target).sum() / (matrix.norm() * target.norm()))
    assert spectrum.alignment(y) == pytest.approx(aligned, rel=1e-10)
    ideal = ntkit.spectrum(DenseOperator(target))
    assert ideal.alignment(y[:, 0]) < ideal.alignment(y) == pytest.approx(1)


def test_extension_agrees_on_the_points_and_is_the_learned_function() -> None:
    """`f_t = sum_i phi_i a_i (1 - exp(-s_i t))` with `a_i` the mean of `phi_i y`, off the points too."""
    kernel, x, y = Matern(0.5, 1.0), randn(25, 2), randn(25, seed=1)
    spectrum = ntkit.spectrum(kernel, x)
    assert_near(spectrum.eigenfunctions(x), spectrum.eigenfunctions(), loosen=1000)
    places = randn(7, 2, seed=2)
    share = -torch.expm1(-2.0 * spectrum.eigenvalues)
    means = spectrum.coefficients(y)[:, 0] / 5
    learned = spectrum.eigenfunctions(places) @ (share * means)
    assert_near(learned, ntkit.GradientFlow(kernel, x, y).predict(places, [2.0])[0], loosen=1000)


def test_top_eigenvalues_of_a_circle_with_all_their_pairs() -> None:
    """Each frequency holds two; a single vector would see one of them."""
    kernel, grid = periodic(1), ntkit.Grid(600)
    few = ntkit.spectrum(ntkit.gram(kernel, grid, structure="toeplitz"), k=21, method="top-k")
    exact = ntkit.spectrum(kernel, grid, k=21)
    assert_near(few.eigenvalues, exact.eigenvalues, loosen=100)
    assert few.products < 20


# The circle. `Basic(1)` puts the points on one of radius 1, where kernels are sums over frequencies.


def on_the_circle(net: torch.nn.Module, n: int, *, kind=ntkit.ntk) -> Tensor:
    """Eigenvalue over `n` at each frequency from 0 to `n / 2`."""
    spectrum = ntkit.spectrum(kind(net), ntkit.Grid(n))
    waves = spectrum.wave_vectors
    assert waves is not None
    values = torch.zeros(n // 2 + 1, dtype=torch.float64)
    values[waves[:, 0].abs().long()] = spectrum.eigenvalues / n
    return values


def perceptron(depth: int, b_std: float, encoding=None) -> torch.nn.Module:
    """Hidden ReLU layers in the NTK parametrisation, with or without biases."""
    encoding = encoding or Basic(1)
    layers: list[torch.nn.Module] = [encoding]
    width = encoding.out_dim
    for _ in range(depth):
        layers += [Linear(width, 8, b_std > 0, w_std=2**0.5, b_std=b_std), torch.nn.ReLU()]
        width = 8
    return torch.nn.Sequential(*layers, Linear(width, 1, b_std > 0, b_std=b_std))


def exponent(values: Tensor, frequencies: Tensor) -> float:
    """Slope of the logarithms by least squares."""
    x = frequencies.double().log()
    y = values[frequencies].log()
    return float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())


def test_one_hidden_layer_has_the_eigenvalues_of_the_formula() -> None:
    """Fourier coefficients of `cos u (pi - u)` and `sin u + (pi - u) cos u`, aliases summed.

    Even frequencies only, and the first: the others are exactly zero without biases.
    """
    n, k = 64, torch.arange(2, 33, 2).double()
    aliases = n * torch.arange(-20000, 20001).double()
    q = k[:, None] + aliases
    first = (1 / (q - 1) ** 2 + 1 / (q + 1) ** 2) / torch.pi**2 / 2
    second = 2 / (torch.pi**2 * (q**2 - 1) ** 2)
    net = perceptron(1, 0.0)
    ntk, nngp = on_the_circle(net, n), on_the_circle(net, n, kind=ntkit.nngp)
    scale = 2 * 0.5  # w_std^2 over the two coordinates
    assert_near(nngp[2::2], scale * second.sum(1), loosen=10)
    assert_near(ntk[2::2], scale * (first + second).sum(1), loosen=1e7)  # the sum's end: 1e-6
    assert float(ntk[3::2].abs().max()) < 1e-15


@pytest.mark.parametrize(
    ("depth", "b_std", "kind", "expected"),
    [
        (1, 0.0, ntkit.ntk, -2.0),
        (1, 0.5, ntkit.ntk, -2.0),
        (3, 0.0, ntkit.ntk, -2.0),
        (3, 0.5, ntkit.ntk, -2.0),
        (1, 0.0, ntkit.nngp, -4.0),
        (1, 0.5, ntkit.nngp, -4.0),
        (3, 0.0, ntkit.nngp, -4.0),
    ],
)
def test_eigenvalues_fall_as_a_power_of_the_frequency(depth, b_std, kind, expected) -> None:
    """`k^-d` for the NTK and `k^-(d+2)` for the NNGP kernel on a sphere in `d = 2` dimensions.

    Bietti and Mairal 2019 (arXiv:1905.12173), proposition 5; with biases Basri et al. 2019
    (arXiv:1906.00425); any depth Bietti and Bach 2021 (arXiv:2009.14397), corollary 3. Without biases
    a single hidden layer knows the even frequencies alone.
    """
    values = on_the_circle(perceptron(depth, b_std), 8192, kind=kind)
    shallow = depth == 1 and b_std == 0
    even = torch.arange(64, 257, 2)
    assert exponent(values, even) == pytest.approx(expected, abs=0.05)
    odd = values[torch.arange(65, 257, 2)]
    if shallow:
        assert float(odd.abs().max()) < 1e-13
    else:
        assert exponent(values, even + 1) == pytest.approx(expected, abs=0.05)


def test_encodings_flatten_the_spectrum() -> None:
    """Up to its highest frequency an encoding of all frequencies has a slope near zero.

    Amplitudes `j^-p` steepen it in the order of `p`; the plain circle is the steepest.
    """
    band = torch.arange(1, 17)

    class Powers(ntkit.encodings.AbstractFourier):
        def __init__(self, p: float) -> None:
            super().__init__(torch.arange(1.0, 17.0)[:, None], torch.arange(1.0, 17.0) ** -p)

    encodings = [Powers(p) for p in (0.0, 0.5, 1.0, 1.5)] + [Basic(1)]
    slopes = [exponent(on_the_circle(perceptron(3, 0.1, e), 512), band) for e in encodings]
    assert abs(slopes[0]) < 0.1
    assert slopes == sorted(slopes, reverse=True)
    assert slopes[-1] < -1.5


def test_figures_show_the_numbers() -> None:
    pytest.importorskip("matplotlib")
    grid = ntkit.Grid(16)
    spectrum = ntkit.spectrum(periodic(1), grid)
    y = randn(16)
    axes = spectrum.figure(y).axes
    assert [a.get_title() for a in axes] == ["Eigenvalues", "Power of the target", "Loss"]
    shown = torch.as_tensor(axes[1].lines[0].get_ydata())
    assert_near(shown, spectrum.power(y)[: len(shown)])
    times, loss = (torch.as_tensor(v) for v in axes[2].lines[0].get_data())
    assert_near(loss, spectrum.loss(y, times))
    assert len(ntkit.spectrum(RBF(1.0), randn(9, 2)).figure().axes) == 1


REFUSALS = [
    (lambda: ntkit.spectrum(RBF(1.0)), TypeError, "`points` are missing"),
    (
        lambda: ntkit.spectrum(DenseOperator(torch.eye(3)), randn(3, 2)),
        TypeError,
        "beside a kernel",
    ),
    (lambda: ntkit.spectrum(DenseOperator(randn(3, 2))), ValueError, "square operator"),
    (lambda: ntkit.spectrum(RBF(1.0), randn(3, 2), k=4), ValueError, "`k=4` exceeds the 3"),
    (lambda: ntkit.spectrum(RBF(1.0), randn(3, 2), method="top-k"), ValueError, "needs `k`"),
    (lambda: ntkit.spectrum(RBF(1.0), ntkit.Grid(3), method="grid"), ValueError, "whole-cycle"),
    (
        lambda: ntkit.spectrum(DenseOperator(torch.eye(3)), method="grid"),
        ValueError,
        "a circulant operator",
    ),
    (
        lambda: ntkit.spectrum(DenseOperator(torch.eye(3)), method="low-rank"),
        ValueError,
        "a symmetric low-rank operator",
    ),
    (
        lambda: ntkit.spectrum(DenseOperator(-torch.eye(3))),
        NumericalError,
        "not positive semi-definite",
    ),
    (lambda: ntkit.spectrum(RBF(1.0), ntkit.Grid((200, 200))), ValueError, "`k=100`"),
    (lambda: spectrum_of_three().eigenfunctions(randn(2, 2)), ValueError, "bare operator"),
    (lambda: spectrum_of_three().eigenfunctions(count=4), ValueError, "`count=4`"),
    (lambda: spectrum_of_three().power(randn(4)), ValueError, r"`y` has shape \(4,\)"),
    (lambda: spectrum_of_three().alignment(torch.zeros(3)), ValueError, "zero everywhere"),
    (lambda: spectrum_of_three().time_to_learn(1.0), ValueError, "must be below 1"),
    (
        lambda: ntkit.spectrum(FeatureMap(lambda x: x), randn(5, 2)).eigenfunctions(
            randn(3, 2), count=3
        ),
        ValueError,
        "only 2 eigenvalues",
    ),
]


def spectrum_of_three() -> ntkit.spectra.Spectrum:
    return ntkit.spectrum(DenseOperator(torch.eye(3)))


@pytest.mark.parametrize(("call", "error", "match"), REFUSALS)
def test_refusals(call, error, match) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize(
    ("kernel", "points", "way"),
    [
        (
            RBF(0.3),
            ntkit.Grid((4, 3)),
            r"whole-cycle frequencies \(`Gaussian\(\.\.\., integer=True",
        ),
        (RBF(0.3), randn(12, 2), "spectral_density"),
    ],
)
def test_long_decompositions_say_so(monkeypatch: pytest.MonkeyPatch, kernel, points, way) -> None:
    module = import_module("ntkit.spectra.decompose")
    assert pytest.approx(43, rel=0.1) == module._DENSE * 4096**3  # what was measured
    monkeypatch.setattr(module, "_QUICK", 10)
    with pytest.warns(
        UserWarning, match=rf"All 12 eigenvalues .* are found densely: about .*{way}"
    ):
        found = ntkit.spectrum(kernel, points)
    assert found.method == "dense"
    assert ntkit.spectrum(kernel, points, method="dense").method == "dense"  # asked for: no word
