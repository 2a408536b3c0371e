"""A network as a tuple of operations, before and after its numbers are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor

from ntkit._core.pickling import Kept
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.at_call import note_call
from ntkit.kernels.infinite.program.op import AbstractOp, AbstractStep, AbstractUnbound, At
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
        lines: Of each operation, the call in the user's forward, for errors; no part of what is computed.
    """

    ops: tuple[AbstractOp, ...]
    outputs: tuple[int, ...]
    lines: tuple[str, ...] = field(compare=False)

    def apply(self, index: int, states: tuple[PairState, ...], at: At) -> PairState:
        """The state after one operation; an error in it, which may be a third party's, names the call."""
        try:
            return self.ops[index].apply(states, at)
        except Exception as error:
            note_call(error, self.lines[index])
            raise

    def __str__(self) -> str:
        return "\n".join(_line(place, op) for place, op in enumerate(self.ops))


@dataclass(frozen=True)
class UnboundProgram:
    """A network for points of one shape, whose layers' numbers are still to be read.

    Attributes:
        steps: In order of computation.
        outputs: The places of those that the network returns.
        lines: Of each step, the call in the user's forward, for errors.
    """

    steps: tuple[AbstractOp | AbstractUnbound, ...]
    outputs: tuple[int, ...]
    lines: tuple[str, ...]

    def bind(self) -> Program:
        """The program with the numbers as they are now."""
        return Program(tuple(map(_bound, self.steps, self.lines)), self.outputs, self.lines)


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


def _bound(step: AbstractOp | AbstractUnbound, line: str) -> AbstractOp:
    if isinstance(step, AbstractOp):
        return step
    try:
        return step.bind()
    except Exception as error:
        note_call(error, line)
        raise


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
