"""From a kernel and points to an operator, with the structure that the points allow."""

from math import prod
from typing import Literal

import torch
from torch import Tensor

from ntkit._core.copies import snapshot
from ntkit._core.executor import Executor, Threads, check_executor
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel, AbstractLagKernel, as_stationary, points_of
from ntkit.kernels.empirical.batch import Points
from ntkit.kernels.matrix_free import AbstractMatrixFree
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator

__all__ = ["Structure", "gram"]

Structure = Literal["auto", "dense", "tiled", "matrix-free", "toeplitz", "circulant"]

_ORDER: tuple[Structure, ...] = ("circulant", "toeplitz", "dense", "matrix-free", "tiled")
"""The best first."""
_SPREAD = {"matrix-free", "tiled"}
"""Those whose products an executor may compute."""

DENSE_BYTES = 2**30
"""Up to this size, "auto" stores a matrix whole."""


def gram(
    kernel: AbstractKernel,
    points: Grid | Points,
    others: Grid | Points | None = None,
    *,
    structure: Structure = "auto",
    lazy: bool = False,
    dtype: torch.dtype = torch.float64,
    executor: Executor | None = None,
) -> AbstractOperator:
    """The Gram matrix of a kernel on points, as an operator: `op @ v`, `.diagonal()`, `.dense()`.

    Args:
        kernel: Any kernel. One of all pairs of outputs, `[n, m, o, o]`, has a matrix of `n o` rows,
            samples first.
        points: Row points: a `Grid`, a tensor `[n, d]`, or what the kernel of a network takes.
        others: Column points; `points` if left out.
        structure: "toeplitz" needs a stationary kernel and grids of the same spacing; "circulant"
            moreover whole-cycle frequencies and grids that span the unit period; "matrix-free" a
            kernel with products of its own (`empirical_ntk`); "tiled" computes tiles at each product;
            "auto" takes the first that holds of circulant, toeplitz, dense (up to 1 GiB),
            matrix-free and tiled. `op.kind` says which it is.
        lazy: Never store the matrix: "auto" leaves out dense.
        dtype: Precision of the products; kernel values are computed in float64 in any case.
        executor: Where tiles are computed: `ntkit.scale.Threads(2)`, or `ntkit.scale.DaskExecutor(client)` for the
            workers of a cluster. The matrix is then never stored: it is tiled, or matrix-free where the kernel has
            products of its own.

    Raises:
        ValueError: The structure asked for does not hold, and why.

    Cost: toeplitz and circulant O(n log n) a product after `2 n m` multiply-adds for the table of
    `m` frequencies; dense and tiled O(n^2); matrix-free O(n) times the size of the network.

    Example:
        >>> from torch import nn
        >>> import ntkit
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(2), 1, width=64, depth=2)
        >>> ntkit.gram(ntkit.ntk(net), ntkit.Grid((32, 32))[::2, ::2])
        <256 x 256 circulant operator, float64>
        >>> ntkit.gram(ntkit.empirical_ntk(net), torch.rand(50, 2), lazy=True)
        <50 x 50 matrix-free operator, float64>
    """
    columns = points if others is None else others
    obstacles = _obstacles(kernel, points, columns)
    if lazy:
        obstacles["dense"] = "`lazy=False`, as it stores the matrix"
    if executor is not None:
        check_executor(executor)
        obstacles |= {name: "no `executor`" for name in obstacles if name not in _SPREAD}
    if structure == "auto":
        structure = _first(kernel, points, columns, obstacles)
    if structure not in obstacles:
        raise ValueError(
            f'`structure={structure!r}` must be "auto", "dense", "tiled", "matrix-free", "toeplitz" '
            'or "circulant".'
        )
    if obstacles[structure] is not None:
        raise ValueError(f'`structure="{structure}"` needs {obstacles[structure]}.')
    stationary = as_stationary(kernel)
    if stationary and isinstance(points, Grid) and isinstance(columns, Grid):
        if structure == "toeplitz":
            return _toeplitz(stationary, points, columns, dtype)
        if structure == "circulant":
            return _circulant(stationary, points, columns, dtype)
    x1 = points_of(kernel, points)
    x2 = None if others is None else points_of(kernel, others)
    if structure == "matrix-free":
        assert isinstance(kernel, AbstractMatrixFree)
        return kernel.operator(x1, x2, dtype=dtype, executor=executor)
    if structure == "dense":
        return DenseOperator(_matrix(kernel(x1, x2)).to(dtype))
    # computed at each product: of copies, which stay what they are
    kernel, x1, x2 = snapshot((kernel, x1, x2))
    where = Threads() if executor is None else executor
    return TiledOperator(kernel, x1, x1 if x2 is None else x2, dtype=dtype, executor=where)


def _first(
    kernel: AbstractKernel,
    points: Grid | Points,
    others: Grid | Points,
    obstacles: dict[Structure, str | None],
) -> Structure:
    """The best structure that holds; dense if it fits."""
    free: list[Structure] = [s for s in _ORDER if obstacles[s] is None]
    if not free:
        return "tiled"  # whose obstacle is then named
    if free[0] == "dense" and 8 * _size(kernel, points) * _size(kernel, others) > DENSE_BYTES:
        return free[1]
    return free[0]


