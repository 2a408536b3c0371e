"""Gram matrices by one function of the angle: an inner product and a polynomial an entry."""

import threading
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from ntkit.kernels.infinite.angle import AngleProfile, Polynomial
from ntkit.kernels.infinite.engine import run_tiles
from ntkit.kernels.infinite.enter import close_pairs
from ntkit.kernels.infinite.job import Job
from ntkit.kernels.infinite.prepared import Prepared

__all__ = ["Choice", "chosen", "gram_by_angle"]

_WORTH = 2**14
"""Entries from which a polynomial pays: its own making takes a few hundred of them."""

_ROWS, _COLUMNS = 256, 1024
"""Of a tile: its buffers stay in the cache, and the products run at full speed. Flat, because of a tile
on the diagonal up to half of `rows^2` entries are computed twice."""

_SAME_NORM = 8 * torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class Choice:
    """The function of the angle, and what its values are multiplied by.

    Attributes:
        profile: The kernel of unit vectors, or of vectors of the one length that all have.
        scales: Lengths of rows and columns; None where all have one.
    """

    profile: AngleProfile
    scales: tuple[Tensor, Tensor] | None


def chosen(prepared: Prepared, z1: Tensor, z2: Tensor | None, dtype: torch.dtype) -> Choice | None:
    """The function that serves these points; None where there is none, or it does not pay."""
    cols = z1 if z2 is None else z2
    if not prepared.is_elementwise or len(z1) * len(cols) < _WORTH:
        return None
    var1, var2 = (z1**2).mean(1), (cols**2).mean(1)
    low = float(torch.minimum(var1.min(), var2.min()))
    high = float(torch.maximum(var1.max(), var2.max()))
    if high > 0 and high - low <= _SAME_NORM * high:
        profile = prepared.profile(high, dtype)
        return None if profile is None else Choice(profile, None)
    if not prepared.is_homogeneous:
        return None
    profile = prepared.profile(1.0, dtype)
    scales = var1.sqrt().to(dtype), var2.sqrt().to(dtype)
    return None if profile is None else Choice(profile, scales)


def gram_by_angle(choice: Choice, z1: Tensor, z2: Tensor | None, out: Tensor, job: Job) -> None:
    """The matrix, into `out` `[n, m]`.

    In float32 the inner products and polynomials are too; angles of close pairs, which would lose
    their digits, are computed in float64 in any case.

    Args:
        choice: The function.
        z1: Features of the rows.
        z2: Features of the columns; those of the rows if left out.
        out: Where it goes.
        job: In how much memory.
    """
    cols = z1 if z2 is None else z2
    profile, scales, symmetric = choice.profile, choice.scales, z2 is None
    unit1 = _unit(z1, out.dtype)
    unit2 = unit1 if z2 is None else _unit(z2, out.dtype)
    threads = job.threads(2 * out.element_size())
    rows, columns = _tile_sizes(job.memory // (threads * 2 * out.element_size()))
    buffers = _Buffers(out, rows * columns)
    at_zero = float(profile.by_angle(torch.zeros(1, dtype=torch.float64)))

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        here = out[i:i_stop, j:j_stop]
        cosine, scratch = buffers.take(*here.shape)
        torch.mm(unit1[i:i_stop], unit2[j:j_stop].T, out=cosine)
        same = symmetric and i == j
        if same:
            cosine.fill_diagonal_(0)
        low, high = cosine.aminmax()
        largest = max(-float(low), float(high))
        places, angles = close_pairs(cosine, largest, z1[i:i_stop], cols[j:j_stop])
        _evaluate(profile, cosine, largest, scratch, here)
        if places is not None:
            here[places] = profile.by_angle(angles).to(out.dtype)
        if same:
            here.diagonal().fill_(at_zero)
        if scales is not None:
            here *= scales[0][i:i_stop, None]
            here *= scales[1][None, j:j_stop]
        if symmetric and j_stop > i_stop:
            start = max(j, i_stop)
            out[start:j_stop, i:i_stop] = here[:, start - j :].T

    n, m = out.shape
    run_tiles(tile, n, m, (rows, columns), job, symmetric=symmetric, threads=threads)


def _tile_sizes(entries: int) -> tuple[int, int]:
    """Rows and columns of a tile of at most that many entries."""
    rows = min(_ROWS, max(1, isqrt(entries)))
    return rows, max(1, min(_COLUMNS, entries // rows))


class _Buffers(threading.local):
    """Two tiles for each thread, used again and again: fresh memory costs more than the arithmetic."""

    def __init__(self, like: Tensor, entries: int) -> None:
        self._tiles = like.new_empty(2, entries)

    def take(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
        """Views of that shape."""
        first, second = self._tiles[:, : rows * columns].reshape(2, rows, columns)
        return first, second


def _evaluate(
    profile: AngleProfile, cosine: Tensor, largest: float, scratch: Tensor, out: Tensor
) -> None:
    """The profile at the cosines, into `out`; close pairs come later and may hold anything here."""
    polynomial = profile.at_reach(largest)
    if polynomial is None:
        polynomial = profile.by_angle
        cosine.clamp_(-1, 1).acos_()
    _horner(polynomial, cosine, scratch, out)


def _horner(polynomial: Polynomial, x: Tensor, scratch: Tensor, out: Tensor) -> None:
    """The polynomial at `x`, which is overwritten; one pass over the tile a power."""
    if polynomial.powers is None:
        out.copy_(polynomial(x))
        return
    if polynomial.centre:
        x.sub_(polynomial.centre)
    powers = polynomial.powers[:, 0]
    degrees = torch.arange(len(powers) - 1, -1, -1, dtype=powers.dtype)
    values = list((powers / polynomial.half**degrees).to(x))  # of `x` itself: a pass less
    torch.add(values[1], x, alpha=float(values[0]), out=scratch)
    for value in values[2:-1]:
        torch.addcmul(value, scratch, x, out=scratch)
    torch.addcmul(values[-1], scratch, x, out=out)


def _unit(z: Tensor, dtype: torch.dtype) -> Tensor:
    length = z.norm(dim=1, keepdim=True)
    return (z / torch.where(length > 0, length, 1)).to(dtype)
