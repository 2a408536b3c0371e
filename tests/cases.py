"""One table of instances per kind of object; conformance and law tests run over all of it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ntkit import Grid, encodings, gram, kernels, measurements, networks, ntk, operators, tasks
from ntkit.kernels import InfiniteKernel, nngp
from tests.layer_networks import LAYERS
from tests.measurements.stand_ins import Mixed, Scan, Weighted
from tests.spheres import views
from tests.tasks.solids import sphere


def seeded(seed: int = 0) -> torch.Generator:
    """A generator of its own for whoever asks."""
    return torch.Generator().manual_seed(seed)


def smooth_picture(height: int = 24, width: int = 32) -> torch.Tensor:
    """Smooth waves in three colours with a little noise, `[height, width, 3]`, from 0 to 1."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    plain = 0.5 + 0.3 * torch.sin(12 * x * y + 4 * x) + 0.1 * torch.cos(20 * y)
    noise = 0.02 * torch.randn(height, width, 3, generator=seeded())
    return (plain[..., None] + noise).clamp(0, 1).double()


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers from a generator of their own."""
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def pin_(parameter: Tensor, size: float) -> None:
    """Shift and scale the draw that it holds to a mean of zero and a mean square of exactly `size^2`."""
    with torch.no_grad():
        parameter -= parameter.mean() if parameter.numel() > 1 else 0.0
        parameter *= size / parameter.double().square().mean().sqrt()


def opened(encoding: encodings.AbstractFourier, alpha: float) -> encodings.CoarseToFine:
    """A window that is open half way."""
    found = encodings.CoarseToFine(encoding)
    found.set_alpha(alpha)
    return found


ENCODINGS: dict[type, list[Callable[[int], encodings.AbstractEncoding]]] = {
    encodings.Identity: [encodings.Identity],
    encodings.Basic: [encodings.Basic],
    encodings.Positional: [lambda d: encodings.Positional(d, 4, 20.0)],
    encodings.NeRF: [
        lambda d: encodings.NeRF(d, 4),
        lambda d: encodings.NeRF(d, 3, include_input=True),
    ],
    encodings.Gaussian: [
        lambda d: encodings.Gaussian(d, 24, 5.0, seeded()),
        lambda d: encodings.Gaussian(d, 24, 5.0, seeded(), integer=True),
        lambda d: encodings.Gaussian(d, 24, [1.0 + i for i in range(d)], seeded()),
    ],
    encodings.Blurred: [
        lambda d: encodings.Blurred(encodings.Gaussian(d, 24, 5.0, seeded()), 1e-3),
        lambda d: encodings.Blurred(encodings.NeRF(d, 3, include_input=True), 1e-3),
    ],
    encodings.Centred: [encodings.Centred],
    encodings.CoarseToFine: [
        lambda d: opened(encodings.NeRF(d, 4, include_input=True), 1.5),
        lambda d: opened(encodings.Gaussian(d, 24, 5.0, seeded()), 4.0),
    ],
    encodings.Composite: [
        lambda d: encodings.Composite(*[encodings.Positional(1, 3 + i, 9.0) for i in range(d)]),
        lambda d: encodings.Composite(*[encodings.Identity(1)] * (d - 1), encodings.NeRF(1, 2)),
    ],
    encodings.HashGrid: [
        lambda d: encodings.HashGrid(d, 3, 2, 6, 3, generator=seeded()),
        lambda d: encodings.HashGrid(d, 2, 1, 12, 4, 1.5, "smoothstep", seeded()),
    ],
    encodings.Laplace: [lambda d: encodings.Laplace(d, 24, 5.0, seeded())],
    encodings.LearnedFourier: [
        lambda d: encodings.LearnedFourier(encodings.Gaussian(d, 24, 5.0, seeded())),
        lambda d: encodings.LearnedFourier(encodings.NeRF(d, 3, include_input=True)),
    ],
    encodings.LogUniform: [lambda d: encodings.LogUniform(d, 24, 5.0, seeded())],
    encodings.MultiBandwidth: [lambda d: encodings.MultiBandwidth(d, 24, [1.0, 5.0], seeded())],
    encodings.SphericalHarmonics: [],  # of directions, three coordinates: tests of its own
    encodings.Uniform: [lambda d: encodings.Uniform(d, 24, 5.0, seeded())],
    encodings.OneBlob: [lambda d: encodings.OneBlob(d, 2), lambda d: encodings.OneBlob(d, 7)],
    encodings.Sinusoidal: [
        lambda d: encodings.Sinusoidal(d, 6),
        lambda d: encodings.Sinusoidal(d, 6, 50.0, order="concatenated"),
    ],
    encodings.TriangleWave: [lambda d: encodings.TriangleWave(d, 5)],
}
"""Encodings, as functions of the number of coordinates."""


def _table(*shape: int) -> Tensor:
    """Lags of a decaying symmetric function: positive definite."""
    axes = [torch.arange(1 - n, n, dtype=torch.float64) for n in shape]
    distance = torch.stack(torch.meshgrid(*axes, indexing="ij")).pow(2).sum(0)
    return torch.exp(-distance / 4)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return a @ b.T


OPERATORS: dict[type, list[Callable[[], operators.AbstractOperator]]] = {
    operators.DenseOperator: [lambda: operators.DenseOperator(randn(12, 7))],
    operators.LowRankOperator: [
        lambda: operators.LowRankOperator(randn(12, 3)),
        lambda: operators.LowRankOperator(randn(12, 3), randn(8, 3, seed=1)),
    ],
    operators.AffineOperator: [
        lambda: operators.AffineOperator(operators.DenseOperator(randn(12, 12)), 0.3, -2.0),
    ],
    operators.ScaledOperator: [
        lambda: operators.ScaledOperator(operators.ToeplitzOperator(_table(12), (12,)), randn(12)),
    ],
    operators.TiledOperator: [
        lambda: operators.TiledOperator(_dot, randn(12, 3), randn(12, 3), tile_bytes=8 * 12 * 5),
        lambda: operators.TiledOperator(_dot, randn(12, 3), randn(8, 3, seed=1)),
    ],
    operators.MatrixFreeOperator: [
        lambda: operators.MatrixFreeOperator(
            lambda v: v @ randn(12, 8, dtype=v.dtype).T,
            lambda: randn(12, 8).diagonal(),
            (12, 8),
            inner=torch.float64,
            device=torch.device("cpu"),
        ),
    ],
    operators.ToeplitzOperator: [
        lambda: operators.ToeplitzOperator(_table(12), (12,)),
        lambda: operators.ToeplitzOperator(_table(5, 7), (5, 7)),
        lambda: operators.ToeplitzOperator(randn(9, 8), (6, 3), (4, 6)),
    ],
    operators.CirculantOperator: [
        lambda: operators.CirculantOperator(randn(9)),
        lambda: operators.CirculantOperator(randn(4, 5)),
    ],
}
"""Operators, square and not."""


def layered(encoding: encodings.AbstractEncoding, *, depth: int = 2) -> nn.Sequential:
    """A small network in the NTK parametrisation."""
    return networks.mlp(
        encoding, 1, width=32, depth=depth, parametrisation="ntk", generator=seeded()
    )


def standard(encoding: encodings.AbstractEncoding, *, depth: int = 2) -> nn.Sequential:
    """The same in the standard parametrisation."""
    return networks.mlp(encoding, 1, width=32, depth=depth, generator=seeded())


def lift(x: Tensor) -> Tensor:
    """The plane onto a paraboloid: circles become separable by a plane."""
    return torch.cat([x, (x**2).sum(1, keepdim=True)], 1)


KERNELS: dict[type, list[Callable[[], kernels.AbstractKernel]]] = {
    InfiniteKernel: [
        lambda: ntk(layered(encodings.Basic(2))),
        lambda: ntk(standard(encodings.Basic(2))),
        lambda: ntk(LAYERS[networks.Linear].network(32)),
        lambda: nngp(standard(encodings.Basic(2))),
        lambda: ntk(standard(encodings.Basic(2)), variances="default"),
        lambda: ntk(layered(encodings.Identity(2))),
        lambda: ntk(layered(encodings.Gaussian(2, 24, 3.0, seeded()), depth=3)),
        lambda: nngp(layered(encodings.NeRF(2, 3, include_input=True))),
    ],
    kernels.ArcCosine: [lambda n=n: kernels.ArcCosine(n) for n in (0, 1, 2)],
    kernels.Constant: [lambda: kernels.Constant(0.7)],
    kernels.EmpiricalKernel: [
        lambda: kernels.empirical_ntk(layered(encodings.Gaussian(2, 6, 3.0, seeded())).double()),
        lambda: kernels.empirical_ntk(standard(encodings.Identity(2)).double(), 0),
    ],
    kernels.FeatureMap: [lambda: kernels.FeatureMap(encodings.NeRF(2, 3, include_input=True))],
    kernels.Laplace: [lambda: kernels.Laplace([0.3, 2.0])],
    kernels.Linear: [kernels.Linear],
    kernels.Matern: [lambda nu=nu: kernels.Matern(nu, 0.7) for nu in (0.5, 1.5, 2.5)],
    kernels.Polynomial: [lambda: kernels.Polynomial(3, 0.5)],
    kernels.Product: [lambda: 0.3 * kernels.Linear() * kernels.RBF(0.5)],
    kernels.RBF: [lambda: kernels.RBF([0.3, 2.0])],
    kernels.Stationary: [lambda: kernels.Stationary(encodings.Gaussian(2, 24, 1.0, seeded()))],
    kernels.Sum: [
        lambda: kernels.Stationary(encodings.Basic(2)) + nngp(layered(encodings.Basic(2), depth=1)),
    ],
}
"""Kernels on points of the plane."""

ACTIVATIONS: dict[type, Callable[[], nn.Module]] = {
    networks.Abs: networks.Abs,
    networks.Elementwise: lambda: networks.Elementwise(lambda x: x.clamp(-1, 2), (-1.0, 2.0)),
    networks.Erf: lambda: networks.Erf(1.5, 0.7, 0.2),
    networks.Exponential: lambda: networks.Exponential(0.8, 0.3),
    networks.Gabor: lambda: networks.Gabor(2.0, 0.7),
    networks.Gaussian: lambda: networks.Gaussian(1.2, 0.6),
    networks.Hermite: lambda: networks.Hermite(3),
    networks.NormalisedExponential: lambda: networks.NormalisedExponential(1.3),
    networks.Polynomial: lambda: networks.Polynomial([0.2, 1.0, 0.5]),
    networks.RectifiedMonomial: lambda: networks.RectifiedMonomial(2),
    networks.Sign: networks.Sign,
    networks.Sine: lambda: networks.Sine(2.0, 0.3),
}
"""Activations of the library."""


def activated(activation: nn.Module) -> nn.Sequential:
    """Dense, the activation, dense."""
    return nn.Sequential(
        networks.Linear(2, 8, b_std=0.3, generator=seeded()),
        activation,
        networks.Linear(8, 1, generator=seeded(1)),
    )


NETWORKS: dict[type, Callable[[], nn.Module]] = {
    **{
        kind: lambda kind=kind: LAYERS[kind].network(8)
        for kind in LAYERS
        if kind.__module__.startswith("ntkit.networks.")
    },
    **{kind: lambda kind=kind: activated(ACTIVATIONS[kind]()) for kind in ACTIVATIONS},
    networks.ComplexGabor: lambda: networks.wire(2, 1, width=8, depth=2, generator=seeded()),
    networks.ComplexLinear: lambda: networks.wire(2, 1, width=8, depth=2, generator=seeded()),
    networks.LinearModel: lambda: networks.LinearModel(encodings.Basic(2)),
    networks.ResidualBlock: lambda: networks.residual(encodings.Basic(2), 1, width=8, depth=2),
    networks.SkipMLP: lambda: networks.nerf(encodings.Basic(2), 1, width=8),
    networks.VariableSine: lambda: networks.finer(2, 1, width=8, depth=2, generator=seeded()),
    networks.ViewMLP: lambda: networks.ViewMLP(
        networks.SkipMLP(encodings.Basic(2), width=8), encodings.Basic(1), 4
    ),
    networks.Symmetrised: lambda: networks.symmetrise(standard(encodings.Basic(2))),
}
"""Modules that use each public layer, or are one."""

GRIDS: list[tuple[Grid, Grid]] = [
    (Grid(13), Grid(13)[::2]),
    (Grid((8, 8)), Grid((8, 8))[::2, ::2]),
    (Grid((9, 6)), Grid((9, 6))[1::2, ::3]),
    (Grid((4, 5, 6)), Grid((4, 5, 6))[::2, ::2, 1::2]),
    (Grid((7, 5), origin=0.3, spacing=0.05), Grid((3, 3), origin=(0.31, 0.2), spacing=(0.1, 0.05))),
]
"""A grid to predict on, and one to train on: 1-D, square, rectangular, 3-D, unaligned."""


def _coils(*shape: int) -> Tensor:
    return randn(3, *shape, dtype=torch.complex128)


def _operator() -> Any:
    from scipy.sparse.linalg import aslinearoperator

    return aslinearoperator(randn(5, 12).numpy())


DOUBLE: Any = {"dtype": torch.float64}

MEASUREMENTS: dict[type, list[Callable[[], measurements.AbstractMeasurement]]] = {
    measurements.Composed: [
        lambda: measurements.Samples.every((6,), 2) @ measurements.Samples.everywhere((9,))[:6],
    ],
    measurements.Blur: [
        lambda: measurements.Blur((6, 7), randn(3, 4)),
        lambda: measurements.Blur((9,), 0.5, border="inside"),
        lambda: measurements.Blur((9, 9), (0.4, 0.0), border="periodic"),
        lambda: measurements.Blur((4, 5, 6), randn(2, 3, 3), border="zero"),
    ],
    measurements.Fourier: [
        lambda: measurements.Fourier((4, 5)),
        lambda: measurements.Fourier((4, 6), randn(6) > -0.5, _coils(4, 6)),
        lambda: measurements.Fourier((3, 4, 2), randn(3, 4, 2) > 0),
    ],
    measurements.Interpolation: [
        lambda: measurements.Interpolation(Grid(7), randn(6, 1).sigmoid()),
        lambda: measurements.Interpolation(Grid((5, 6)), randn(8, 2).sigmoid()),
    ],
    measurements.Matrix: [
        lambda: measurements.Matrix(randn(5, 12), (3, 4), [0, 0, 1, 1, 5]),
        lambda: measurements.Matrix(randn(5, 12, dtype=torch.complex128)),
        lambda: measurements.Matrix(randn(5, 12).relu().to_sparse(), (12,)),
        lambda: measurements.Matrix(randn(5, 6, dtype=torch.complex128).to_sparse_csr()),
        lambda: measurements.Matrix(_operator(), (3, 4)),
    ],
    measurements.NonuniformFourier: [
        lambda: measurements.NonuniformFourier((8,), 4 * randn(9, 1).tanh()),
        lambda: measurements.NonuniformFourier((6, 8), 3 * randn(4, 3, 2).tanh(), _coils(6, 8)),
    ],
    measurements.Physics: [
        lambda: measurements.Physics(
            Weighted(randn(1, 1, 4, 5).relu()), (4, 5), (1, 4, 5), **DOUBLE
        ),
        lambda: measurements.Physics(
            Weighted(randn(1, 3, 9).relu()), (9,), (3, 9), channels=3, channel=1, **DOUBLE
        ),
        lambda: measurements.Physics(
            Mixed(randn(5, 12)), (3, 4), (5,), groups=torch.tensor([0, 0, 1, 1, 5]), **DOUBLE
        ),
        lambda: measurements.Physics(
            Scan(randn(4, 6) > -0.5), (4, 6), (2, 4, 6), channels=2, is_complex=True, **DOUBLE
        ),
        lambda: measurements.Physics(
            Scan(randn(6) > -0.5, _coils(4, 6)),
            (4, 6),
            (2, 3, 4, 6),
            channels=2,
            is_complex=True,
            spacing=(1, 2),
            **DOUBLE,
        ),
    ],
    measurements.Radon: [
        lambda: measurements.Radon.parallel((7, 6), [0.0, 0.4, 2.0, 3.0]),
        lambda: measurements.Radon.parallel(
            (6, 5), [0.3, 1.1, 4.0], spacing=(1.0, 2.0), n_detectors=4, n_rays=3, detector_width=1.5
        ),
        lambda: measurements.Radon.fan(
            (6, 7), [0.0, 2.0, 4.0], source_distance=3.0, detector_distance=1.0
        ),
        lambda: measurements.Radon.cone(
            (3, 4, 5), [0.0, 2.0, 4.0], source_distance=3.0, detector_distance=1.0
        ),
    ],
    measurements.Rows: [
        lambda: measurements.Rows((5, 3), torch.tensor([4, 1, 4]), torch.tensor([0, 1, 0])),
    ],
    measurements.Samples: [
        lambda: measurements.Samples.every_other((5, 6)),
        lambda: measurements.Samples.mask(randn(7, 4, 3) > 0.5),
    ],
    measurements.Stacked: [
        lambda: measurements.stack(
            measurements.Samples.every_other((5, 6)), measurements.Samples.everywhere((5, 6))
        ),
    ],
    measurements.Subsample: [
        lambda: measurements.Subsample((6, 4), 2),
        lambda: measurements.Subsample((9,), 3),
    ],
}
"""Small measurements, each of a few rows or more."""

TASKS: dict[type, Callable[[], tasks.AbstractTask]] = {
    tasks.Signal: lambda: tasks.Signal(randn(9, 12, 2), n_axes=2),
    tasks.Image: lambda: tasks.Image(randn(9, 12, 3).sigmoid()),
    tasks.Audio: lambda: tasks.Audio(randn(40), rate=8000.0),
    tasks.Volume: lambda: tasks.Volume(randn(8, 9, 10), spacing=(1.0, 2.0, 3.0)),
    tasks.Video: lambda: tasks.Video(randn(10, 8, 12, 3).sigmoid(), step=0.25),
    tasks.Points: lambda: tasks.Points(randn(50, 2), randn(50, 2, seed=1)),
    tasks.RadianceField: lambda: tasks.RadianceField(
        views(5, size=12), n_samples=8, silhouettes=False
    ),
    tasks.Measured: lambda: tasks.Measured(
        randn(4, 11, 1).sigmoid(),
        measurements.Radon.parallel((7, 6), [0.0, 0.4, 2.0, 3.0]),
        bounds=(0, None),
        total_variation=0.01,
    ),
    tasks.Shape: lambda: tasks.Shape(sphere(1), n_points=600, cells=16),
}
"""A small one of each task."""

__all__ = [
    "ACTIVATIONS",
    "ENCODINGS",
    "GRIDS",
    "KERNELS",
    "LAYERS",
    "MEASUREMENTS",
    "NETWORKS",
    "OPERATORS",
    "TASKS",
    "activated",
    "gram",
    "layered",
    "lift",
    "randn",
    "seeded",
    "standard",
]
