"""The plain way: Jacobians of blocks of samples, multiplied, under a memory budget."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.jacobian import can_vmap, jacobians
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.plan import KernelPlan, PlannedPart
from ntkit.kernels.empirical.products import rows_product
from ntkit.kernels.empirical.target import Target

__all__ = [
    "Contraction",
    "contracted",
    "contracted_diagonal",
    "jacobian_features",
    "sample_by_sample",
]


@dataclass(frozen=True)
class Contraction(AbstractGramMethod):
    """`J(x1) J(x2)^T` by blocks of the Jacobians. Holds for every module; the cost is the largest.

    Jacobians of single samples come from `vmap(jacrev)`, or one sample after the other where the
    module has an operation without a rule for `vmap` (`nn.LSTM`); the plan says which.

    Args:
        memory: Bytes for Jacobians. What fits in a quarter is computed once; more is computed again
            for each pair of blocks.

    Cost: `n m o^2 P` multiply-adds for `P` parameters (`n m o P` for the trace).

    Example:
        >>> import ntkit, torch
        >>> net = torch.nn.Linear(2, 1)
        >>> ntkit.empirical_ntk(net, method=Contraction())(torch.eye(2)).tolist()  # x.x' + 1, whatever the weights
        [[2.0, 1.0], [1.0, 2.0]]
    """

    memory: int = 2**30

    def __post_init__(self) -> None:
        replace_fields(self, memory=positive_int("memory", self.memory))

    def gram(self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs) -> Tensor:
        """`J(x1) J(x2)^T`, tile by tile; of a symmetric one the upper half."""
        chosen = positions(outputs, target.probe(x1))
        everything = range(len(target.names))
        full = outputs == "full"
        return contracted(target, x1, x2, chosen, everything, self.memory, full=full)

    def diag(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """Each sample with itself: `n` small products."""
        chosen = positions(outputs, target.probe(x))
        everything = range(len(target.names))
        full = outputs == "full"
        return contracted_diagonal(target, x, chosen, everything, self.memory, full=full)

    def features(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """The Jacobian itself, whole: `o P` numbers a sample."""
        return jacobian_features(target, x, outputs)

    def plan(self, target: Target, x: Batch, outputs: Outputs) -> KernelPlan:
        """Per-sample gradients throughout."""
        chosen = positions(outputs, target.probe(x))
        block = _TileJacobians(target, x, chosen, range(len(target.names)), self.memory)
        rows = tuple(
            PlannedPart(name, tuple(p.shape), *sample_by_sample(block.why_loop))
            for name, p in zip(target.names, target.parameters, strict=True)
        )
        tiles = block.tiles(x)
        size = 2 * block.row_bytes * _count(tiles[0].samples) * _count(tiles[0].outputs)
        return KernelPlan("contraction", rows, f"The Jacobian in {len(tiles)} blocks.", size)


def sample_by_sample(why_loop: str | None) -> tuple[str, str]:
    """How gradients of single samples are made, and why not by `vmap`."""
    if why_loop is None:
        return "per-sample gradients by vmap", ""
    return "per-sample gradients", f"no vmap: {why_loop}"


def jacobian_features(target: Target, x: Batch, outputs: Outputs) -> Tensor:
    """`J(x)`, `[n, o, P]` with all outputs; else `[n, o P]` over the root of their number."""
    chosen = positions(outputs, target.probe(x))
    block = _TileJacobians(target, x, chosen, range(len(target.names)), memory=1)
    tile = _JacobianTile(slice(0, len(x)), slice(0, len(chosen)))
    j = torch.cat([part.to(target.accumulation) for part in block.jacobian(x, tile)], 2)
    return j if outputs == "full" else j.flatten(1) / len(chosen) ** 0.5


def contracted(
    target: Target,
    x1: Batch,
    x2: Batch | None,
    outputs: list[int],
    wanted: Sequence[int],
    memory: int,
    *,
    full: bool,
) -> Tensor:
    """`J(x1) J(x2)^T` over the wanted parameters, `[n, m, o, o]` or the mean over outputs `[n, m]`."""
    other = x1 if x2 is None else x2
    block = _TileJacobians(target, max(x1, other, key=len), outputs, wanted, memory)
    rows = block.tiles(x1)
    columns = rows if x2 is None else block.tiles(other)
    o = len(outputs)
    shape = (len(x1), o, len(other), o) if full else (len(x1), len(other))
    total = torch.zeros(shape, dtype=torch.float64, device=target.device)
    for a, first in enumerate(rows):
        left = block.jacobian(x1, first)
        for b, second in enumerate(columns):
            if (x2 is None and b < a) or not (full or first.outputs == second.outputs):
                continue
            right = left if x2 is None and a == b else block.jacobian(other, second)
            tile = _product(left, right, full=full)
            _add(total, first, second, tile, full=full)
            if x2 is None and a != b:
                _add(total, second, first, _turned(tile), full=full)
    total = total.transpose(1, 2) if full else total / o
    return total.to(target.accumulation)


def contracted_diagonal(
    target: Target,
    x: Batch,
    outputs: list[int],
    wanted: Sequence[int],
    memory: int,
    *,
    full: bool,
) -> Tensor:
    """The diagonal of the same, `[n, o, o]` or `[n]`."""
    block = _TileJacobians(target, x, outputs, wanted, memory)
    o = len(outputs)
    shape = (len(x), o, o) if full else (len(x),)
    total = torch.zeros(shape, dtype=torch.float64, device=target.device)
    tiles = block.tiles(x)
    for first in tiles:
        left = block.jacobian(x, first)
        if not full:
            for j in left:
                # In float64 an output at a time: a copy of all is twice their size.
                for row in range(j.shape[1]):
                    total[first.samples] += j[:, row].double().square().sum(1)
            continue
        for second in tiles:
            if second.samples != first.samples:
                continue
            right = left if second is first else block.jacobian(x, second)
            for p, q in zip(left, right, strict=True):
                for own, other, i in zip(p, q, range(len(x))[first.samples], strict=True):
                    part = own.double() @ other.double().T
                    total[i, first.outputs, second.outputs] += part
    return (total if full else total / o).to(target.accumulation)


@dataclass(frozen=True)
class _JacobianTile:
    """A block of the Jacobian's rows: some samples, and some of the outputs asked for."""

    samples: slice
    outputs: slice


