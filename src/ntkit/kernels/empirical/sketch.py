"""Kernels of large networks from random projections of the gradients of single samples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.empirical.backward import from_outputs, gradients
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.contraction import sample_by_sample
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.hashing import add_projection
from ntkit.kernels.empirical.jacobian import can_vmap, jacobians
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.parameter_groups import misplaced, read
from ntkit.kernels.empirical.plan import KernelPlan, PlannedPart
from ntkit.kernels.empirical.target import Target

__all__ = ["Sketch"]


@dataclass(frozen=True)
class Sketch(AbstractGramMethod):
    """`J(x) S^T S J(x')^T` with a random projection `S` of the parameters onto `size` numbers.

    For networks whose Jacobian does not fit anywhere, and data that come by and by: a point becomes
    `size` numbers, `kernel.features(x)`, which `FeatureStore` keeps. The trace sketches the gradients
    of all outputs together, each with a projection of its own; "full" keeps outputs apart.

    An entry is unbiased; its standard deviation over `S` is at most `sqrt((1 + c^2) / size)` of
    `sqrt(k(x, x) k(x', x'))`, where `c` is the cosine `k(x, x') / sqrt(k(x, x) k(x', x'))`:
    `expected_error` bounds it. `S` is never formed, nor more than the gradients of a few samples.

    Args:
        size: Numbers a point, `k`.
        seed: Of the projection. Features belong together if size, seed and weights are the same.
        memory: Bytes for the gradients of single samples.

    Source: Johnson and Lindenstrauss 1984; Park et al. 2023 (arXiv:2303.14186), section 3.2, for its
    use. The projection is that of `hashing.add_projection`.

    Example:
        >>> from torch import nn
        >>> import ntkit
        >>> net = nn.Sequential(nn.Linear(3, 64), nn.Tanh(), nn.Linear(64, 1))
        >>> kernel = ntkit.empirical_ntk(net, method=Sketch(1024))
        >>> x = torch.randn(5, 3)
        >>> kernel.features(x).shape
        torch.Size([5, 1024])
        >>> exact = ntkit.empirical_ntk(net)(x)
        >>> bool((kernel(x) - exact).norm() < 5 * Sketch(1024).expected_error * exact.trace())
        True
    """

    size: int = 4096
    seed: int = 0
    memory: int = 2**29

    def __post_init__(self) -> None:
        replace_fields(
            self,
            size=positive_int("size", self.size),
            memory=positive_int("memory", self.memory),
        )

    @property
    def expected_error(self) -> float:
        """`sqrt(2 / size)`: of the diagonal relative to itself; of others less."""
        return sqrt(2 / self.size)

    def gram(self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs) -> Tensor:
        """Inner products of the features."""
        left = self.features(target, x1, outputs)
        right = left if x2 is None else self.features(target, x2, outputs)
        if outputs == "full":
            return torch.einsum("nok,mqk->nmoq", left, right)
        return left @ right.T

    def diag(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """Squares of the features."""
        found = self.features(target, x, outputs)
        return found @ found.mT if outputs == "full" else found.pow(2).sum(1)

    def features(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """`S J(x)^T`: `[n, size]`, or `[n, o, size]` with all outputs."""
        chosen = positions(outputs, target.probe(x))
        full = outputs == "full"
        found = torch.zeros(
            len(x),
            len(chosen) if full else 1,
            self.size,
            dtype=target.accumulation,
            device=target.device,
        )
        for samples, places, k, block in self._blocks(target, x, chosen):
            for o, rows in zip(places, block, strict=True):
                key = f"{self.seed} {k}" if full else f"{self.seed} {k} {chosen[o]}"
                add_projection(found[samples, o if full else 0], rows, key)
        return found if full else found[:, 0] / sqrt(len(chosen))

    def plan(self, target: Target, x: Batch, outputs: Outputs) -> KernelPlan:
        """What is projected."""
        positions(outputs, target.probe(x))
        reading = read(target, x)
        way, hindrance = sample_by_sample(
            can_vmap(target, x, 1, sorted(reading.unclaimed)) if reading.unclaimed else None
        )
        rows = []
        for k, (name, p) in enumerate(zip(target.names, target.parameters, strict=True)):
            why = reading.unclaimed.get(k)
            how = "the layer's Jacobian" if why is None else way
            reason = "" if why is None else "; ".join(filter(None, (why, hindrance)))
            rows.append(PlannedPart(name, tuple(p.shape), f"{how}, projected", reason))
        words = f"Projected onto {self.size}: expected error {self.expected_error:.2g}."
        return KernelPlan("sketch", tuple(rows), words, self.memory)

    def _blocks(
        self, target: Target, x: Batch, chosen: Sequence[int]
    ) -> Iterator[tuple[slice, range, int, Tensor]]:
        """Samples, places in `chosen`, a parameter, and the Jacobian `[outputs, n, p]` by it."""
        largest = max(p.numel() * p.element_size() for p in target.parameters)
        fit = max(1, self.memory // (3 * largest))  # a part's own, its sum over uses, signed
        n_outputs = min(len(chosen), fit)
        step = max(1, fit // n_outputs)
        reading = read(target, x[:step])
        why_loop: str | None = None
        knows = False
        for start in range(0, len(x), step):
            samples = slice(start, min(start + step, len(x)))
            run = Run.of(target, x[samples])
            if reading.may_reorder and start and step > 1:  # rows of a single sample are its own
                reading = read(target, x[samples])
            misfit = reading.fits(run, len(x[samples])) or misplaced(reading, run)
            parts = () if misfit else reading.parts
            left = range(len(target.names)) if misfit else sorted(reading.unclaimed)
            if left and not knows:
                why_loop, knows = can_vmap(target, x, 1 + max(chosen), left), True
            uses = [run.uses[index] for part in parts for index in part.uses]
            at_once = not any(name.startswith("Convolution") for name in run.signature)
            for first in range(0, len(chosen), n_outputs):
                places = range(first, min(first + n_outputs, len(chosen)))
                few = [chosen[o] for o in places]
                if uses:
                    start, seed = from_outputs(run.y, few)
                    g = gradients(start, seed, run.edges(uses), len(few), at_once=at_once)
                    for part in parts:
                        own, g = g[: len(part.uses)], g[len(part.uses) :]
                        with torch.no_grad():
                            blocks = part.explicit(run, own)
                        for k in part.params:
                            yield samples, places, k, blocks.pop(0)
                for group in _groups(target, left, largest):
                    use_vmap = why_loop is None
                    found = jacobians(target, x[samples], few, group, use_vmap=use_vmap)
                    for k, j in zip(group, found, strict=True):
                        yield samples, places, k, j.transpose(0, 1)


def _groups(target: Target, wanted: Sequence[int], limit: int) -> Iterator[list[int]]:
    """Parameters that together take no more than the largest one."""
    group: list[int] = []
    held = 0
    for k in wanted:
        size = target.parameters[k].numel() * target.parameters[k].element_size()
        if group and held + size > limit:
            yield group
            group, held = [], 0
        group.append(k)
        held += size
    if group:
        yield group
