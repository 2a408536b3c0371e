"""Running a plan: each point alone where that is needed, then the pairs, tile by tile."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ntkit._core.memory import keep_freed_memory
from ntkit._core.threads import in_threads
from ntkit.kernels.infinite.chains import Chain, through
from ntkit.kernels.infinite.job import Job
from ntkit.kernels.infinite.plan import demands
from ntkit.kernels.infinite.read import Reading
from ntkit.kernels.infinite.state import PairState, covariance_only
from ntkit.kernels.infinite.steps import Context, Demand, Side

__all__ = ["learn_alone", "propagate", "run_tiles"]

Chains = Mapping[int, Chain]
NO_CHAINS: Chains = {}

Corner = tuple[int, int, int, int]
"""Rows and columns of a tile: `row, row_stop, column, column_stop`."""

_AT_ONCE = 2**18
"""Entries of the tables while points meet themselves."""


def propagate(
    reading: Reading, wanted: list[Demand | None], context: Context, within: Chains = NO_CHAINS
) -> list[PairState]:
    """The states of the module's outputs, on the points of `context`.

    Args:
        reading: The steps.
        wanted: What each must deliver.
        context: The points.
        within: Layers that may be computed together, by their last step.
    """
    states: list[PairState | None] = [None] * len(reading.steps)
    last_use = _last_uses(reading, wanted)
    later = {k for chain in within.values() for k in chain.within}

    def run(index: int) -> None:
        step, demand = reading.steps[index], wanted[index]
        if demand is None:
            return
        need = step.demand_of_inputs(demand)
        taken = tuple(_narrowed(states[k], need) for k in step.inputs)
        states[index] = step.run(taken, context, demand)
        release(index)

    def release(index: int) -> None:
        for k in last_use.get(index, ()):
            states[k] = None  # large tables are let go at once

    for index in range(len(reading.steps)):
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
    found = [states[k] for k in reading.outputs]
    return [state for state in found if state is not None]


def learn_alone(reading: Reading, wanted: list[Demand | None], side: Side) -> None:
    """Let each point meet itself, where a later step needs to know its variances."""
    learners = [
        k
        for k, (step, demand) in enumerate(zip(reading.steps, wanted, strict=True))
        if step.records(demand)
    ]
    if not learners:
        return
    short = replace(reading, outputs=tuple(learners))
    asked = demands(short, Demand("each", True))
    n = len(next(iter(side.features.values())))
    chunk = max(1, _AT_ONCE // _largest(reading, asked))
    pieces: dict[int, list[Tensor]] = {}
    for start in range(0, n, chunk):
        part = side.rows(start, min(n, start + chunk))
        propagate(short, asked, Context(part, None, with_ntk=False))
        for key, value in part.records.items():
            pieces.setdefault(key, []).append(value)
    side.records.update({key: torch.cat(values) for key, values in pieces.items()})


def run_tiles(
    tile: Callable[[int, int, int, int], None],
    n: int,
    m: int,
    sizes: tuple[int, int],
    job: Job,
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


def _last_uses(reading: Reading, wanted: list[Demand | None]) -> dict[int, list[int]]:
    last: dict[int, int] = {}
    for index, (step, demand) in enumerate(zip(reading.steps, wanted, strict=True)):
        if demand is not None:
            last.update(dict.fromkeys(step.inputs, index))
    uses: dict[int, list[int]] = {}
    for before, index in last.items():
        if before not in reading.outputs:
            uses.setdefault(index, []).append(before)
    return uses


def _largest(reading: Reading, wanted: list[Demand | None]) -> int:
    """Numbers that one point takes in the largest table."""
    sizes = [1]
    for step, demand in zip(reading.steps, wanted, strict=True):
        if demand is not None:
            size = torch.Size(step.value.positions).numel()
            sizes.append(size**2 if demand.layout == "pairs" else size)
    return max(sizes)
