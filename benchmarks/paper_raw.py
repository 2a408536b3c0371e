"""The field of the tangent kernel of raw coordinates, which is not stationary: from its values on 4,096 points."""

from math import log

import torch
from torch import Tensor

from ntkit.grids import Grid
from ntkit.kernels import AbstractKernel
from ntkit.measurements import AbstractMeasurement
from ntkit.reconstruction.arguments import asked_data, asked_system
from ntkit.reconstruction.system import System

SIDE = {2: 64, 3: 16}
"""Points a side at which the field has values of its own, by dimensions: between them it is straight."""

_ITERATIONS = 200


def by_raw_coordinates(
    kernel: AbstractKernel, y: Tensor, A: AbstractMeasurement, bounds: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The field without bounds and within them; ridge and mean of largest marginal likelihood.

    `f = P (m + L c)` with `L L^T = K` and `P` the interpolation; `|A f - y|^2 + a |c|^2` is least: for bounds by ADMM (Boyd et al.
    2011, section 5). What is within bounds at its points is so between them.
    """
    system = asked_system(A, None, None)
    coarse = Grid((SIDE[len(A.field_shape)],) * len(A.field_shape))
    matrix = kernel(coarse.points() + 0.5 / coarse.shape[0])
    matrix = matrix / matrix.diagonal().mean()
    matrix.diagonal().add_(1e-9)  # below zero by rounding
    columns = torch.linalg.cholesky(matrix).T
    seen = columns @ _seen(system, coarse)
    flat = system.forward(torch.ones(1, 1, *A.field_shape, dtype=y.dtype))[0, 0]
    data = system.data_of(asked_data(y[..., None], A))[0]
    gram = seen @ seen.T
    ridge, mean = _likeliest(gram, seen, data, flat)
    gram.diagonal().add_(ridge)
    pull = seen @ (data - mean * flat)
    free = mean + torch.linalg.solve(gram, pull) @ columns
    weight = float(gram.trace() / matrix.trace())
    factor = torch.linalg.cholesky(gram + weight * columns @ columns.T)
    half = torch.linalg.solve_triangular(factor, columns, upper=False)
    smoothing = half.T @ half
    still = mean + torch.cholesky_solve(pull[:, None], factor)[:, 0] @ columns
    field, dual = free.clamp(*bounds), torch.zeros_like(free)
    for _ in range(_ITERATIONS):
        smooth = still + weight * smoothing @ (field - mean - dual)
        field = (smooth + dual).clamp(*bounds)
        dual += smooth - field
    free, field = (_between(each[None], coarse, A.field_shape)[0] for each in (free, field))
    return free, field


def _seen(system: System, coarse: Grid) -> Tensor:
    """`[points, data]`: what is measured of a field that is one at one point and zero at the others."""
    units = torch.eye(len(coarse), dtype=torch.float64).split(32)
    shape = system.measurement.field_shape
    return torch.cat([system.forward(_between(u, coarse, shape)[:, None])[:, 0] for u in units])


def _between(values: Tensor, coarse: Grid, shape: tuple[int, ...]) -> Tensor:
    """Fields from their values at the coarse points, each in the middle of a block of the fine ones."""
    way = "bilinear" if len(shape) == 2 else "trilinear"
    cases = values.reshape(len(values), 1, *coarse.shape)
    return torch.nn.functional.interpolate(cases, size=shape, mode=way, align_corners=False)[:, 0]


def _likeliest(gram: Tensor, seen: Tensor, data: Tensor, flat: Tensor) -> tuple[float, float]:
    """The ridge and mean of largest marginal likelihood, where the covariance is `seen^T seen + ridge`, times a scale."""
    eigenvalues, vectors = torch.linalg.eigh(gram)
    eigenvalues = eigenvalues.clamp_min(0)
    both = torch.stack([data, flat])
    among = both @ seen.T @ vectors
    squares = both @ both.T
    best = (-torch.inf, 0.0, 0.0)
    for ridge in (torch.logspace(-10, 1, 67, dtype=torch.float64) * eigenvalues.max()).tolist():
        inner = (squares - (among / (eigenvalues + ridge)) @ among.T) / ridge
        mean = float(inner[0, 1] / inner[1, 1])
        left = float(inner[0, 0] - mean * inner[0, 1])
        volume = float(torch.log1p(eigenvalues / ridge).sum()) + len(data) * log(ridge)
        value = -len(data) * log(left) - volume
        if value > best[0]:
            best = value, ridge, mean
    return best[1:]
