"""Eigenvectors of a symmetric matrix, kept as the two factors that LAPACK makes them of."""

import importlib
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from ntkit._core.blas_threads import blas_threads
from ntkit._core.settings import Shared

__all__ = ["Eigenvectors", "eigenvectors"]

_LARGE = 512
"""Points from which the stages are taken: there they take 0.6 of the time of `eigh`, at 1,024 points half of it, at 256 as
long. What they save at 512 points, 16 ms, does not pay for the import of SciPy (0.2 s, once a process); at 1,500 it does."""


class Eigenvectors:
    """`K = V diag(values) V^T` with `V = Q Z`, `Q` a product of reflections.

    To form `V` costs half of a decomposition, and to multiply a few vectors by it needs no `V`.

    Args:
        values: `[n]`, rising.
        inner: `Z`, `[n, n]`.
        outer: Reflections and scales of `Q`, as `torch.ormqr` takes them, for all rows but the
            first; None where `Q` is the identity.
    """

    def __init__(
        self,
        values: Float[Tensor, " n"],
        inner: Float[Tensor, "n n"],
        outer: tuple[Tensor, Tensor] | None,
    ) -> None:
        self.values = values
        self._inner = inner
        self._outer = outer

    def into(self, rows: Float[Tensor, "c n"]) -> Float[Tensor, "c n"]:
        """`rows @ V`."""
        return self._turned(rows, transpose=True) @ self._inner

    def back(self, rows: Float[Tensor, "c n"]) -> Float[Tensor, "c n"]:
        """`rows @ V^T`."""
        return self._turned(rows @ self._inner.T, transpose=False)

    def _turned(self, rows: Tensor, *, transpose: bool) -> Tensor:
        """`Q` or its transpose times each row."""
        if self._outer is None:
            return rows
        rest = rows[:, 1:].T.contiguous()
        turned = torch.ormqr(*self._outer, rest, left=True, transpose=transpose)
        return torch.cat([rows[:, :1], turned.T], 1)


def eigenvectors(matrix: Float[Tensor, "n n"]) -> Eigenvectors:
    """The eigendecomposition of a symmetric matrix, in its own precision.

    `torch.linalg.eigh`; for large matrices on a CPU, where SciPy and threadpoolctl are installed (the extra `fast`), the
    first two of the three stages that it consists of (to tridiagonal form, divide and conquer), without the third (to
    multiply the factors).

    Cost: O(n^3) time, `2 n^2` numbers beside the matrix.

    Source: LAPACK's `syevd`: `sytrd`, `stedc`, `ormtr`.

    Example:
        >>> matrix = torch.tensor([[2.0, 1.0], [1.0, 2.0]])
        >>> eigenvectors(matrix).values
        tensor([1., 3.])
    """
    found = _by_stages(matrix) if _is_for_stages(matrix) else None
    if found is None:
        values, vectors = torch.linalg.eigh(matrix)
        found = Eigenvectors(values, vectors, None)
    return found


def _is_for_stages(matrix: Tensor) -> bool:
    """LAPACK's stages know memory of the CPU, two precisions, and no derivative."""
    tracked = matrix.requires_grad and torch.is_grad_enabled()
    tracked = tracked or forward_ad.unpack_dual(matrix).tangent is not None
    known = matrix.dtype in (torch.float32, torch.float64) and matrix.device.type == "cpu"
    return known and not tracked and len(matrix) >= _LARGE


@cache
def _scipy() -> tuple[Any, Shared] | None:
    """SciPy's linear algebra and the hold of its threads; None without either."""
    try:
        linalg = importlib.import_module("scipy.linalg")
    except ImportError:
        return None
    threads = blas_threads()  # after the import: it knows the libraries that are loaded
    return None if threads is None else (linalg, threads)


def _least(dtype: np.dtype) -> float:
    """Of the largest entry, below which LAPACK's own drivers scale a matrix; the stages do not."""
    limits = np.finfo(dtype)
    return float(limits.tiny / limits.eps) ** 0.5


def _by_stages(matrix: Tensor) -> Eigenvectors | None:
    """None where SciPy cannot, or does not succeed: `eigh` scales what is out of range, or says why it fails."""
    scipy = _scipy()
    if scipy is None:
        return None
    linalg, threads = scipy
    try:
        # Its own transpose: in order of columns, without a copy.
        symmetric = matrix.detach().resolve_neg().numpy().T
    except RuntimeError:  # `torch.func.jvp` and `vmap` show no numbers
        return None
    if max(symmetric.max(), -symmetric.min()) < _least(symmetric.dtype):
        return None
    names = ("sytrd", "sytrd_lwork", "stevd")
    try:
        sytrd, sytrd_lwork, stevd = linalg.get_lapack_funcs(names, (symmetric,))
    except ValueError:
        return None  # older releases lack `stevd`; `stemr`, which they have, is not orthogonal in float32
    with threads():
        work, _ = sytrd_lwork(len(matrix), lower=1)
        reflections, diagonal, off, scales, failed = sytrd(symmetric, lower=1, lwork=int(work))
        if failed or not np.isfinite(diagonal).all() or not np.isfinite(off).all():
            return None
        values, inner, failed = stevd(diagonal, off)
    if failed:
        return None
    outer = (torch.from_numpy(reflections[1:, :-1]), torch.from_numpy(scales))
    return Eigenvectors(torch.from_numpy(values), torch.from_numpy(inner), outer)