def _size(kernel: AbstractKernel, points: Grid | Points) -> int:
    """Rows or columns that points have in the matrix."""
    if isinstance(kernel, AbstractMatrixFree):
        return kernel.size(points_of(kernel, points))
    return len(points)


def _matrix(values: Tensor) -> Tensor:
    """All pairs of outputs as rows and columns, samples first."""
    return values if values.ndim == 2 else values.transpose(1, 2).flatten(2).flatten(0, 1)


def _obstacles(
    kernel: AbstractKernel, points: Grid | Points, others: Grid | Points
) -> dict[Structure, str | None]:
    """What stands in the way of each structure; None where nothing does."""
    found = _grid_obstacles(kernel, points, others)
    found["dense"] = found["tiled"] = None
    found["matrix-free"] = "a kernel with products of its own (`empirical_ntk`)"
    if isinstance(kernel, AbstractMatrixFree):
        found["matrix-free"] = None
        plain = all(isinstance(x, Grid | Tensor) for x in (points, others))
        if not plain or kernel.size(points_of(kernel, points)) != len(points):
            found["tiled"] = "one tensor of points, and one number for a pair of them"
    return found


def _grid_obstacles(
    kernel: AbstractKernel, points: Grid | Points, others: Grid | Points
) -> dict[Structure, str | None]:
    """What stands in the way of a grid structure; None where nothing does."""
    if not (isinstance(points, Grid) and isinstance(others, Grid)):
        what = "both point sets to be Grids, got a tensor"
        return {"circulant": what, "toeplitz": what}
    stationary = as_stationary(kernel)
    if stationary is None:
        what = (
            "a stationary kernel: `RBF` and its kin, or one Fourier encoding in front of the layers"
        )
        return {"circulant": what, "toeplitz": what}
    if not points.same_spacing(others):
        what = f"grids of the same spacing, got {points.spacing} and {others.spacing}"
        return {"circulant": what, "toeplitz": what}
    circulant = None
    if not stationary.has_unit_period:
        circulant = "whole-cycle frequencies (`Gaussian(..., integer=True)`)"
    elif points.shape != others.shape or not points.spans_unit_period():
        circulant = (
            f"grids with shape * spacing = 1 along each axis, got {points.shape} samples "
            f"{tuple(round(h, 6) for h in points.spacing)} apart (every other sample of an odd "
            "number does not close the circle)"
        )
    return {"circulant": circulant, "toeplitz": None}


def _toeplitz(
    kernel: AbstractLagKernel, rows: Grid, cols: Grid, dtype: torch.dtype
) -> ToeplitzOperator:
    lags = [
        (o1 - o2) + h * torch.arange(1 - m, n, dtype=torch.float64, device=kernel.device)
        for n, m, o1, o2, h in zip(
            rows.shape, cols.shape, rows.origin, cols.origin, rows.spacing, strict=True
        )
    ]
    return ToeplitzOperator(_table(kernel, lags), rows.shape, cols.shape, dtype=dtype)


def _circulant(
    kernel: AbstractLagKernel, rows: Grid, cols: Grid, dtype: torch.dtype
) -> CirculantOperator:
    lags = [
        (o1 - o2) + h * torch.arange(n, dtype=torch.float64, device=kernel.device)
        for n, o1, o2, h in zip(rows.shape, rows.origin, cols.origin, rows.spacing, strict=True)
    ]
    return CirculantOperator(kernel.lag_table(lags), dtype=dtype)


def _table(kernel: AbstractLagKernel, lags: list[Tensor]) -> Tensor:
    """All lags, of which one of each pair of opposites is computed and the other mirrored.

    The lags of an axis are completed to a range that is symmetric about zero, where one exists: with
    zero in it (`..., -h, 0, h, ...`, an odd number of them) or between two (`..., -h/2, h/2, ...`).
    """
    axes = [axis for axis in map(_symmetric_range, lags) if axis is not None]
    if len(axes) < len(lags) or prod(map(len, axes)) > 2 * prod(map(len, lags)):
        return kernel.lag_table(lags)
    first = axes[0]
    dims = list(range(len(axes)))
    half = kernel.lag_table([first[len(first) // 2 :], *axes[1:]])
    if len(first) % 2:
        centre = half[:1]
        centre = (centre + centre.flip(dims)) / 2  # the same bits on either side
        table = torch.cat([half[1:].flip(dims), centre, half[1:]])
    else:
        table = torch.cat([half.flip(dims), half])
    starts = [int((axis - lag[0]).abs().argmin()) for axis, lag in zip(axes, lags, strict=True)]
    return table[tuple(slice(i, i + len(lag)) for i, lag in zip(starts, lags, strict=True))]


def _symmetric_range(lag: Tensor) -> Tensor | None:
    """The shortest range symmetric about zero that holds these evenly spaced lags, if there is one."""
    if len(lag) == 1:
        return lag if float(lag) == 0 else None
    step = float(lag[-1] - lag[0]) / (len(lag) - 1)
    reach = float(lag.abs().max()) / step  # in steps: whole, or a half more than whole
    if abs(2 * reach - round(2 * reach)) > 1e-9:
        return None
    count = round(2 * reach) + 1
    return step * (torch.arange(count, dtype=lag.dtype, device=lag.device) - (count - 1) / 2)
