"""A module as a program, and what of the module the program was read off."""

from dataclasses import dataclass, field

from torch import fx

from ntkit.kernels.infinite.front.taken import Drawn, Features
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.op import Step
from ntkit.kernels.infinite.program.program import UnboundProgram

__all__ = ["Lowered"]


@dataclass(frozen=True)
class Lowered:
    """A module as a program, for points of given shapes.

    Attributes:
        traced: The module.
        program: What it computes, its numbers still to be read.
        features: What the program takes from the points, by the numbers that it has for it.
        heads: Outputs that are concatenations, and the steps that they are made of.
        with_means: Outputs whose units have a mean that is not known.
        drawn: By step, the numbers of the module that it takes as draws, or by their mean.
    """

    traced: Traced
    program: UnboundProgram
    features: tuple[Features, ...]
    heads: tuple[tuple[fx.Node, tuple[int, ...]], ...] = ()
    with_means: tuple[fx.Node, ...] = ()
    drawn: dict[int, Drawn] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Of the program, in order of computation."""
        return self.program.steps

    @property
    def outputs(self) -> tuple[int, ...]:
        """The steps that the module returns."""
        return self.program.outputs