class _TileJacobians:
    """Jacobians of tiles that fit in the memory."""

    def __init__(
        self,
        target: Target,
        x: Batch,
        outputs: list[int],
        wanted: Sequence[int],
        memory: int,
    ) -> None:
        self.outputs = outputs
        self._target, self._wanted = target, wanted
        self.why_loop = can_vmap(target, x, 1 + max(outputs), wanted)
        every = target.parameters
        self.row_bytes = sum(every[k].numel() * every[k].element_size() for k in wanted)
        self._rows = max(1, memory // 4 // self.row_bytes)

    def tiles(self, x: Batch) -> list[_JacobianTile]:
        o = min(len(self.outputs), self._rows)
        n = min(len(x), max(1, self._rows // o))
        return [
            _JacobianTile(samples, outputs)
            for samples in _slices(len(x), n)
            for outputs in _slices(len(self.outputs), o)
        ]

    def jacobian(self, x: Batch, tile: _JacobianTile) -> list[Tensor]:
        """`[samples, outputs, p]` for each parameter."""
        return jacobians(
            self._target,
            x[tile.samples],
            self.outputs[tile.outputs],
            self._wanted,
            use_vmap=self.why_loop is None,
        )


def _slices(total: int, step: int) -> Iterator[slice]:
    for start in range(0, total, step):
        yield slice(start, min(total, start + step))


def _count(part: slice) -> int:
    return part.stop - part.start


def _product(left: list[Tensor], right: list[Tensor], *, full: bool) -> Tensor:
    """`[a, o, b, o']` or, summed over outputs, `[a, b]`, of two tiles."""
    (a, o), (b, q) = left[0].shape[:2], right[0].shape[:2]
    out = left[0].new_zeros((a * o, b * q) if full else (a, b), dtype=torch.float64)
    for p, r in zip(left, right, strict=True):
        if full:
            rows_product(p.flatten(0, 1), r.flatten(0, 1), out)
        else:
            rows_product(p.flatten(1), r.flatten(1), out)
    return out.reshape(a, o, b, q) if full else out


def _turned(tile: Tensor) -> Tensor:
    return tile.permute(2, 3, 0, 1) if tile.ndim == 4 else tile.T


def _add(
    total: Tensor, first: _JacobianTile, second: _JacobianTile, part: Tensor, *, full: bool
) -> None:
    if full:
        total[first.samples, first.outputs, second.samples, second.outputs] += part
    else:
        total[first.samples, second.samples] += part
