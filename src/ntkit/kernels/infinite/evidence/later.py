"""What becomes of a step's units: whether a mean of theirs would be seen."""

from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.program.ops.around import AddKnown, BendAround
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.branches import AddBranches, AddWithMeans
from ntkit.kernels.infinite.program.ops.residual import BendResidual
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.rules.kinds import norm_of

__all__ = ["Graph"]


class Graph:
    """The steps of a module and who takes them."""

    def __init__(self, lowered: Lowered) -> None:
        self._reading = lowered
        self._users: dict[int, list[int]] = {}
        for index, step in enumerate(lowered.steps):
            for k in step.inputs:
                self._users.setdefault(k, []).append(index)

    def users(self, index: int) -> list[int]:
        """The steps that take a step's units."""
        return self._users.get(index, [])

    def mixes(self, index: int) -> bool:
        """Whether a step makes new units with fresh weights, which know no mean of the old."""
        drawn = self._reading.drawn.get(index)
        if drawn is None or drawn.kind != "layer":
            return False
        kind = type(drawn.owner)
        return kind not in rules or rules[drawn.owner].effect != "scaling"  # type: ignore[index]

    def bends(self, index: int) -> int | None:
        """The first later step at which a mean of these units counts, before fresh weights.

        A nonlinearity; a normalisation that takes means off; a sum with units that have a mean.
        """
        waiting, seen = list(self.users(index)), {index}
        while waiting:
            k = waiting.pop(0)
            if k in seen or self.mixes(k):
                continue
            seen.add(k)
            step, drawn = self._reading.steps[k], self._reading.drawn.get(k)
            if isinstance(step, Bend | BendAround | BendResidual):
                return k
            norm = None if drawn is None else norm_of(drawn.owner)
            if norm is not None and norm.takes_mean:
                return k
            others = [self._reading.steps[i].units for i in step.inputs if i not in seen]
            if isinstance(step, AddBranches | AddWithMeans | AddKnown) and not all(
                u.is_centred for u in others
            ):
                return k
            waiting += self.users(k)
        return None

    def is_last(self, index: int) -> bool:
        """Whether no layer with fresh weights comes after."""
        waiting, seen = list(self.users(index)), set()
        while waiting:
            k = waiting.pop()
            if k in seen:
                continue
            if self.mixes(k):
                return False
            seen.add(k)
            waiting += self.users(k)
        return True
