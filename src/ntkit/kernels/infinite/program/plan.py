"""What is kept at each step, decided from the graph before anything is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ntkit.kernels.infinite.program.program import Program
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["LAYERS", "Plan", "PlannedStep", "plan"]

LAYERS = "layer by layer"
"""The route that is always open."""

_NAME = 28
"""Characters of a step's name that are shown."""

_TABLES = 8
"""Tables of float64 that a step holds at its worst: the state before and after, and scratch."""


@dataclass(frozen=True)
class PlannedStep:
    """A row of a plan.

    Attributes:
        name: The layer or operation.
        positions: Sizes of its position axes.
        demand: Which pairs of positions are kept, and whether variances are.
        entries: Numbers that one pair of points takes in each table.
    """

    name: str
    positions: tuple[int, ...]
    demand: Demand
    entries: int

    @property
    def keeps(self) -> str:
        """What is kept, in words."""
        if not self.positions:
            return "one number a pair"
        if self.demand.layout == "each":
            return "each position with itself"
        return "all pairs of positions"


@dataclass(frozen=True)
class Plan:
    """How a kernel is computed for points of one shape.

    Attributes:
        rows: The steps, in order.
        n_points: Points whose symmetric matrix it is.
        route: "one function of the angle" of two points, whatever the depth, or "layer by layer".
        program: The operations with their numbers, which can be printed, compared and pickled.
    """

    rows: tuple[PlannedStep, ...]
    n_points: int
    route: str
    program: Program

    @property
    def bytes_per_pair(self) -> int:
        """Memory that one pair of points takes while it is computed."""
        return 8 * _TABLES * max(row.entries for row in self.rows)

    @property
    def n_pairs(self) -> int:
        """Pairs of points that are computed: half of the matrix and its diagonal."""
        return self.n_points * (self.n_points + 1) // 2

    @property
    def numbers(self) -> int:
        """Entries of covariance tables that are computed for all pairs; a tangent kernel doubles them.

        Time goes with it: some ten nanoseconds each for closed forms, on one core.
        """
        each = 1 if self.route != LAYERS else sum(row.entries for row in self.rows)
        return each * self.n_pairs

    def __str__(self) -> str:
        names = [_shortened(row.name) for row in self.rows]
        width = max(map(len, names))
        lines = [f"{'step':{width}}  {'positions':>9}  {'numbers a pair':>14}  kept"]
        for name, row in zip(names, self.rows, strict=True):
            place = "x".join(map(str, row.positions)) or "-"
            lines.append(f"{name:{width}}  {place:>9}  {row.entries:>14,}  {row.keeps}")
        size = self.bytes_per_pair
        scaled = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"
        lines.append(f"route: {self.route}; {scaled} a pair of points at its largest")
        lines.append(
            f"work: {self.numbers:,} numbers for the {self.n_pairs:,} pairs of {self.n_points:,} points"
        )
        return "\n".join(lines)


def _shortened(name: str) -> str:
    return name if len(name) <= _NAME else name[: _NAME - 3] + "..."


def plan(program: Program, wanted: Sequence[Demand | None], n_points: int, route: str) -> Plan:
    """The table of what is kept."""
    rows = []
    for op, demand in zip(program.ops, wanted, strict=True):
        if demand is None:
            continue
        size = prod(op.units.positions)
        entries = size**2 if demand.layout == "pairs" else size
        rows.append(PlannedStep(op.name, op.units.positions, demand, entries))
    return Plan(tuple(rows), n_points, route, program)
