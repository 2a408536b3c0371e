"""Gram matrices of elementwise networks by covariances alone, and close pairs once more with care.

The angle of two units comes from their cosine, in a quarter of the passes over memory that the
distances of `Pair` take. It has lost digits where the cosine is near one, at whichever layer that is;
pairs that were so near at some layer are computed again, with their distances.
"""

from math import isqrt

import torch
from torch import Tensor

from ntkit._core.chunk_sizes import CLOSE_PAIRS
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.fused import is_worth_fusing
from ntkit.kernels.infinite.back.interpreter import run_tiles
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.moments.distances import state_of_pairs

__all__ = ["gram_by_cosine", "pays"]

_WORTH = 2**12
"""Entries from which it pays to look twice."""

_SIDE = 512
"""Of a square tile: its tables stay in a core's cache."""

_LEAST = 16
"""Of a square tile: less is left to the general path."""


def pays(executable: Executable, n: int, m: int, job: Request, device: torch.device) -> bool:
    """Whether an `[n, m]` matrix is worth it, and the budget holds a tile."""
    if not executable.is_elementwise or n * m < _WORTH:
        return False
    return _side(executable, job, device) >= _LEAST


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
    is_fused = executable.is_piecewise_linear and is_worth_fusing(out)
    values = executable.of_cosines if is_fused else executable.of_cosines.function

    def again(rows: Tensor, columns: Tensor) -> Tensor:
        state = state_of_pairs(rows, columns, with_ntk=executable.with_ntk)
        return executable.of_state(state)

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        rows, columns = z1[i:i_stop], cols[j:j_stop]
        cov = (rows @ columns.T).div_(z1.shape[1])
        here, close = values(cov, var1[i:i_stop, None], var2[None, j:j_stop])
        if close is not None and len(index := close.nonzero()):
            r, c = index.unbind(1)
            pieces = zip(*(t.split(CLOSE_PAIRS.on(z1.device)) for t in (r, c)), strict=True)
            exact = torch.cat([again(rows[one], columns[two]) for one, two in pieces])
            here = here.index_put((r, c), exact)
        if symmetric and j == i:
            here = here.triu() + here.triu(1).T
        out[i:i_stop, j:j_stop] = here
        if symmetric and j > i:
            out[j:j_stop, i:i_stop] = here.T

    side = _side(executable, job, z1.device)
    width = min(m, max(side, side**2 // n))  # of few rows, long ones: each call has its own cost
    sizes = (side, side) if symmetric else (side**2 // width, width)
    threads = job.threads(executable.bytes_per_pair, z1.device)
    run_tiles(tile, n, m, sizes, job, symmetric=symmetric, threads=threads)


def _side(executable: Executable, job: Request, device: torch.device) -> int:
    """Of a square tile within the budget; on a GPU as large as that allows."""
    bytes_per_pair = executable.bytes_per_pair
    side = isqrt(job.memory // (job.threads(bytes_per_pair, device) * bytes_per_pair))
    return min(_SIDE, side) if device.type == "cpu" else side
