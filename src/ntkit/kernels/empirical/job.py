"""One Gram matrix by the structured method: runs, backward passes, and the parts added up."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from ntkit.kernels.empirical.backward import Gradient, gradients
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.contraction import contracted, contracted_diagonal, sample_by_sample
from ntkit.kernels.empirical.diagonal import outer_diagonal
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.jacobian import can_vmap
from ntkit.kernels.empirical.orders import MACS, Order, Sizes, Total, best_order
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.parts import Part, read
from ntkit.kernels.empirical.plan import Plan, PlannedPart
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.uses import OuterUse

__all__ = ["Job"]


class Job:
    """A network, its points, and the parts that rules hold for.

    Attributes:
        outputs: The outputs asked for.
        full: Whether all their pairs are.
        left_out: Positions of the parameters that no rule holds for.
        why: The reason for each of those.
        parts: The parameters that rules hold for.
        runs: The network on the row points, and on the column points where they are others.
        counts: How many points each run has.
        accumulation: The dtype that sums are formed in.
        device: Where.
    """

    def __init__(
        self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs, memory: int
    ) -> None:
        self.outputs = positions(outputs, target.probe(x1))
        self.full = outputs == "full"
        self._target, self._memory = target, memory
        reading = read(target, x1)
        batches = [x1] if x2 is None else [x1, x2]
        self.runs = [Run(target, batch) for batch in batches]
        self.counts = [len(batch) for batch in batches]
        misfit = next(
            (
                why
                for run, n in zip(self.runs, self.counts, strict=True)
                if (why := reading.fits(run, n)) is not None
            ),
            None,
        )
        self.parts = () if misfit else reading.parts
        self.why = reading.unclaimed
        if misfit:
            self.why = dict.fromkeys(range(len(target.names)), misfit)
        self.left_out = sorted(self.why)
        self.accumulation, self.device = target.accumulation, target.device
        self._at_once = not any(name.startswith("Convolution") for name in reading.signature)
        self._batches = (x1, x2)

    def gram(self) -> Tensor:
        """`[n, m, o, o]`, or the mean over outputs `[n, m]`, over the parameters."""
        like = torch.empty(0, dtype=self.accumulation, device=self.device)
        m = None if len(self.counts) == 1 else self.counts[1]
        total = Total(self.counts[0], m, len(self.outputs), full=self.full, like=like)
        for chosen, parts in self.passes():
            found = [self.gradients(run, chosen, parts) for run in self.runs]
            with torch.no_grad():
                for part in parts:
                    self._add(total, part, [g.pop(0) for g in found])
        value = total.finished()
        value = value if self.full else value / len(self.outputs)
        if not self.left_out:
            return value
        rest = contracted(
            self._target,
            *self._batches,
            self.outputs,
            self.left_out,
            self._memory,
            full=self.full,
        )
        return rest if not self.parts else value + rest

    def diagonal(self) -> Tensor:
        """`[n, o, o]`, or the mean over outputs `[n]`, over the parameters."""
        (run,), (n,), o = self.runs, self.counts, len(self.outputs)
        shape = (n, o, o) if self.full else (n,)
        total = torch.zeros(shape, dtype=torch.float64, device=self.device)
        for chosen, parts in self.passes():
            found = self.gradients(run, chosen, parts)
            with torch.no_grad():
                for part in parts:
                    total += self._diagonal(part, run, found.pop(0))
        value = (total if self.full else total / o).to(self.accumulation)
        if not self.left_out:
            return value
        return value + contracted_diagonal(
            self._target,
            self._batches[0],
            self.outputs,
            self.left_out,
            self._memory,
            full=self.full,
        )

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

    def plan(self) -> Plan:
        """The parameters with the order of their part, or why no rule holds."""
        way, hindrance = sample_by_sample(None)
        if self.left_out:
            way, hindrance = sample_by_sample(
                can_vmap(self._target, self._batches[0], 1 + max(self.outputs), self.left_out)
            )
        described = {
            k: (way, "; ".join(filter(None, (why, hindrance)))) for k, why in self.why.items()
        }
        for part in self.parts:
            order = self._order(part, len(self.outputs))
            for index in part.uses:
                use = self.runs[0].uses[index]
                for k in use.params:
                    times = f", {len(part.uses)} uses" if len(part.uses) > 1 else ""
                    described[k] = (f"{use.what}: {order}{times}", "")
        for k in range(len(self._target.names)):
            described.setdefault(k, ("not used: zero", ""))
        rows = tuple(
            PlannedPart(name, tuple(p.shape), *described[k])
            for k, (name, p) in enumerate(
                zip(self._target.names, self._target.parameters, strict=True)
            )
        )
        return Plan("structured", rows, "", self._bytes())

    def _order(self, part: Part, n_outputs: int, positions: int | None = None) -> Order:
        if not part.is_outer:
            return "direct"
        sizes = self.sizes(part, n_outputs)
        sizes = sizes if positions is None else replace(sizes, t=positions)
        return best_order(sizes, full=self.full)[0]

    def numel(self, part: Part) -> int:
        """Entries of the parameters of a part."""
        everything = self._target.parameters
        return sum(everything[k].numel() for k in part.params)

    def sizes(self, part: Part, n_outputs: int, side: int = 0) -> Sizes:
        """The sizes of a part of outer products, as the rows (0) or the columns (-1) have them."""
        run, n = self.runs[side], self.counts[side]
        uses = [run.uses[index] for index in part.uses]
        first = uses[0]
        assert isinstance(first, OuterUse)
        entries = sum(prod(run.shape(use)) for use in uses)
        return Sizes(
            n=self.counts[0],
            m=self.counts[-1],
            t=entries // (n * first.groups * first.out_size),
            k=first.in_size,
            c=first.out_size,
            groups=first.groups,
            outputs=n_outputs,
            item=4 if self.accumulation == torch.float32 else 8,
        )

    def _add(self, total: Total, part: Part, g: Sequence[list[Gradient]]) -> None:
        sides = list(zip(self.runs, g, strict=True))
        busy = [part.busy(run, side) if part.is_outer else None for run, side in sides]
        counts = [len(places) for places in busy if places is not None]
        order = self._order(part, len(g[0][0]), max(counts) if len(counts) == len(sides) else None)
        if order != "direct":
            if len(counts) < len(sides):
                busy = [None] * len(sides)
            factors = [
                part.factors(run, side, places)
                for (run, side), places in zip(sides, busy, strict=True)
            ]
            total.add_outer(factors[0], factors[1] if len(factors) > 1 else None, order)
            return
        jacobians = [part.explicit(run, side) for run, side in sides]
        for k in range(len(part.params)):
            total.add_jacobians(jacobians[0][k], jacobians[1][k] if len(sides) > 1 else None)

    def _diagonal(self, part: Part, run: Run, g: list[Gradient]) -> Tensor:
        if part.is_outer:
            return outer_diagonal(*part.factors(run, g), full=self.full)
        blocks = [j.double() for j in part.explicit(run, g)]
        if self.full:
            return torch.stack([torch.einsum("onp,qnp->noq", j, j) for j in blocks]).sum(0)
        return torch.stack([j.pow(2).sum((0, 2)) for j in blocks]).sum(0)

    def passes(self) -> Iterator[tuple[list[int], list[Part]]]:
        """Outputs and parts whose gradients fit in the memory together."""
        sizes = [self._part_bytes(part) for part in self.parts]
        outputs, chunk = self.outputs, len(self.outputs)
        if not self.full:
            seed = self.runs[0].y.nbytes  # of the cotangents that pick one output
            chunk = min(chunk, max(1, self._memory // (seed + sum(sizes))))
        for start in range(0, len(outputs), chunk):
            chosen = outputs[start : start + chunk]
            group: list[Part] = []
            held = 0
            for part, size in zip(self.parts, sizes, strict=True):
                if group and held + size * len(chosen) > self._memory:
                    yield chosen, group
                    group, held = [], 0
                group.append(part)
                held += size * len(chosen)
            if group:
                yield chosen, group

    def _part_bytes(self, part: Part) -> int:
        """Of the gradients that one output of the network takes."""
        item = self.runs[0].y.element_size()
        return item * sum(
            prod(run.shape(run.uses[index])) for run in self.runs for index in part.uses
        )

    def _bytes(self) -> int:
        sizes = [self._part_bytes(part) for part in self.parts]
        whole = sum(sizes) * len(self.outputs)
        return min(whole, max([self._memory, *(s * len(self.outputs) for s in sizes)]))

    def gradients(
        self, run: Run, chosen: Sequence[int], parts: Sequence[Part]
    ) -> list[list[Gradient]]:
        """For each part the gradients at its uses, or their sums where they are all that it needs."""
        uses = [run.uses[index] for part in parts for index in part.uses]
        with torch.no_grad():
            sums = [of for part in parts for of in part.sums(run)]
        found = gradients(run.y, run.edges(uses), chosen, at_once=self._at_once, sums=sums)
        left = iter(found)
        return [[next(left) for _ in part.uses] for part in parts]
