"""A network as a tuple of operations, before and after its numbers are read."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from ntkit._core.pickling import Kept
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractStep, AbstractUnbound
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["Program", "UnboundProgram", "demands"]

_SAID = {"name", "inputs", "units", "back", "is_homogeneous"}
"""Fields of an operation that are no numbers of its own."""


@dataclass(frozen=True)
class Program(Kept):
    """What a network computes, as data: hashable, comparable, picklable, printable.

    Attributes:
        ops: In order of computation.
        outputs: The places of those that the network returns.
    """

    ops: tuple[AbstractOp, ...]
    outputs: tuple[int, ...]

    def __str__(self) -> str:
        return "\n".join(_line(place, op) for place, op in enumerate(self.ops))


@dataclass(frozen=True)
class UnboundProgram:
    """A network for points of one shape, whose layers' numbers are still to be read.

    Attributes:
        steps: In order of computation.
        outputs: The places of those that the network returns.
    """

    steps: tuple[AbstractOp | AbstractUnbound, ...]
    outputs: tuple[int, ...]

    def bind(self) -> Program:
        """The program with the numbers as they are now."""
        ops = (step.bind() if isinstance(step, AbstractUnbound) else step for step in self.steps)
        return Program(tuple(ops), self.outputs)


def demands(
    steps: Sequence[AbstractStep], outputs: Sequence[int], last: Demand
) -> list[Demand | None]:
    """What each step must deliver so that the outputs get `last`; None where nothing asks."""
    found: list[Demand | None] = [None] * len(steps)
    for index in outputs:
        found[index] = last | (found[index] or last)
    for index in range(len(steps) - 1, -1, -1):
        demand = found[index]
        if demand is None:
            continue
        for before in steps[index].inputs:
            wanted = steps[index].needs(demand)
            found[before] = wanted | (found[before] or wanted)
    return found


def _line(place: int, op: AbstractOp) -> str:
    """`3 Affine [2] w=2.0, b=0.0, ...: what the user calls it`."""
    numbers = {f.name: getattr(op, f.name) for f in fields(op) if f.name not in _SAID}
    said = ", ".join(f"{name}={_short(value)}" for name, value in numbers.items())
    taken = ", ".join(map(str, op.inputs))
    return f"{place:3} {type(op).__name__} [{taken}] {said}".rstrip() + f": {op.name}"


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor{tuple(value.shape)}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
