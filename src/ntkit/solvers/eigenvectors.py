"""Eigenvectors of a symmetric matrix, kept as the two factors that LAPACK makes them of."""

import ctypes
import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Eigenvectors", "eigenvectors"]

_LARGE = 512  # below, the time of `eigh` is not worth saving
_STEDC = b"void (char *, int *, {0} *, {0} *, {0} *, int *, {0} *, int *, int *, int *, int *)"


class Eigenvectors:
    """`K = V diag(values) V^T` with `V = Q Z`, `Q` a product of reflections.

    To form `V` costs a third of a decomposition, and multiplying few vectors by it needs no `V`.

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

    `torch.linalg.eigh`; for large matrices on a CPU, where scipy is installed, the first two of the
    three stages that it consists of (to tridiagonal form, divide and conquer), without the third
    (to multiply the factors).

    Cost: O(n^3) time, `2 n^2` numbers beside the matrix.

    Source: LAPACK's `syevd`: `sytrd`, `stedc`, `ormtr`.

    Example:
        >>> matrix = torch.tensor([[2.0, 1.0], [1.0, 2.0]])
        >>> eigenvectors(matrix).values
        tensor([1., 3.])
    """
    tracked = matrix.requires_grad and torch.is_grad_enabled()  # LAPACK's stages have no derivative
    large = matrix.device.type == "cpu" and len(matrix) >= _LARGE
    stages = _stages() if large and not tracked else None
    found = None if stages is None else stages(matrix)
    if found is None:
        values, vectors = torch.linalg.eigh(matrix)
        found = Eigenvectors(values, vectors, None)
    return found


@cache
def _stages() -> Callable[[Tensor], Eigenvectors | None] | None:
    """The two stages by scipy's LAPACK; None without it, or where its integers are not C's."""
    try:
        table = importlib.import_module("scipy.linalg.cython_lapack").__pyx_capi__
        lapack: Any = importlib.import_module("scipy.linalg.lapack")
    except (ImportError, AttributeError):
        return None
    found: dict[torch.dtype, Any] = {}
    for dtype, letter, number in ((torch.float32, "s", "float"), (torch.float64, "d", "double")):
        routine = _routine(table.get(f"{letter}stedc"), letter, number)
        if routine is None:
            return None
        found[dtype] = (
            getattr(lapack, f"{letter}sytrd"),
            getattr(lapack, f"{letter}sytrd_lwork"),
            routine,
        )
    return lambda matrix: _by_stages(matrix, *found[matrix.dtype])


def _routine(capsule: object, letter: str, number: str) -> Callable[..., None] | None:
    """The C function in a capsule, if its arguments are those that are passed here."""
    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype = ctypes.c_char_p
    api.PyCapsule_GetName.argtypes = [ctypes.py_object]
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    if capsule is None:
        return None
    name = api.PyCapsule_GetName(capsule)
    alias = f"__pyx_t_5scipy_6linalg_13cython_lapack_{letter}"
    if name not in {_STEDC.replace(b"{0}", kind.encode()) for kind in (alias, number)}:
        return None
    kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 11)
    return kind(api.PyCapsule_GetPointer(capsule, name))


def _by_stages(matrix: Tensor, sytrd: Any, sytrd_lwork: Any, stedc: Any) -> Eigenvectors | None:
    """None where divide and conquer does not converge."""
    n = len(matrix)
    # A symmetric matrix is its own transpose: no copy into the order of columns.
    work, _ = sytrd_lwork(n, lower=1)
    reflections, diagonal, off, scales, failed = sytrd(
        matrix.detach().numpy().T, lower=1, lwork=int(work)
    )
    values, off = diagonal.copy(), off.copy()
    vectors = np.empty((n, n), diagonal.dtype, order="F")
    space = np.empty(1 + 4 * n + n * n, diagonal.dtype)
    integers = np.empty(3 + 5 * n, np.intc)
    info = np.zeros(1, np.intc)
    sizes = np.array([n, len(space), len(integers)], np.intc)
    at = [sizes[i:].ctypes.data for i in range(3)]
    job = ctypes.create_string_buffer(b"I")
    stedc(
        ctypes.addressof(job), at[0], values.ctypes.data, off.ctypes.data, vectors.ctypes.data,
        at[0], space.ctypes.data, at[1], integers.ctypes.data, at[2], info.ctypes.data,
    )  # fmt: skip
    if failed or info[0]:
        return None
    outer = (torch.from_numpy(reflections[1:, :-1]), torch.from_numpy(scales))
    return Eigenvectors(torch.from_numpy(values), torch.from_numpy(vectors), outer)
