"""Products with an empirical kernel, piece by piece of its points, wherever an executor has places."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from ntkit._core.executor import Executor
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.derivatives import DerivativeProducts
from ntkit.kernels.empirical.evaluation import evaluation
from ntkit.kernels.empirical.kept_products import KeptProducts, kept_bytes
from ntkit.kernels.empirical.kernel_products import AbstractProducts
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.outputs import Outputs
from ntkit.kernels.empirical.target import Target

__all__ = ["SpreadProduct"]

_PIECE = 256
"""Points of a piece: it depends on nothing else, so that digits do not depend on who computes."""

Pulled = list[list[Tensor]]
"""For each slice of outputs, what `AbstractProducts.pulled` gives."""


@dataclass
class SpreadSource:
    """The network and its points, which travel once; each place keeps the factors of the pieces that it has met.

    Attributes:
        target: The network, whose values nobody changes.
        sides: Row points, and column points where they are others.
        outputs: As in the kernel.
        memory: Bytes for the factors or graphs of all pieces.
        is_kept: Whether products are by kept factors, else by derivatives.
    """

    target: Target
    sides: tuple[Batch, ...]
    outputs: Outputs
    memory: int
    is_kept: bool
    known: dict[tuple[int, int], AbstractProducts] = field(default_factory=dict)
    lock: Any = field(default_factory=Lock)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in {"known", "lock"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, known={}, lock=Lock())

    def products(self, side: int, start: int) -> AbstractProducts:
        """Those of a piece with itself; the lock is held.

        Raises:
            ValueError: The network takes a way of its own with these points.
        """
        if (side, start) not in self.known:
            x = self.sides[side][start : start + _PIECE]
            with self.target.evaluation() as still:
                job = NetworkRuns(still, x, None, self.outputs, self.memory)
                if self.is_kept and job.left_out:
                    raise ValueError(
                        f"The network takes another way with points {start} to {start + len(x) - 1} than with the first "
                        "ones, and products of both do not add. Leave `executor` out."
                    )
                self.known[side, start] = (
                    KeptProducts(job)
                    if self.is_kept
                    else DerivativeProducts(still, x, x, job.outputs, self.memory)
                )
        return self.known[side, start]


class SpreadProduct:
    """`v -> J1 (J2^T v)` on rows: `J2^T v` summed over pieces of the column points, then `J1` times it by pieces.

    Args:
        target: The network, whose values nobody changes.
        x1: Row points.
        x2: Column points; None for the same.
        outputs: As in the kernel.
        memory: Bytes in each place for factors or graphs.
        executor: The places.

    Attributes:
        block: Rows that a point has in the matrix: the outputs that are kept apart.
        about: What a product takes, in words.

    Cost: O(n + m) runs of the network's layers, and as many numbers as it has parameters to and fro for each piece,
    output and vector.
    """

    def __init__(
        self,
        target: Target,
        x1: Batch,
        x2: Batch | None,
        outputs: Outputs,
        memory: int,
        executor: Executor,
    ) -> None:
        self._of = target, x1, x2, outputs, memory, executor
        sides = (x1,) if x2 is None else (x1, x2)
        pieces = sum(len(_starts(len(x))) for x in sides)
        with target.evaluation() as still:
            job = NetworkRuns(still, x1[:_PIECE], None, outputs, memory)
            is_kept = not job.left_out and kept_bytes(job) * pieces <= memory
            self._width: int = KeptProducts(job).width if is_kept else 1
        n_outputs = len(job.outputs)
        self.block: int = n_outputs if job.full else 1
        self._slices = [slice(0, n_outputs)] if job.full else _singles(n_outputs)
        self._executor, self._sizes = executor, (len(x1), len(sides[-1]))
        bytes_each = memory if is_kept else memory // pieces
        source = SpreadSource(target, sides, outputs, bytes_each, is_kept)
        self._shared = executor.share(source)
        how = "factors, kept" if is_kept else "derivatives of the network"
        self.about: str = f"{pieces} pieces of points by {executor!r}: {how}"

    def __call__(self, v: Tensor) -> Tensor:
        """The product with each row of `v [w, m]`, `m` times the outputs with all pairs of them."""
        few = [self._product(part) for part in v.split(self._width)]
        return torch.cat(few)

    def _product(self, v: Tensor) -> Tensor:
        rows, columns = self._sizes
        last = 0 if self._of[2] is None else 1
        vectors = self._executor.share(v.unflatten(1, (columns, self.block)))
        pull, push = _Pull(last, self._slices), _Push(self._slices, self.block)
        parts = self._executor.map(pull, _starts(columns), self._shared, vectors)
        total = _summed(parts)
        sums = self._executor.share(total)
        found = self._executor.map(push, _starts(rows), self._shared, sums)
        return torch.cat(list(found), 1).flatten(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return SpreadProduct, self._of


@dataclass(frozen=True)
class _Pull:
    """`J2^T v` of a piece of the column points, for each slice of outputs."""

    side: int
    slices: Sequence[slice]

    def __call__(self, start: int, source: SpreadSource, v: Tensor) -> Pulled:
        part = v[:, start : start + _PIECE]
        with source.lock, evaluation(source.target.device), torch.no_grad():
            products = source.products(self.side, start)
            return [products.pulled(part, outputs) for outputs in self.slices]


@dataclass(frozen=True)
class _Push:
    """`J1 u` of a piece of the row points, `[w, n, block]`: all outputs, or the mean over them."""

    slices: Sequence[slice]
    block: int

    def __call__(self, start: int, source: SpreadSource, u: Pulled) -> Tensor:
        with source.lock, evaluation(source.target.device), torch.no_grad():
            products = source.products(0, start)
            pairs = zip(self.slices, u, strict=True)
            found = [products.pushed(part, outputs) for outputs, part in pairs]
        return found[0] if self.block > 1 else torch.stack(found).mean(0)


def _summed(parts: Iterator[Pulled]) -> Pulled:
    """The sum over pieces, in their order."""
    total = [[t.clone() for t in part] for part in next(parts)]
    for found in parts:
        for whole, part in zip(total, found, strict=True):
            for a, b in zip(whole, part, strict=True):
                a += b
    return total


def _starts(n: int) -> range:
    return range(0, n, _PIECE)


def _singles(n: int) -> list[slice]:
    return [slice(k, k + 1) for k in range(n)]
