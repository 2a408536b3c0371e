"""The grid engine's training dynamics against dense linear algebra, on a 32x32 grid.

1,024 training pixels of the photo, ReLU network with 3 hidden layers in the NTK parametrisation,
four encodings. Chebyshev flow against `eigh` of the dense matrix at six times over five decades
(`t = T / n`, T = 1 to 1e5); `t = inf` by conjugate gradients against `torch.linalg.solve`. The
difference is that of the functions, at all pixels of the 64x64 grid around them, in the 2-norm,
relative to the dense one, and the worst over the times stands here.
"""

from math import inf

import torch
from torch import Tensor

import ntkit
from benchmarks.report import Row
from benchmarks.signals import photo
from ntkit import encodings
from ntkit.kernels import AbstractKernel
from ntkit.networks import mlp

GRID = ntkit.Grid((64, 64))
TRAIN = GRID[::2, ::2]
TIMES = [10.0**k / len(TRAIN) for k in range(6)]


def four_encodings() -> dict[str, encodings.AbstractFourier]:
    return {
        "basic": encodings.Basic(2),
        "positional": encodings.Positional(2, 8, 16.0),
        "gaussian": encodings.Gaussian(2, 256, 5.0, torch.Generator().manual_seed(0)),
        "nerf": encodings.NeRF(2, 5),
    }


def dense_predictions(kernel: AbstractKernel, y: Tensor) -> list[Tensor]:
    """At `TIMES` and infinity, by `eigh` and by a solve of the whole matrix."""
    matrix = kernel(TRAIN.points())
    cross = kernel(GRID.points(), TRAIN.points())
    values, vectors = torch.linalg.eigh(matrix)
    inside = vectors.T @ y
    weights = [vectors @ (-torch.expm1(-t * values) / values)[:, None].mul(inside) for t in TIMES]
    return [cross @ w for w in [*weights, torch.linalg.solve(matrix, y)]]


def measure() -> list[Row]:
    rows = []
    y = photo(64)[::2, ::2].reshape(-1, 3)
    for name, encoding in four_encodings().items():
        kernel = ntkit.ntk(mlp(encoding, 3, width=256, depth=3, parametrisation="ntk"))
        flow = ntkit.GradientFlow(kernel, TRAIN, y, structure="toeplitz")
        times = [*TIMES, inf]
        predictions = flow.predict(GRID, times).reshape(len(times), -1, 3)
        errors = [
            float((ours - dense).norm() / dense.norm())
            for ours, dense in zip(predictions, dense_predictions(kernel, y), strict=True)
        ]
        rows.append(Row(f"Chebyshev flow, {name}", max(errors[:-1]), at_most=1e-6))
        rows.append(Row(f"t = infinity, {name}", errors[-1], at_most=1e-6))
    return rows
