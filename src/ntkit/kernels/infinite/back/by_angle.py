"""Gram matrices by one function of the angle: an inner product and a polynomial an entry."""

import threading
from dataclasses import dataclass
from math import isqrt, pi
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.infinite.back.angle import AnglePolynomial, AngleProfile
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.interpreter import run_tiles
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.loops.available import loops_for, mirror
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
    """
    cols = z1 if z2 is None else z2
    profile, scales, symmetric = choice.profile, choice.scales, z2 is None
    unit1 = _unit(z1, choice.norms[0], out.dtype)
    unit2 = unit1 if z2 is None else _unit(z2, choice.norms[1], out.dtype)
    loops = loops_for(out.numel(), unit1) if out.is_contiguous() else None
    fill = _Plain(choice, out) if loops is None else _InOnePass(choice, out, loops)
    threads = job.threads(2 * out.element_size())
    sizes = _tile_sizes(job.memory // (threads * 2 * out.element_size()), fill.tile)
    buffers = _Buffers(out, sizes[0] * sizes[1])
    at_zero = profile.by_angle(z1.new_zeros(1)).to(out.dtype)

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        cosine, scratch = buffers.take(i_stop - i, j_stop - j)
        torch.mm(unit1[i:i_stop], unit2[j:j_stop].T, out=cosine)
        same = symmetric and i == j
        if same:
            cosine.fill_diagonal_(0)
        low, high = cosine.aminmax()
        largest = max(-float(low), float(high))
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


class _Plain:
    """Fills tiles of a matrix, one pass over memory a power; the oracle of `_InOnePass`."""

    tile = (256, 1024)
    """Rows and columns: two tiles stay in the cache, and the products run at full speed. Flat,
    because of a tile on the diagonal up to half of `rows^2` entries are computed twice."""

    def __init__(self, choice: AngleRoute, out: Tensor) -> None:
        self.profile, self.scales, self.out = choice.profile, choice.scales, out

    def tile_at(
        self, corner: tuple[int, int], cosine: Tensor, largest: float, scratch: Tensor
    ) -> None:
        """The profile at the cosines, which are overwritten; close pairs come later."""
        i, j = corner
        here = self.out[i : i + cosine.shape[0], j : j + cosine.shape[1]]
        polynomial = self.profile.at_reach(largest)
        if polynomial is None:
            polynomial = self.profile.by_angle
            cosine.clamp_(-1, 1).acos_()
        _horner(polynomial, cosine, scratch, here)
        if self.scales is not None:
            here *= self.scales[0][i : i + len(here), None]
            here *= self.scales[1][None, j : j + here.shape[1]]

    def mirror(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Copy a part of the upper triangle to its place below the diagonal."""
        above = self.out[slice(*rows), slice(*columns)]
        self.out[slice(*columns), slice(*rows)] = above.T

    def mirror_within(self, start: int, stop: int) -> None:
        """The same within a block on the diagonal."""
        block = self.out[start:stop, start:stop]
        block.copy_(block.triu() + block.triu(1).T)


class _InOnePass(_Plain):
    """The same by compiled loops, an entry at a time."""

    tile = (256, 2048)

    def __init__(self, choice: AngleRoute, out: Tensor, loops: Any) -> None:
        super().__init__(choice, out)
        self.loops, self.matrix = loops, out.numpy()
        n, m = out.shape
        left, right = (out.new_ones(n), out.new_ones(m)) if self.scales is None else self.scales
        self.lengths = left.numpy(), right.numpy()
        self.known: dict[int, tuple[Any, ...] | None] = {}

    def tile_at(
        self, corner: tuple[int, int], cosine: Tensor, largest: float, scratch: Tensor
    ) -> None:
        """The profile at the cosines."""
        polynomial = self.profile.at_reach(largest)
        if polynomial is None:
            polynomial = self.profile.by_angle
        if id(polynomial) not in self.known:
            self.known[id(polynomial)] = self._prepared(polynomial)
        found = self.known[id(polynomial)]
        if found is None:
            super().tile_at(corner, cosine, largest, scratch)
            return
        loop, coefficients, constants = found
        loop(cosine.numpy(), coefficients, constants, *self.lengths, self.matrix, *corner)

    def mirror(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """By blocks."""
        mirror(self.matrix, rows, columns)

    def mirror_within(self, start: int, stop: int) -> None:
        """By blocks: what is below the diagonal is overwritten before it is copied back."""
        mirror(self.matrix, (start, stop), (start, stop))

    def _prepared(self, polynomial: AnglePolynomial) -> tuple[Any, ...] | None:
        """The loop of a degree, its coefficients and constants; None where there is none."""
        coefficients = polynomial.coefficients
        if coefficients is None:
            return None
        degree = len(coefficients) - 1
        fitting = [known for known in self.loops.DEGREES if known >= degree]
        if not fitting:
            return None
        padded = self.out.new_zeros(fitting[0] + 1)
        padded[fitting[0] - degree :] = coefficients[:, 0]
        loop = self.loops.profile(fitting[0], polynomial is self.profile.by_angle)
        constants = self.out.new_tensor([polynomial.centre, 1.0, pi / 2])
        return loop, padded.numpy(), constants.numpy()


def _horner(polynomial: AnglePolynomial, x: Tensor, scratch: Tensor, out: Tensor) -> None:
    """The polynomial at `x`, which is overwritten; one pass over the tile a power."""
    coefficients = polynomial.coefficients
    if coefficients is None:
        out.copy_(polynomial(x))
        return
    if polynomial.centre:
        x.sub_(polynomial.centre)
    values = list(coefficients[:, 0].to(x))
    torch.add(values[1], x, alpha=float(values[0]), out=scratch)
    for value in values[2:-1]:
        torch.addcmul(value, scratch, x, out=scratch)
    torch.addcmul(values[-1], scratch, x, out=out)


def _unit(z: Tensor, norms: Tensor, dtype: torch.dtype) -> Tensor:
    return (z / torch.where(norms > 0, norms, 1)[:, None]).to(dtype)
