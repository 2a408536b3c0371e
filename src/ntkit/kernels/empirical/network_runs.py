"""What the structured method works on: runs of the network, their parts, and gradients in them."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import cast

import torch

from ntkit._core.checks import finite
from ntkit._core.memory import keep_freed_memory
from ntkit.kernels.empirical.backward import Gradient, from_outputs, gradients
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.contraction import sample_by_sample
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.jacobian import can_vmap
from ntkit.kernels.empirical.output_gradients import ending
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.parameter_groups import (
    NetworkSummary,
    Part,
    misplaced,
    read,
    remembered,
)
from ntkit.kernels.empirical.plan import KernelPlan, PlannedPart
from ntkit.kernels.empirical.product_orders import MACS, Order, ProductSizes, best_order
from ntkit.kernels.empirical.rules.linear import LinearUse
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.uses import OuterUse

__all__ = ["NetworkRuns"]


class NetworkRuns:
    """A network, its points, and the parts that rules hold for.

    Attributes:
        outputs: The outputs asked for.
        full: Whether all their pairs are.
        left_out: Positions of the parameters that no rule holds for.
        why: The reason for each of those.
        parts: The parameters that rules hold for.
        runs: The network on the row points, and on the column points where they are others.
        counts: How many points each run has.
        target: The network.
        batches: The row points, and the column points or None.
        memory: Bytes for gradients.
        accumulation: The dtype that sums are formed in.
        device: Where.
    """

    def __init__(
        self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs, memory: int
    ) -> None:
        keep_freed_memory()
        batches = [x1] if x2 is None else [x1, x2]
        largest = max(batches, key=len)
        known = remembered(target, x1)
        # Read before the runs: it says how to run.
        reading = read(target, largest) if known is None else known
        self.runs: list[Run] = [Run.of(target, batch) for batch in batches]
        self.counts: list[int] = [len(batch) for batch in batches]
        if known is not None and self._misfit(reading):
            reading = read(target, largest)
        misfit = self._misfit(reading)
        for run in self.runs:
            finite("module(x)", run.y.detach())
        self.outputs: list[int] = positions(outputs, reading.n_outputs)
        self.full: bool = outputs == "full"
        self.target = target
        self.memory = memory
        self.parts = () if misfit else reading.parts
        self.why = reading.unclaimed
        if misfit:
            self.why: dict[int, str] = dict.fromkeys(range(len(target.names)), misfit)
        self.left_out: list[int] = sorted(self.why)
        self.accumulation: torch.dtype = target.accumulation
        self.device: torch.device = target.device
        self._at_once = not any(name.startswith("Convolution") for name in reading.signature)
        self.batches: tuple[Batch, Batch | None] = (x1, x2)
        self._ends = [ending(run) if reading.has_end else None for run in self.runs]
        self._narrow()

    def _narrow(self) -> None:
        """Leave out, at the network's end, what has no gradient; without ends, if the sides differ."""
        rows = [
            None if end is None else {k: use.shape[0] // n for k, use in end.uses.items()}
            for end, n in zip(self._ends, self.counts, strict=True)
        ]
        if rows[0] is None or rows[0] != rows[-1]:
            self._ends = [None for _ in self.runs]
            return
        for run, end in zip(self.runs, self._ends, strict=True):
            for k, use in {} if end is None else end.uses.items():
                run.uses[k] = use
        self.parts = tuple(part.narrowed(rows[0]) for part in self.parts)

    def _misfit(self, reading: NetworkSummary) -> str | None:
        """None if all runs are laid out as was read, else what differs."""
        found = (reading.fits(run, n) for run, n in zip(self.runs, self.counts, strict=True))
        why = next((why for why in found if why is not None), None)
        if why is None and any(misplaced(reading, run) for run in self.runs):
            return "the network puts the samples in an order of its own"
        return why

    def seconds(self) -> tuple[float, float]:
        """Estimates of the time that the parts take here, and by the whole Jacobian, on one core.

        What both would spend on the parameters without a rule is left out of both.
        """
        (n, m), o = (self.counts[0], self.counts[-1]), len(self.outputs)
        pairs = (n * m / 2 if len(self.counts) == 1 else n * m) * (o * o if self.full else o)
        here = there = 0.0
        for part in self.parts:
            numel = self.numel(part)
            there += pairs * numel / MACS
            if part.is_outer:
                sizes = self.sizes(part, o)
                here += best_order(sizes, full=self.full)[1]
                layer = sum(self.counts) * sizes.t * sizes.k * sizes.c * sizes.groups / MACS
                here += layer * (1 + o)
                there += 0 if self.left_out else 3 * layer * o
            else:
                here += pairs * numel / MACS
        return here, there

    def plan(self) -> KernelPlan:
        """The parameters with the order of their part, or why no rule holds."""
        way, hindrance = sample_by_sample(None)
        if self.left_out:
            way, hindrance = sample_by_sample(
                can_vmap(self.target, self.batches[0], 1 + max(self.outputs), self.left_out)
            )
        described = {
            k: (way, "; ".join(filter(None, (why, hindrance)))) for k, why in self.why.items()
        }
        for part in self.parts:
            order = self.order(part, len(self.outputs))
            for index in part.uses:
                use = self.runs[0].uses[index]
                for k in use.params:
                    times = f", {len(part.uses)} uses" if len(part.uses) > 1 else ""
                    described[k] = (f"{use.what}: {order}{times}", "")
        for k in range(len(self.target.names)):
            described.setdefault(k, ("not used: zero", ""))
        rows = tuple(
            PlannedPart(name, tuple(p.shape), *described[k])
            for k, (name, p) in enumerate(
                zip(self.target.names, self.target.parameters, strict=True)
            )
        )
        return KernelPlan("structured", rows, "", self._bytes())

    def order(self, part: Part, n_outputs: int) -> Order:
        """The cheapest way for a part."""
        if not part.is_outer:
            return "direct"
        return best_order(self.sizes(part, n_outputs), full=self.full)[0]

    def is_single(self, part: Part) -> bool:
        """Whether a part is a dense layer that is used once, at one position."""
        if not part.is_outer or len(part.uses) != 1:
            return False
        (index,) = part.uses
        is_dense = isinstance(self.runs[0].uses[index], LinearUse)
        return is_dense and self.sizes(part, 1).t == 1

    def is_summed(self, part: Part) -> bool:
        """Whether one gradient can stand for all outputs, at the only use of a part, on all sides."""
        return (
            part.is_outer
            and len(part.uses) == 1
            and all(
                end is not None and run.uses[part.uses[0]].node in end.short
                for run, end in zip(self.runs, self._ends, strict=True)
            )
        )

    def numel(self, part: Part) -> int:
        """Entries of the parameters of a part."""
        everything = self.target.parameters
        return sum(everything[k].numel() for k in part.params)

    def sizes(self, part: Part, n_outputs: int, side: int = 0) -> ProductSizes:
        """The sizes of a part of outer products, as the rows (0) or the columns (-1) have them."""
        run, n = self.runs[side], self.counts[side]
        uses = [run.uses[index] for index in part.uses]
        first = uses[0]
        assert isinstance(first, OuterUse)
        entries = sum(prod(use.shape) for use in uses)
        return ProductSizes(
            n=self.counts[0],
            m=self.counts[-1],
            t=entries // (n * first.groups * first.out_size),
            k=first.in_size,
            c=first.out_size,
            groups=first.groups,
            outputs=n_outputs,
            item=4 if self.accumulation == torch.float32 else 8,
        )

    def passes(self, *, is_gram: bool = False) -> Iterator[tuple[list[int], list[Part]]]:
        """Outputs and parts whose gradients fit in the memory together; `is_gram` as in `gradients`."""
        sizes = [self.part_bytes(part, is_gram=is_gram) for part in self.parts]
        outputs, chunk = self.outputs, len(self.outputs)
        if not self.full:
            seed = self.runs[0].y.nbytes  # of the cotangents that pick one output
            chunk = min(chunk, max(1, self.memory // (seed + sum(sizes))))
        for start in range(0, len(outputs), chunk):
            chosen = outputs[start : start + chunk]
            group: list[Part] = []
            held = 0
            for part, size in zip(self.parts, sizes, strict=True):
                if group and held + size * len(chosen) > self.memory:
                    yield chosen, group
                    group, held = [], 0
                group.append(part)
                held += size * len(chosen)
            if group:
                yield chosen, group

    def part_bytes(self, part: Part, *, is_gram: bool = False) -> int:
        """Bytes of the gradients of one output of the network, or of what is made of them at once."""
        item = self.runs[0].y.element_size()
        if is_gram and self._is_explicit(part, len(self.outputs)):
            return item * sum(self.counts) * self.numel(part)
        entries = sum(prod(run.uses[index].shape) for run in self.runs for index in part.uses)
        return item * entries

    def _is_explicit(self, part: Part, n_outputs: int) -> bool:
        """Whether the Jacobian is made of each output's gradient as it comes."""
        is_dense = isinstance(self.runs[0].uses[part.uses[0]], LinearUse)  # others unfold each time
        return is_dense and not self._at_once and self.order(part, n_outputs) == "direct"

    def _bytes(self) -> int:
        sizes = [self.part_bytes(part, is_gram=True) for part in self.parts]
        whole = sum(sizes) * len(self.outputs)
        return min(whole, max([self.memory, *(s * len(self.outputs) for s in sizes)]))

    def gradients(
        self,
        side: int,
        chosen: Sequence[int],
        parts: Sequence[Part],
        *,
        summed: bool = False,
        is_gram: bool = False,
    ) -> list[list[Gradient]]:
        """For each part the gradients at its uses, or what it needs of them (`Part.sums`).

        Args:
            side: 0 for the row points, 1 for the column points where they are others.
            chosen: Outputs.
            parts: Parts.
            summed: Whether one gradient may stand for all outputs, if its Gram matrix is the sum of
                theirs.
            is_gram: Whether they are for a Gram matrix by `order`: what that needs comes in their place.
        """
        run, end = self.runs[side], self._ends[side]
        uses = [run.uses[index] for part in parts for index in part.uses]
        alone = [summed and self.is_summed(part) for part in parts for _ in part.uses]
        sums = [
            of
            for part in parts
            for of in part.sums(run, explicit=is_gram and self._is_explicit(part, len(chosen)))
        ]
        found: list[Gradient | None] = [None] * len(uses)
        start, seed = from_outputs(run.y, chosen)
        if end is not None:
            with torch.no_grad():
                known, below = end.gradients([use.node for use in uses], chosen, alone)
                found = [
                    g if g is None or of is None else of(g, None)
                    for g, of in zip(known, sums, strict=True)
                ]
            if below is not None:
                start, seed = end.edges, below
        left = [k for k, g in enumerate(found) if g is None]
        if left:
            edges, rest = run.edges([uses[k] for k in left]), [sums[k] for k in left]
            passed = gradients(start, seed, edges, len(chosen), at_once=self._at_once, sums=rest)
            for k, g in zip(left, passed, strict=True):
                found[k] = g
        each = iter(cast(list[Gradient], found))
        return [[next(each) for _ in part.uses] for part in parts]
