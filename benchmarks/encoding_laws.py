"""Encodings against what they stand for: means over samples, loops, and many digits.

Integrated features (mip-NeRF) against Monte Carlo: the root mean square distance of a mean over `n`
samples from the closed form, over features, Gaussians and 32 repetitions, `n` from 64 to 16,384, and the
exponent fitted to it. `NeRF(3, 10)` sees the Gaussians of eight frustums, `Gaussian(2, 64, bandwidth=10)`
eight full covariances. "Bias" is the distance of the mean over all samples drawn, in units of its own
standard error, root mean square: about 1 where there is none. A frustum is no Gaussian itself: two rows
say how far the mean over points that fill it evenly is from the closed form, and how large the features are.

`HashGrid` against a loop over points, levels and corners in Python's numbers (`tests/oracles.py`), for 1 to 4
coordinates and both interpolations, ten levels of which some share entries, and at half a million cells a
unit: the largest distance over the largest feature, which is 1. `SphericalHarmonics(40)` against mpmath in 30 digits, at 12
random directions, the poles, and directions 1e-3 and 1e-8 away from these: the largest absolute distance of
any of the 1,681 functions, the largest of which is 2.4 or so; and against sphericart at 10,000 directions.
"""

from importlib import import_module
from importlib.util import find_spec
from math import log, sqrt

import torch
from torch import Tensor

from benchmarks.report import Row
from ntkit.encodings import (
    Gaussian,
    HashGrid,
    Integrated,
    NeRF,
    SphericalHarmonics,
    conical_frustum,
)
from ntkit.encodings.base import AbstractFourier
from tests import oracles
from tests.tolerances import relative_error

COUNTS = [2**k for k in range(6, 15, 2)]
REPETITIONS = 32


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=draw(seed), dtype=torch.float64)


def exponent(errors: list[float]) -> float:
    """The `p` of `error ~ n^p`, by least squares on logarithms."""
    x = torch.tensor([log(n) for n in COUNTS], dtype=torch.float64)
    y = torch.tensor(errors, dtype=torch.float64).log()
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


def sampled(name: str, encoding: AbstractFourier, mean: Tensor, covariance: Tensor) -> list[Row]:
    """Rows of one encoding at some Gaussians, `[k, d]` and `[k, d, d]`."""
    exact = Integrated(encoding)(mean, covariance)
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp_min(0).sqrt()[:, None, :]
    errors, source = [], draw(0)
    total, squares, n_all = torch.zeros_like(exact), torch.zeros_like(exact), 0
    for n in COUNTS:
        squared = 0.0
        for _ in range(REPETITIONS):
            z = torch.randn(len(mean), n, mean.shape[1], generator=source, dtype=torch.float64)
            features = encoding(mean[:, None] + z @ root.mT)
            squared += float((features.mean(1) - exact).square().mean())
            total += features.sum(1)
            squares += features.square().sum(1)
            n_all += n
        errors.append(sqrt(squared / REPETITIONS))
    at = total / n_all
    spread = (squares / n_all - at**2).clamp_min(0) / n_all
    seen = spread > 1e-20  # a wave that no sample moves has no error of sampling
    bias = float(((at - exact)[seen].square() / spread[seen]).mean().sqrt())
    return [
        Row(f"{name}: error at {COUNTS[0]} samples", errors[0]),
        Row(f"{name}: error at {COUNTS[-1]:,} samples", errors[-1]),
        Row(f"{name}: exponent of the error", exponent(errors), "", -0.48, -0.52),
        Row(f"{name}: bias over its standard error, {n_all:,} samples", bias, "", 1.3),
    ]


def frustums() -> tuple[Tensor, ...]:
    """Eight pieces of cones of pixels, between 1 and 5 units away: the arguments of `conical_frustum`."""
    axis = torch.nn.functional.normalize(randn(8, 3, seed=1), dim=1)
    edges = torch.linspace(1, 5, 9, dtype=torch.float64)
    radius = torch.full((8,), 0.02, dtype=torch.float64)
    return torch.zeros(8, 3, dtype=torch.float64), axis, edges[:-1], edges[1:], radius


