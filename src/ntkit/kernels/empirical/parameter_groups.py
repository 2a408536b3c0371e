"""The parameters in groups that share uses, with the layouts of their gradients."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ntkit.kernels.empirical.backward import Gradient, Sums, weighted
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.output_gradients import Ending, ending
from ntkit.kernels.empirical.row_order import may_reorder
from ntkit.kernels.empirical.rules.explicit import ScaledUse
from ntkit.kernels.empirical.sample_layout import SampleLayout, find_layout
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.uses import AbstractUse, OuterUse

__all__ = ["NetworkSummary", "Part", "misplaced", "read", "remembered", "share_readings"]

_FEW = (3, 5, 7)
"""Samples of the probe: with two, several ways to lay samples out look alike. So they do with three if
one of every `3 k + 1` rows has a gradient (the first token of seven): then with five, and so on."""


@dataclass(frozen=True)
class Part:
    """Parameters whose uses are connected: their parts of the Jacobian are made together.

    Attributes:
        params: Their positions.
        uses: Positions of their uses in `Run.uses`.
        layouts: How samples lie in the output of each use.
        is_outer: Whether all uses are of the same parameters in the same order, as outer products:
            they then count as one with more positions.
    """

    params: tuple[int, ...]
    uses: tuple[int, ...]
    layouts: tuple[SampleLayout, ...]
    is_outer: bool

    def explicit(self, run: Run, g: Sequence[Gradient]) -> list[Tensor]:
        """The Jacobian by each parameter, `[o, n, p]`, uses added up; of gradients, or of their sums."""
        found: dict[int, Tensor] = {}
        for index, layout, gradient in zip(self.uses, self.layouts, g, strict=True):
            use = run.uses[index]
            found_here = gradient if isinstance(gradient, list) else use.explicit(gradient, layout)
            for k, j in zip(use.params, found_here, strict=True):
                found[k] = found[k] + j if k in found else j
        return [found[k] for k in self.params]

    def sums(self, run: Run, *, explicit: bool) -> list[Sums | None]:
        """For each use, what makes its part of the Jacobian of a gradient, if that is no larger or is
        `explicit`; else None.
        """
        found: list[Sums | None] = []
        for index, layout in zip(self.uses, self.layouts, strict=True):
            use = run.uses[index]
            is_small = isinstance(use, ScaledUse) and use.is_small(layout)
            is_asked = explicit and len(self.uses) == 1
            found.append(partial(_explicit, use, layout) if is_small or is_asked else None)
        return found

    def inputs(self, run: Run) -> Tensor:
        """`a [groups, n, t, k]` of all uses together."""
        uses = [cast(OuterUse, run.uses[index]) for index in self.uses]
        found = [use.inputs(layout) for use, layout in zip(uses, self.layouts, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found, 2)

    def outer_gradients(self, run: Run, g: Sequence[Gradient]) -> Tensor:
        """`g [groups, o, n, t, c]` of all uses together."""
        uses = [cast(OuterUse, run.uses[index]) for index in self.uses]
        whole = [cast(Tensor, each) for each in g]
        found = [u.gradients(d, lay) for u, lay, d in zip(uses, self.layouts, whole, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found, 3)

    def factors(self, run: Run, g: Sequence[Gradient]) -> tuple[Tensor, Tensor]:
        """`a [groups, n, t, k]` and `g [groups, o, n, t, c]`."""
        return self.inputs(run), self.outer_gradients(run, g)

    def narrowed(self, rows: Mapping[int, int]) -> "Part":
        """With so many rows a sample at some of the uses, the samples one after the other."""
        layouts = [
            SampleLayout(0, rows[index], samples_last=False) if index in rows else layout
            for index, layout in zip(self.uses, self.layouts, strict=True)
        ]
        return replace(self, layouts=tuple(layouts))


def _explicit(
    use: AbstractUse, layout: SampleLayout, g: Tensor, out: list[Tensor] | None
) -> list[Tensor]:
    return use.explicit(g, layout, out)


@dataclass(frozen=True)
class NetworkSummary:
    """What is known of a network before anything large is computed.

    Attributes:
        n_outputs: Outputs of the network.
        parts: The groups that rules hold for.
        unclaimed: For each other parameter, why no rule holds.
        signature: Names of the nodes of the graph.
        has_end: Whether the gradients at the network's end are known without a backward pass.
        may_reorder: Whether where samples lie may depend on their values (`misplaced`).
    """

    n_outputs: int
    parts: tuple[Part, ...]
    unclaimed: dict[int, str]
    signature: list[str]
    has_end: bool
    may_reorder: bool

    def fits(self, run: Run, n: int) -> str | None:
        """None if a run over `n` samples is laid out as was read, else what differs."""
        if run.signature != self.signature or run.y.shape[1] != self.n_outputs:
            return "the network takes other steps for other samples"
        for part in self.parts:
            for index, layout in zip(part.uses, part.layouts, strict=True):
                if not layout.fits(run.uses[index].shape[layout.axis], n):
                    return "the sizes inside do not follow the number of samples"
        return None


_READ: WeakKeyDictionary[nn.Module, dict[Hashable, "NetworkSummary"]] = WeakKeyDictionary()


def remembered(target: Target, batch: Batch) -> NetworkSummary | None:
    """What was read of the module before, in the same modes and for points of the same kind.

    Whether its present runs still are as was read, `NetworkSummary.fits` tells.
    """
    return _READ.get(target.module, {}).get(target.kind(batch))


def share_readings(module: nn.Module, copy: nn.Module) -> None:
    """Let a copy of a module know what was read of it."""
    if module in _READ:
        _READ[copy] = {**_READ[module], **_READ.get(copy, {})}


def read(target: Target, batch: Batch) -> NetworkSummary:
    """Check the network on a few samples; find the uses of each parameter, and where samples lie in them.

    Where values may decide where rows go, all samples are looked at, each time; else what was found is
    remembered.
    """
    run, more = (_run(target, batch, n) for n in _FEW[:2])
    may_move = may_reorder(run.nodes, more.nodes)
    if may_move and len(batch) > 1:
        run = Run.of(target, batch)
    probe = _probed(run, may_end=not may_move)
    for n in _FEW[1:]:
        if None not in probe.layouts or may_move:
            break
        run = _run(target, batch, n)
        probe = _probed(run, may_end=True)
    unclaimed = dict(run.unclaimed)
    for use, layout in zip(run.uses, probe.layouts, strict=True):
        if layout is None or not use.allows(layout):
            for k in use.params:
                why = "no axis of its output tells the samples apart"
                unclaimed.setdefault(k, f"{use.what}: {why}")
    parts = tuple(_connected(run.uses, probe.layouts, unclaimed))
    n_outputs = run.y.shape[1]
    found = NetworkSummary(n_outputs, parts, unclaimed, run.signature, probe.has_end, may_move)
    if not may_move and None not in probe.layouts:  # no gradient at all: it may have one later
        _READ.setdefault(target.module, {})[target.kind(batch)] = found
    return found


def _run(target: Target, batch: Batch, n: int) -> Run:
    """`n` samples, the same again where there are fewer."""
    return Run(*target.probed(batch[torch.arange(n, device=target.device) % len(batch)]))


def misplaced(reading: NetworkSummary, run: Run) -> bool:
    """Whether some sample's gradients lie where the reading has another's, in a run that it fits.

    Two backward passes, where the network may order its samples by their values.
    """
    n = len(run.y)
    uses = [run.uses[index] for part in reading.parts for index in part.uses]
    if not reading.may_reorder or n == 1 or not uses:
        return False
    u, ramp = _weights(run)
    edges = run.edges(uses)
    found, graded = weighted(run.y, edges, u), weighted(run.y, edges, u * ramp)
    layouts = [layout for part in reading.parts for layout in part.layouts]
    each = zip(layouts, found, graded, strict=True)
    return not all(layout.holds(a, b, n) for layout, a, b in each)


def _weights(run: Run) -> tuple[Tensor, Tensor]:
    """Weights of the outputs of all samples alike, `[n, o]`, and factors of each sample, `[n, 1]`."""
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(run.y.shape[1], generator=generator, dtype=torch.float64) + 3
    ramp = torch.arange(1, len(run.y) + 1, device=run.y.device).to(run.y)[:, None]
    return u.to(run.y).expand_as(run.y).contiguous(), ramp


@dataclass(frozen=True)
class _LayoutProbe:
    """How samples lie in the gradients at each use, and `NetworkSummary.has_end`."""

    layouts: list[SampleLayout | None]
    has_end: bool


def _probed(run: Run, *, may_end: bool) -> _LayoutProbe:
    n = len(run.y)
    once, ramp = _weights(run)
    edges = run.edges(run.uses)
    if not edges:
        return _LayoutProbe([], has_end=False)
    found = weighted(run.y, edges, once)
    graded = weighted(run.y, edges, once * ramp)
    layouts = [find_layout(a, b, n) for a, b in zip(found, graded, strict=True)]
    end = ending(run) if may_end else None
    return _LayoutProbe(layouts, end is not None and _holds(end, run, once[0], found, layouts))


def _holds(
    end: Ending, run: Run, u: Tensor, found: list[Tensor], layouts: list[SampleLayout | None]
) -> bool:
    """Whether the gradients at the end are those found, the samples at few places one after the other."""
    for index, use in end.uses.items():
        layout, field = layouts[index], end.fields[use.node]
        if layout is None or not layout.is_in_order(field, len(run.y)):
            return False
    return end.explains(run, u, found)


def _connected(
    uses: Sequence[AbstractUse], layouts: Sequence[SampleLayout | None], unclaimed: dict[int, str]
) -> list[Part]:
    """Groups of uses that share parameters; a group with an unclaimed one is unclaimed as a whole."""
    groups: list[tuple[set[int], list[int]]] = []
    for index, use in enumerate(uses):
        params, members = set(use.params), [index]
        for group in [g for g in groups if g[0] & params]:
            groups.remove(group)
            params |= group[0]
            members = group[1] + members
        groups.append((params, members))
    parts = []
    for params, members in groups:
        why = next((unclaimed[k] for k in sorted(params) if k in unclaimed), None)
        if why is not None:
            for k in params:
                unclaimed.setdefault(k, f"used along with another: {why}")
            continue
        first = uses[members[0]]
        kinds = {(type(uses[i]), uses[i].params, uses[i].orientation) for i in members}
        parts.append(
            Part(
                tuple(sorted(params)),
                tuple(sorted(members)),
                tuple(cast(SampleLayout, layouts[i]) for i in sorted(members)),
                isinstance(first, OuterUse) and len(kinds) == 1,
            )
        )
    return sorted(parts, key=lambda part: part.params)
