"""Gram matrices of elementwise networks by covariances alone, and close pairs once more with care.

The angle of two units comes from their cosine, in a quarter of the passes over memory that the
distances of `Pair` take. It has lost digits where the cosine is near one, at whichever layer that is;
pairs that were so near at some layer are computed again, with their distances.
"""

from dataclasses import replace
from math import isqrt

import torch
from torch import Tensor

from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.interpreter import propagate, run_tiles
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.moments.distances import state_of_pairs
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import Context, PairWatch, Side

__all__ = ["gram_by_cosine", "pays"]

_WORTH = 2**12
"""Entries from which it pays to look twice."""

_SIDE = 512
"""Of a square tile: its tables stay in a core's cache."""

_LEAST = 16
"""Of a square tile: less is left to the general path."""

_AT_ONCE = 2**15
"""Close pairs that are computed at a time."""


def pays(executable: Executable, n: int, m: int, job: Request) -> bool:
    """Whether an `[n, m]` matrix is worth it, and the budget holds a tile."""
    return executable.is_elementwise and n * m >= _WORTH and _side(executable, job) >= _LEAST


def gram_by_cosine(
    executable: Executable, z1: Tensor, z2: Tensor | None, out: Tensor, job: Request
) -> None:
    """The matrix, into `out` `[n, m]`; for networks of which `pays` is true.

    Args:
        executable: The program.
        z1: Features of the rows.
        z2: Features of the columns; those of the rows if left out.
        out: Where it goes.
        job: In how much memory.
    """
    cols = z1 if z2 is None else z2
    n, m = out.shape
    symmetric = z2 is None
    var1, var2 = (z1**2).mean(1), (cols**2).mean(1)
    zero = torch.zeros((), dtype=z1.dtype, device=z1.device) if executable.with_ntk else None
    context = Context(Side({}), Side({}), executable.with_ntk)

    def values(points: PairState, watch: PairWatch | None) -> Tensor:
        found = replace(context, points=points, watch=watch)
        return executable.value(propagate(executable.program, executable.wanted, found)[0])

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        rows, columns = z1[i:i_stop], cols[j:j_stop]
        cov = rows @ columns.T
        watch = PairWatch()
        points = PairState(cov.div_(z1.shape[1]), zero, var1[i:i_stop, None], var2[None, j:j_stop])
        here = values(points, watch)
        if watch.close is not None:
            places = watch.close.nonzero(as_tuple=True)
            pieces = zip(*(index.split(_AT_ONCE) for index in places), strict=True)
            exact = [
                values(state_of_pairs(rows[r], columns[c], with_ntk=executable.with_ntk), None)
                for r, c in pieces
            ]
            here = here.index_put(places, torch.cat(exact))
        if symmetric and j == i:
            here = here.triu() + here.triu(1).T
        out[i:i_stop, j:j_stop] = here
        if symmetric and j > i:
            out[j:j_stop, i:i_stop] = here.T

    side = _side(executable, job)
    width = min(m, max(side, side**2 // n))  # of few rows, long ones: each call has its own cost
    sizes = (side, side) if symmetric else (side**2 // width, width)
    threads = job.threads(executable.bytes_per_pair)
    run_tiles(tile, n, m, sizes, job, symmetric=symmetric, threads=threads)


def _side(executable: Executable, job: Request) -> int:
    """Of a square tile within the budget."""
    bytes_per_pair = executable.bytes_per_pair
    return min(_SIDE, isqrt(job.memory // (job.threads(bytes_per_pair) * bytes_per_pair)))
