"""Gram matrices by one function of the angle: an inner product and a polynomial an entry."""

import threading
from contextlib import nullcontext
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from ntkit._core.settings import full_products
from ntkit.kernels.infinite.back.angle import AngleProfile
from ntkit.kernels.infinite.back.angle_tiles import tiles_for
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.interpreter import run_tiles
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.moments.distances import close_pairs

__all__ = ["AngleRoute", "chosen", "gram_by_angle"]

_WORTH = 2**14
"""Entries from which a polynomial pays: its own making takes a few hundred of them."""

_SAME_NORM = 8 * torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class AngleRoute:
    """The function of the angle, and what its values are multiplied by.

    Attributes:
        profile: The kernel of unit vectors, or of vectors of the one length that all have.
        norms: Euclidean lengths of the features of rows and columns.
        scales: Lengths of rows and columns; None where all have one.
    """

    profile: AngleProfile
    norms: tuple[Tensor, Tensor]
    scales: tuple[Tensor, Tensor] | None


def chosen(
    executable: Executable, z1: Tensor, z2: Tensor | None, dtype: torch.dtype
) -> AngleRoute | None:
    """The function that serves these points; None where there is none, or it does not pay."""
    cols = z1 if z2 is None else z2
    if not executable.is_elementwise or len(z1) * len(cols) < _WORTH:
        return None
    norms1 = torch.linalg.vector_norm(z1, dim=1)
    norms2 = norms1 if z2 is None else torch.linalg.vector_norm(z2, dim=1)
    norms = norms1, norms2
    var1, var2 = (each.square() / z1.shape[1] for each in norms)
    low = float(torch.minimum(var1.min(), var2.min()))
    high = float(torch.maximum(var1.max(), var2.max()))
    if high > 0 and high - low <= _SAME_NORM * high:
        profile = executable.profile(high, dtype)
        return None if profile is None else AngleRoute(profile, norms, None)
    if not executable.is_homogeneous:
        return None
    profile = executable.profile(1.0, dtype)
    scales = var1.sqrt().to(dtype), var2.sqrt().to(dtype)
    return None if profile is None else AngleRoute(profile, norms, scales)


def gram_by_angle(
    choice: AngleRoute, z1: Tensor, z2: Tensor | None, out: Tensor, job: Request
) -> None:
    """The matrix, into `out` `[n, m]`.

    In float32 the inner products and polynomials are too; angles of close pairs, which would lose
    their digits, are computed in float64 in any case.

    Args:
        choice: The function.
        z1: Features of the rows.
        z2: Features of the columns; those of the rows if left out.
        out: Where it goes.
        job: In how much memory.

    In float32 the products are in full float32 whatever is set: TF32 moves small angles by
    2e-2 (`benchmarks/tf32`).
    """
    cols = z1 if z2 is None else z2
    profile, scales, symmetric = choice.profile, choice.scales, z2 is None
    unit1 = _unit(z1, choice.norms[0], out.dtype)
    unit2 = unit1 if z2 is None else _unit(z2, choice.norms[1], out.dtype)
    fill = tiles_for(profile, scales, out)
    threads = job.threads(2 * out.element_size(), out.device)
    sizes = _tile_sizes(job.memory // (threads * 2 * out.element_size()), fill.tile)
    buffers = _Buffers(out, sizes[0] * sizes[1])
    at_zero = profile.by_angle(z1.new_zeros(1)).to(out.dtype)

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        cosine, scratch = buffers.take(i_stop - i, j_stop - j)
        torch.mm(unit1[i:i_stop], unit2[j:j_stop].T, out=cosine)
        same = symmetric and i == j
        if same:
            cosine.fill_diagonal_(0)
        low, high = torch.stack(cosine.aminmax()).tolist()  # a GPU is waited for once
        largest = max(-low, high)
        places, angles = close_pairs(cosine, largest, z1[i:i_stop], cols[j:j_stop])
        fill.tile_at((i, j), cosine, largest, scratch)
        if places is not None:
            put((i, j), places, profile.by_angle(angles).to(out.dtype))
        if same:
            put((i, j), (torch.arange(i_stop - i, device=out.device),) * 2, at_zero)
            fill.mirror_within(i, i_stop)  # products of the same two vectors may round in two ways
        if symmetric and j_stop > i_stop:
            fill.mirror((i, i_stop), (max(j, i_stop), j_stop))

    def put(corner: tuple[int, int], places: tuple[Tensor, ...], values: Tensor) -> None:
        """Values of unit vectors at places of a tile."""
        rows, columns = places[0] + corner[0], places[1] + corner[1]
        out[rows, columns] = (
            values if scales is None else values * scales[0][rows] * scales[1][columns]
        )

    n, m = out.shape
    with full_products() if out.dtype == torch.float32 else nullcontext():
        run_tiles(tile, n, m, sizes, job, symmetric=symmetric, threads=threads)


def _tile_sizes(entries: int, best: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of a tile of at most that many entries."""
    rows = min(best[0], max(1, isqrt(entries)))
    return rows, max(1, min(best[1], entries // rows))


class _Buffers(threading.local):
    """Two tiles for each thread, used again and again: fresh memory costs more than the arithmetic."""

    def __init__(self, like: Tensor, entries: int) -> None:
        self._tiles = like.new_empty(2, entries)

    def take(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Views of that shape."""
        first, second = self._tiles[:, : rows * columns].reshape(2, rows, columns)
        return first, second


def _unit(z: Tensor, norms: Tensor, dtype: torch.dtype) -> Tensor:
    return (z / torch.where(norms > 0, norms, 1)[:, None]).to(dtype)
