"""Running a program: each point alone where that is needed, then the pairs, tile by tile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ntkit._core.chunk_sizes import ALONE
from ntkit._core.memory import keep_freed_memory
from ntkit._core.threads import in_threads
from ntkit.kernels.infinite.back.chains import Chain, through
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.op import At, Context, Side
from ntkit.kernels.infinite.program.program import Program, demands
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["learn_alone", "propagate", "run_tiles"]

Chains = Mapping[int, Chain]
NO_CHAINS: Chains = {}

Corner = tuple[int, int, int, int]
"""Rows and columns of a tile: `row, row_stop, column, column_stop`."""


def propagate(
    program: Program, wanted: Sequence[Demand | None], context: Context, within: Chains = NO_CHAINS
) -> list[PairState]:
    """The states of a program's outputs, on the points of `context`.

    Args:
        program: The operations.
        wanted: What each must deliver.
        context: The points.
        within: Layers that may be computed together, by their last operation.
    """
    states: list[PairState | None] = [None] * len(program.ops)
    last_use = _last_uses(program, wanted)
    later = {k for chain in within.values() for k in chain.within}

    def run(index: int) -> None:
        op, demand = program.ops[index], wanted[index]
        if demand is None:
            return
        need = op.needs(demand)
        taken = tuple(_narrowed(states[k], need) for k in op.inputs)
        states[index] = program.apply(index, taken, At(context, index, demand))
        release(index)

    def release(index: int) -> None:
        for k in last_use.get(index, ()):
            states[k] = None  # large tables are let go at once

    for index in range(len(program.ops)):
        if index in later:
            continue
        chain = within.get(index)
        if chain is not None:
            state = states[chain.source]
            assert state is not None
            states[index] = through(chain, covariance_only(state), context)
            if states[index] is not None:
                for k in (*chain.within, index):
                    release(k)
                continue
            for k in chain.within:
                run(k)
        run(index)
    found = [states[k] for k in program.outputs]
    return [state for state in found if state is not None]


def learn_alone(program: Program, wanted: Sequence[Demand | None], side: Side) -> None:
    """Let each point meet itself, where a later operation needs to know its variances."""
    pairs = zip(program.ops, wanted, strict=True)
    learners = [k for k, (op, demand) in enumerate(pairs) if op.learns(demand)]
    if not learners:
        return
    short = replace(program, outputs=tuple(learners))
    asked = demands(short.ops, short.outputs, Demand("each", True))
    points = next(iter(side.features.values()))
    n = len(points)
    chunk = max(1, ALONE.on(points.device) // _largest(program, asked))
    variances: dict[int, list[Tensor]] = {}
    maps: dict[int, list[Tensor]] = {}
    for start in range(0, n, chunk):
        part = side.rows(start, min(n, start + chunk))
        propagate(short, asked, Context(part, None, with_ntk=False))
        for pieces, learned in ((variances, part.variances), (maps, part.maps)):
            for key, value in learned.items():
                pieces.setdefault(key, []).append(value)
    side.variances.update({key: torch.cat(values) for key, values in variances.items()})
    side.maps.update({key: torch.cat(values) for key, values in maps.items()})


def run_tiles(
    tile: Callable[[int, int, int, int], None],
    n: int,
    m: int,
    sizes: tuple[int, int],
    job: Request,
    *,
    symmetric: bool,
    threads: int,
) -> None:
    """Call `tile(row, row_stop, column, column_stop)` for every tile.

    Tiles below the diagonal are left out if `symmetric`. Torch's threads each take tiles of their
    own: small operations on one tile would not keep them busy.
    """
    height, width = sizes
    corners = [
        (i, min(n, i + height), j, min(m, j + width))
        for i in range(0, n, height)
        for j in range(i if symmetric else 0, m, width)
    ]
    total = sum(map(_pairs, corners))
    keep_freed_memory()
    if threads == 1 or len(corners) == 1:
        job.follow((_done(tile, corner) for corner in corners), total)
        return
    grad = torch.is_grad_enabled()

    def work(corner: Corner) -> int:
        with torch.set_grad_enabled(grad):
            return _done(tile, corner)

    with in_threads(work, corners, threads) as done:
        job.follow(done, total)


def _done(tile: Callable[[int, int, int, int], None], corner: Corner) -> int:
    """Pairs computed."""
    tile(*corner)
    return _pairs(corner)


def _pairs(corner: Corner) -> int:
    i, i_stop, j, j_stop = corner
    return (i_stop - i) * (j_stop - j)


def _narrowed(state: PairState | None, need: Demand) -> PairState:
    """No more than the next step needs."""
    assert state is not None
    if need.layout == "each" and state.layout == "pairs":
        state = state.each()
    return state if need.variances else covariance_only(state)


def _last_uses(program: Program, wanted: Sequence[Demand | None]) -> dict[int, list[int]]:
    last: dict[int, int] = {}
    for index, (op, demand) in enumerate(zip(program.ops, wanted, strict=True)):
        if demand is not None:
            last.update(dict.fromkeys(op.inputs, index))
    uses: dict[int, list[int]] = {}
    for before, index in last.items():
        if before not in program.outputs:
            uses.setdefault(index, []).append(before)
    return uses


def _largest(program: Program, wanted: Sequence[Demand | None]) -> int:
    """Numbers that one point takes in the largest table."""
    sizes = [1]
    for op, demand in zip(program.ops, wanted, strict=True):
        if demand is not None:
            size = torch.Size(op.units.positions).numel()
            sizes.append(size**2 if demand.layout == "pairs" else size)
    return max(sizes)
