"""A sparse matrix that multiplies fast both ways: its rows are kept, and those of its transpose."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

__all__ = ["Entries", "SparseMatrix", "added", "both_parts"]

_AT_ONCE = 1_000_000  # entries


class Entries(NamedTuple):
    """Entries of some rows of a matrix, row by row.

    Attributes:
        counts: `[n]`, how many each row has.
        columns: `[nnz]`, int32.
        values: `[nnz]`.
    """

    counts: Tensor
    columns: Tensor
    values: Tensor

    def like(self, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row numbers, columns and values, with the dtype and device of `v`."""
        counts, columns, values = (part.to(v.device) for part in self)
        rows = torch.arange(len(counts), device=v.device).repeat_interleave(counts)
        return rows, columns, values.to(v.dtype)


@dataclass(frozen=True, eq=False)
class _Rows:
    """One direction: compressed rows, and torch's matrices of them, one a dtype and device."""

    starts: Int[Tensor, " n_1"]
    columns: Int[Tensor, " nnz"]
    values: Shaped[Tensor, " nnz"]
    n_columns: int
    made: dict[tuple[torch.dtype, torch.device], Tensor] = field(default_factory=dict)

    def times(self, v: Shaped[Tensor, "m o"]) -> Shaped[Tensor, "n o"]:
        key = (v.dtype, v.device)
        if key not in self.made:
            self.made[key] = _compressed(
                self.starts.to(v.device),
                self.columns.to(v.device),
                self.values.to(v.device, v.dtype),
                (len(self.starts) - 1, self.n_columns),
            )
        return self.made[key] @ v.contiguous()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "made": {}}


@dataclass(frozen=True, eq=False)
class SparseMatrix:
    """A matrix `[n, m]` of few entries, in compressed rows, and its transpose likewise where that fits.

    12 bytes an entry in float64, or twice as much. Measured with 7 million entries on one thread: 9 to 13 ms a product
    either way; without the transpose 100 for its product, where coordinates (COO) take 400 and a transposed view of the
    rows 1,100.

    Attributes:
        n_columns: `m`.
        n_both: Entries up to which the transpose is kept.
    """

    forward: _Rows
    n_columns: int
    n_both: int = 2**31

    @classmethod
    def of_rows(
        cls, parts: Iterable[Entries], n_columns: int, n_both: int = 2**31
    ) -> "SparseMatrix":
        """From entries of some rows after the other."""
        counts, columns, values = (torch.cat(each) for each in zip(*parts, strict=True))
        return cls(_Rows(_starts(counts), columns.int(), values, n_columns), n_columns, n_both)

    @property
    def n_rows(self) -> int:
        """How many rows it has, `n`."""
        return len(self.forward.starts) - 1

    @property
    def counts(self) -> Int[Tensor, " n"]:
        """How many entries each row has."""
        return self.forward.starts.diff()

    @cached_property
    def backward(self) -> _Rows:
        """The transpose in compressed rows."""
        own = self.forward
        order = torch.argsort(own.columns, stable=True)
        counts = torch.bincount(own.columns, minlength=self.n_columns)
        rows = torch.arange(self.n_rows, dtype=torch.int32, device=counts.device)
        rows = rows.repeat_interleave(self.counts)
        return _Rows(_starts(counts), rows[order], own.values[order], self.n_rows)

    def times(self, v: Shaped[Tensor, "m o"]) -> Shaped[Tensor, "n o"]:
        """The product with each column; of a real matrix with complex columns too."""
        return self._product(self.forward.times, v)

    def transposed_times(self, v: Shaped[Tensor, "n o"]) -> Shaped[Tensor, "m o"]:
        """The product of the transpose, not conjugated, with each column."""
        if len(self.forward.values) <= self.n_both:
            return self._product(self.backward.times, v)
        return self._product(lambda c: added(self.batches(), c, self.n_columns), v)

    def batches(self) -> Iterator[tuple[slice, Entries]]:
        """Rows, and their entries, about a million at once."""
        starts = self.forward.starts
        steps = torch.arange(0, int(starts[-1]) + _AT_ONCE, _AT_ONCE, device=starts.device)
        cuts = [*torch.searchsorted(starts[1:], steps.int()).unique().tolist(), self.n_rows]
        for first, last in pairwise(cuts):
            own = slice(int(starts[first]), int(starts[last]))
            entries = Entries(
                starts[first : last + 1].diff(), self.forward.columns[own], self.forward.values[own]
            )
            yield slice(first, last), entries

    def _product(self, times: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
        return times(v) if self.forward.values.is_complex() else both_parts(times, v)

    def rows(self, index: Int[Tensor, " k"]) -> "SparseMatrix":
        """The matrix of these rows alone, in this order."""
        counts, starts = self.counts[index], self.forward.starts[index]
        ends = counts.cumsum(0)
        shift = (starts - (ends - counts)).repeat_interleave(counts)
        at = torch.arange(len(shift), device=shift.device) + shift
        entries = Entries(counts, self.forward.columns[at], self.forward.values[at])
        return SparseMatrix.of_rows([entries], self.n_columns, self.n_both)


def added(
    batches: Iterable[tuple[slice, Entries]], v: Shaped[Tensor, "n o"], n_columns: int
) -> Shaped[Tensor, "m o"]:
    """The product of the transpose of a matrix that comes some rows after the other."""
    found = v.new_zeros(v.shape[1], n_columns)
    for part, entries in batches:
        rows, columns, values = entries.like(v)
        for k in range(v.shape[1]):  # along one axis index_add is many times faster
            found[k].index_add_(0, columns, v[part, k].index_select(0, rows) * values)
    return found.T


def both_parts(
    product: Callable[[Tensor], Tensor], v: Shaped[Tensor, "m o"]
) -> Shaped[Tensor, "n o"]:
    """A real product of complex columns: real and imaginary parts as columns of their own."""
    if not v.is_complex():
        return product(v)
    found = product(torch.view_as_real(v.resolve_conj()).flatten(-2))
    return torch.view_as_complex(found.unflatten(-1, (-1, 2)).contiguous())


def _starts(counts: Int[Tensor, " n"]) -> Int[Tensor, " n_1"]:
    """Where each row begins, and where the last one ends; int32, which is what MKL multiplies with."""
    zero = counts.new_zeros(1, dtype=torch.int64)
    return torch.cat([zero, counts.cumsum(0)]).int()


def _compressed(
    starts: Int[Tensor, " n_1"],
    columns: Int[Tensor, " nnz"],
    values: Shaped[Tensor, " nnz"],
    shape: tuple[int, int],
) -> Tensor:
    """Torch's compressed matrix."""
    with (
        warnings.catch_warnings()
    ):  # torch says once that the layout is in beta: of a product alone, tested here
        warnings.filterwarnings("ignore", message=".*beta state.*")
        # The columns of a row need no order for a product: invariants would ask for one.
        return torch.sparse_csr_tensor(starts, columns, values, shape, check_invariants=False)