def in_frustums(n: int) -> Tensor:
    """Points that fill each piece evenly, `[8, n, 3]`."""
    tip, axis, near, far, radius = frustums()
    u, v, angle = torch.rand(3, 8, n, generator=draw(2), dtype=torch.float64)
    t = (near[:, None] ** 3 + u * (far**3 - near**3)[:, None]) ** (1 / 3)
    frame = torch.linalg.svd(axis[:, None, :])[2][:, 1:]  # two directions across the axis
    turn = 2 * torch.pi * angle
    disc = torch.stack([turn.cos(), turn.sin()], -1) @ frame
    across = (radius[:, None] * t * v.sqrt())[..., None] * disc
    return tip[:, None] + t[..., None] * axis[:, None] + across


def integrated() -> list[Row]:
    """Integrated features against samples."""
    nerf, gaussian = NeRF(3, 10), Gaussian(2, 64, 10.0, draw(3))
    mean, covariance = conical_frustum(*frustums(), is_diagonal=False)
    root = 0.03 * randn(8, 2, 2, seed=4)
    rows = sampled("NeRF(3, 10) at frustums", nerf, mean, covariance)
    rows += sampled("Gaussian(2, 64, 10)", gaussian, randn(8, 2, seed=5), root @ root.mT)
    evenly = nerf(in_frustums(65_536)).mean(1)
    size = evenly.square().mean().sqrt()
    apart = (Integrated(nerf)(mean, covariance) - evenly).square().mean().sqrt()
    rows.append(Row("NeRF(3, 10) at frustums: size of the features", float(size)))
    rows.append(Row("NeRF(3, 10) at frustums: frustum against its Gaussian", float(apart)))
    return rows


def grid_error(encoding: HashGrid, x: Tensor) -> float:
    """Largest distance from the loop at points `[n, d]`, over the largest feature."""
    with torch.no_grad():
        encoding.tables.mul_(1 / float(encoding.tables.abs().max()))
        return relative_error(encoding(x), oracles.hash_grid(encoding, x.double()))


def hash_grids() -> list[Row]:
    """Hash grids against a loop over points, levels and corners."""
    rows = []
    for dtype, most in ((torch.float64, 1e-12), (torch.float32, 1e-6)):
        for kind in ("linear", "smoothstep"):
            worst = 0.0
            for d in range(1, 5):
                encoding = HashGrid(d, 10, 2, 8, 3, 1.6, kind, draw(d))
                x = torch.rand(64, d, generator=draw(6), dtype=dtype)
                worst = max(worst, grid_error(encoding.to(dtype), x))
            name = f"HashGrid, 1 to 4 coordinates, {kind}, {dtype}".replace("torch.", "")
            rows.append(Row(f"{name}: against a loop", worst, "", most))
    fine = HashGrid(2, 16, 2, 14, generator=draw(7))
    x = torch.rand(64, 2, generator=draw(8))
    name = f"HashGrid, 16 levels to {fine.n_vertices[-1]:,} vertices, float32"
    return [*rows, Row(f"{name}: against a loop", grid_error(fine, x), "", 1e-6)]


def harmonics() -> list[Row]:
    """Spherical harmonics of degree 40 against many digits, and against sphericart."""
    pole = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]], dtype=torch.float64)
    off = torch.tensor([[1e-3, 0.0, 0.0], [0.0, 1e-8, 0.0]], dtype=torch.float64)
    v = torch.cat([randn(12, 3, seed=9), pole, pole + off, pole.flip(0) + off])
    encoding, rows = SphericalHarmonics(40), []
    for dtype, most in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        x = v.to(dtype)
        apart = (encoding(x) - oracles.spherical_harmonics(40, x.double())).abs().max()
        name = f"SphericalHarmonics(40), {dtype}".replace("torch.", "")
        rows.append(Row(f"{name}: against mpmath", float(apart), "", most))
    if find_spec("sphericart"):
        many = randn(10_000, 3, seed=10)
        theirs = import_module("sphericart").SphericalHarmonics(40).compute(many.numpy())
        apart = (encoding(many) - torch.from_numpy(theirs)).abs().max()
        name = "SphericalHarmonics(40), float64: against sphericart, 10,000 directions"
        rows.append(Row(name, float(apart), "", 1e-12))
    return rows


def measure() -> list[Row]:
    return [*integrated(), *hash_grids(), *harmonics()]
