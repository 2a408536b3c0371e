"""Convolutions and piecewise linear layers in a row, computed together while a pair is in the cache.

Layer by layer, each table of covariances goes to memory and comes back several times, which takes
longer than the arithmetic. Here a pair of inputs passes through all layers of a chain before the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear, lengths
from ntkit.kernels.infinite.loops.available import loops_for
from ntkit.kernels.infinite.moments.convolution import Windows, loop_arguments, loop_order
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.program.op import Context
from ntkit.kernels.infinite.program.ops.affine import Convolve
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.program import Program
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["Chain", "chains", "through"]

_AXES = (1, 2)
"""Position axes of the inputs that the loops know."""


@dataclass(frozen=True)
class Link:
    """A convolution and the nonlinearity after it.

    Attributes:
        place: Of the convolution, under which the variances after it are kept.
        last: The place of the nonlinearity.
        windows: The convolution.
        bend: The nonlinearity.
    """

    place: int
    last: int
    windows: Windows
    bend: PiecewiseLinear


@dataclass(frozen=True)
class Chain:
    """Links in a row.

    Attributes:
        links: At least one.
        source: The place before the first.
    """

    links: tuple[Link, ...]
    source: int

    @property
    def last(self) -> int:
        """The place whose state they lead to."""
        return self.links[-1].last

    @property
    def within(self) -> tuple[int, ...]:
        """All places before it, in order."""
        return tuple(k for link in self.links for k in (link.place, link.last))[:-1]


def chains(program: Program, wanted: Sequence[Demand | None]) -> dict[int, Chain]:
    """The chains of a program, by their last places; nothing else asks for what is within them."""
    takers: dict[int, list[int]] = {}
    for index, (op, demand) in enumerate(zip(program.ops, wanted, strict=True)):
        for before in op.inputs if demand is not None else ():
            takers.setdefault(before, []).append(index)

    def is_within(index: int) -> bool:
        return len(takers.get(index, ())) == 1 and index not in program.outputs

    found: dict[int, Chain] = {}
    for index, op in enumerate(program.ops):
        demand = wanted[index]
        if demand is None or demand.layout != "pairs" or not is_within(index):
            continue
        if not isinstance(op, Convolve) or not op.windows.is_plain or op.windows.is_local:
            continue
        (taker,), source = takers[index], op.inputs[0]
        bend = program.ops[taker]
        if not isinstance(bend, Bend) or not isinstance(bend.activation, PiecewiseLinear):
            continue
        if len(op.units.positions) not in _AXES:
            continue
        before = found.pop(source, None) if is_within(source) else None
        link = Link(index, taker, op.windows, bend.activation)
        links = (*(() if before is None else before.links), link)
        found[taker] = Chain(links, source if before is None else before.source)
    return {c.last: c for c in (_cut(chain, wanted) for chain in found.values()) if c.links}


def _cut(chain: Chain, wanted: Sequence[Demand | None]) -> Chain:
    """Without the last links whose variances are asked for."""
    links = list(chain.links)
    while links:
        demand = wanted[links[-1].last]
        assert demand is not None
        if demand.layout == "pairs" and not demand.variances:
            break
        links.pop()
    return replace(chain, links=tuple(links))


def through(chain: Chain, state: PairState, context: Context) -> PairState | None:
    """The state after a chain; None where compiled loops do not serve.

    Args:
        chain: The layers.
        state: Before them, covariances of all pairs of positions.
        context: On which points.
    """
    cov, ntk = state.cov, state.ntk
    if context.second is None or context.watch is not None:
        return None
    if ntk is not None and ntk.ndim == 0 and float(ntk) != 0:
        return None
    loops = loops_for(cov.numel(), *((cov,) if ntk is None or ntk.ndim == 0 else (cov, ntk)))
    if loops is None:
        return None
    order = loop_order(cov.ndim, len(state.positions))
    back = [order.index(k) for k in range(cov.ndim)]
    stored = cov.permute(order).contiguous()
    shape = (*cov.shape[:2], -1)
    before = None
    if ntk is not None and ntk.ndim:
        before = ntk.expand_as(cov).permute(order).contiguous().view(shape).numpy()
    results = [torch.empty_like(stored) for _ in range(1 if ntk is None else 2)]
    places = [link.place for link in chain.links]
    first = torch.stack([context.first.variances[k] for k in places])
    second = torch.stack([context.second.variances[k] for k in places])
    loops.chain(
        stored.view(shape).numpy(),
        before,
        *loop_arguments(tuple(link.windows for link in chain.links), cov.dtype),
        _rows(lengths(first)),
        _rows(lengths(second)),
        np.stack([link.bend.constants(cov).numpy() for link in chain.links]),
        results[0].view(shape).numpy(),
        None if ntk is None else results[1].view(shape).numpy(),
    )
    found = [result.permute(back) for result in results]
    bare = covariance_only(state).without_scales()
    return replace(bare, cov=found[0], ntk=None if ntk is None else found[1])


def _rows(sizes: Tensor) -> np.ndarray:
    """`[layers, n, *positions]` as `[layers, n, s, w]`: one axis in front of the last."""
    return sizes.flatten(2, -2).numpy() if sizes.ndim > 3 else sizes[:, :, None].numpy()
