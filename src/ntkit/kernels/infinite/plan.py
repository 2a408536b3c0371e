"""What is kept at each step, decided from the graph before anything is computed."""

from dataclasses import dataclass
from math import prod

from ntkit.kernels.infinite.read import Reading
from ntkit.kernels.infinite.steps import Demand

__all__ = ["Plan", "PlannedStep", "plan"]

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
        route: "angle" where the whole network is one function of the angle, else "layers".
    """

    rows: tuple[PlannedStep, ...]
    route: str

    @property
    def bytes_per_pair(self) -> int:
        """Memory that one pair of points takes while it is computed."""
        return 8 * _TABLES * max(row.entries for row in self.rows)

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'step':{width}}  {'positions':>12}  {'numbers a pair':>14}  kept"]
        for row in self.rows:
            place = "x".join(map(str, row.positions)) or "-"
            lines.append(f"{row.name:{width}}  {place:>12}  {row.entries:>14,}  {row.keeps}")
        size = self.bytes_per_pair
        scaled = f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"
        lines.append(f"route: {self.route}; {scaled} a pair of points at its largest")
        return "\n".join(lines)


def demands(reading: Reading, last: Demand) -> list[Demand | None]:
    """What each step must deliver so that the outputs get `last`; None where nothing asks."""
    found: list[Demand | None] = [None] * len(reading.steps)
    for index in reading.outputs:
        found[index] = last | (found[index] or last)
    for index in range(len(reading.steps) - 1, -1, -1):
        demand = found[index]
        if demand is None:
            continue
        step = reading.steps[index]
        for before in step.inputs:
            wanted = step.demand_of_inputs(demand)
            found[before] = wanted | (found[before] or wanted)
    return found


def plan(reading: Reading, wanted: list[Demand | None], route: str) -> Plan:
    """The table of what is kept."""
    rows = []
    for step, demand in zip(reading.steps, wanted, strict=True):
        if demand is None:
            continue
        size = prod(step.value.positions)
        entries = size**2 if demand.layout == "pairs" else size
        rows.append(PlannedStep(step.name, step.value.positions, demand, entries))
    return Plan(tuple(rows), route)
