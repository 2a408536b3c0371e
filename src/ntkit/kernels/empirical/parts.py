"""The parameters in groups that share uses, with the layouts of their gradients."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ntkit.kernels.empirical.backward import Gradient, Sums, weighted
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.layout import Layout, find_layout
from ntkit.kernels.empirical.read_out import read_out
from ntkit.kernels.empirical.rules.explicit import ScaledUse
from ntkit.kernels.empirical.rules.linear import LinearUse
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.uses import AbstractUse, OuterUse

__all__ = ["MovedError", "Part", "Reading", "forget", "read", "remembered"]

_FEW = (3, 5)
"""Samples of the probe: with two, several ways to lay samples out look alike. So they do with three if
one of every `3 k + 1` rows has a gradient (the first token of seven): then with five."""


@dataclass(frozen=True)
class Part:
    """Parameters whose uses are connected: their parts of the Jacobian are made together.

    Attributes:
        params: Their positions.
        uses: Positions of their uses in `Run.uses`.
        layouts: How samples lie in the output of each use.
        is_outer: Whether all uses are of the same parameters in the same order, as outer products:
            they then count as one with more positions.
        places: Of a dense layer that has gradients at less than half of its positions, those. Behind
            the last attention, a network that reads one token has them at that one alone.
    """

    params: tuple[int, ...]
    uses: tuple[int, ...]
    layouts: tuple[Layout, ...]
    is_outer: bool
    places: tuple[int, ...] | None = None

    def explicit(self, run: Run, g: Sequence[Gradient]) -> list[Tensor]:
        """The Jacobian by each parameter, `[o, n, p]`, uses added up; of gradients, or of their sums."""
        found: dict[int, Tensor] = {}
        for index, layout, gradient in zip(self.uses, self.layouts, g, strict=True):
            use = run.uses[index]
            found_here = gradient if isinstance(gradient, list) else use.explicit(gradient, layout)
            for k, j in zip(use.params, found_here, strict=True):
                found[k] = found[k] + j if k in found else j
        return [found[k] for k in self.params]

    def sums(self, run: Run, *, explicit: bool, narrow: bool) -> list[Sums | None]:
        """For each use, what makes of a gradient all that is needed of it, None for itself.

        Its part of the Jacobian, if that is no larger or `explicit`; what `factors` takes, at `places`
        alone, if `narrow`.
        """
        found: list[Sums | None] = []
        for index, layout in zip(self.uses, self.layouts, strict=True):
            use = run.uses[index]
            is_small = isinstance(use, ScaledUse) and use.is_small(run.shape(use), layout)
            if narrow and self.places is not None:
                found.append(partial(self._narrowed, cast(OuterUse, use), layout))
            elif is_small or (explicit and len(self.uses) == 1):
                found.append(partial(use.explicit, layout=layout))
            else:
                found.append(None)
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
        """`a [groups, n, t, k]` and `g [groups, o, n, t, c]`; of narrowed gradients at `places`."""
        inputs = self.inputs(run)
        if isinstance(g[0], Tensor):
            return inputs, self.outer_gradients(run, g)
        places = torch.tensor(self.places, device=inputs.device)
        return inputs.index_select(2, places), g[0][0][None]

    def _narrowed(self, use: OuterUse, layout: Layout, g: Tensor) -> list[Tensor]:
        """`[o, n, places, c]`.

        Raises:
            MovedError: There are gradients at other positions too.
        """
        whole = use.gradients(g, layout)[0]
        kept = whole.index_select(2, torch.tensor(self.places, device=g.device))
        if int(torch.count_nonzero(whole)) != int(torch.count_nonzero(kept)):
            raise MovedError
        return [kept]


class MovedError(Exception):
    """Gradients are not at the positions where they were when the network was read."""


@dataclass(frozen=True)
class Reading:
    """What is known of a network before anything large is computed.

    Attributes:
        n_outputs: Outputs of the network.
        parts: The groups that rules hold for.
        unclaimed: For each other parameter, why no rule holds.
        signature: Names of the nodes of the graph.
        n_links: Hidden layers at the end whose gradients are known without a backward pass.
    """

    n_outputs: int
    parts: tuple[Part, ...]
    unclaimed: dict[int, str]
    signature: list[str]
    n_links: int

    def fits(self, run: Run, n: int) -> str | None:
        """None if a run over `n` samples is laid out as was read, else what differs."""
        if run.signature != self.signature or run.y.shape[1] != self.n_outputs:
            return "the network takes other steps for other samples"
        for part in self.parts:
            for index, layout in zip(part.uses, part.layouts, strict=True):
                if not layout.fits(run.shape(run.uses[index])[layout.axis], n):
                    return "the sizes inside do not follow the number of samples"
        return None


_READ: WeakKeyDictionary[nn.Module, dict[Hashable, "Reading"]] = WeakKeyDictionary()


def remembered(target: Target, batch: Batch) -> Reading | None:
    """What was read of the module before, in the same modes and for points of the same kind.

    Whether its present runs still are as was read, `Reading.fits` tells.
    """
    return _READ.get(target.module, {}).get(_kind(target, batch))


def forget(target: Target, batch: Batch) -> None:
    """Have the module read anew the next time."""
    _READ.get(target.module, {}).pop(_kind(target, batch), None)


def _kind(target: Target, batch: Batch) -> Hashable:
    modes = tuple(layer.training for layer in target.module.modules())
    points = tuple((t.dtype, t.device, t.shape[1:]) for t in batch.tensors)
    shapes = tuple(p.shape for p in target.parameters)
    return target.names, shapes, modes, tuple(batch.kwargs), points


def read(target: Target, batch: Batch) -> Reading:
    """Check the network on a few samples; find the uses of each parameter, and where samples lie in them.

    Where values may decide where rows go (indexing), all samples are looked at, each time; else what
    was found is remembered.
    """
    places = torch.arange(_FEW[0], device=target.device) % len(batch)
    run = Run(*target.probed(batch[places]))
    if run.chooses and len(batch) > 1:
        run = Run.of(target, batch)
    probe = _probed(run)
    for n in _FEW[1:]:
        if None not in probe.layouts or run.chooses:
            break
        run = Run.of(target, batch[torch.arange(n, device=target.device) % len(batch)])
        probe = _probed(run)
    unclaimed = dict(run.unclaimed)
    for use, layout in zip(run.uses, probe.layouts, strict=True):
        if layout is None or not use.allows(layout):
            for k in use.params:
                why = "no axis of its output tells the samples apart"
                unclaimed.setdefault(k, f"{use.what}: {why}")
    parts = tuple(
        replace(part, places=_busy(run, part, probe.gradients))
        for part in _connected(run.uses, probe.layouts, unclaimed)
    )
    found = Reading(run.y.shape[1], parts, unclaimed, run.signature, probe.n_links)
    if not run.chooses and None not in probe.layouts:  # no gradient at all: it may have one later
        _READ.setdefault(target.module, {})[_kind(target, batch)] = found
    return found


@dataclass(frozen=True)
class _Probe:
    """Gradients of a weighted sum of the outputs at each use, how samples lie in them, and
    `Reading.n_links`.
    """

    gradients: list[Tensor]
    layouts: list[Layout | None]
    n_links: int


def _probed(run: Run) -> _Probe:
    n = len(run.y)
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(run.y.shape[1], generator=generator, dtype=torch.float64) + 3
    once = u.to(run.y).expand_as(run.y).contiguous()
    ramp = torch.arange(1, n + 1, device=run.y.device).to(run.y)[:, None]
    edges = run.edges(run.uses)
    if not edges:
        return _Probe([], [], 0)
    found = weighted(run.y, edges, once)
    graded = weighted(run.y, edges, once * ramp)
    layouts = [find_layout(a, b, n) for a, b in zip(found, graded, strict=True)]
    end = read_out(run)
    seen = {use.node: g for use, g in zip(run.uses, found, strict=True)}
    return _Probe(found, layouts, 0 if end is None else end.explained(u.to(run.y), seen))


def _busy(run: Run, part: Part, gradients: Sequence[Tensor]) -> tuple[int, ...] | None:
    """`Part.places`, from gradients of a sum of the outputs."""
    index = part.uses[0]
    use = run.uses[index]
    if not part.is_outer or len(part.uses) > 1 or not isinstance(use, LinearUse):
        return None
    g = use.gradients(gradients[index][None], part.layouts[0])[0, 0]  # [n, t, c]
    places = (g != 0).any(2).any(0).nonzero()[:, 0].tolist()
    return tuple(places) if 2 * len(places) < g.shape[1] else None


def _connected(
    uses: Sequence[AbstractUse], layouts: Sequence[Layout | None], unclaimed: dict[int, str]
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
                tuple(cast(Layout, layouts[i]) for i in sorted(members)),
                isinstance(first, OuterUse) and len(kinds) == 1,
            )
        )
    return sorted(parts, key=lambda part: part.params)
