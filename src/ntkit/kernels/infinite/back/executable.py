"""A program with what each operation must deliver, and what follows from it: chains, and the quick route."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.infinite.activations.piecewise_linear import PiecewiseLinear
from ntkit.kernels.infinite.back.angle import AngleProfile, fit_profile, state_at_angle
from ntkit.kernels.infinite.back.by_layer import layer_kernels
from ntkit.kernels.infinite.back.chains import Chain, chains
from ntkit.kernels.infinite.back.fused import Fused
from ntkit.kernels.infinite.back.interpreter import propagate
from ntkit.kernels.infinite.moments.layout import Layout
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import Context, PairWatch, Side
from ntkit.kernels.infinite.program.ops.affine import Custom
from ntkit.kernels.infinite.program.ops.bend import Bend
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.program.plan import LAYERS, Plan, plan
from ntkit.kernels.infinite.program.program import Program, demands
from ntkit.kernels.infinite.program.units import Demand

__all__ = ["Executable"]

_TOLERANCES = {torch.float64: 1e-13, torch.float32: 5e-8}
"""Of the polynomials that stand in for the layers, relative to the largest value."""

_SMALLEST = 1e-2
"""A kernel that comes closer to zero than this (relative) would lose digits to the polynomials."""

_FEW = torch.tensor([0.2, 0.9, 1.7, 2.8], dtype=torch.float64)
"""Angles at which a kernel is compared with what it was, where rules read more than a program has."""


@dataclass
class Executable:
    """A program, and all that follows from it alone.

    Attributes:
        program: The operations.
        n_features: Tensors that it takes from the points.
        with_ntk: Whether the tangent kernel is wanted.
        layout: Which pairs of positions of the output are wanted.
        is_live: Whether some of its numbers ask for gradients.
    """

    program: Program
    n_features: int
    with_ntk: bool
    layout: Layout = "each"
    is_live: bool = False
    _profiles: dict[tuple[float, torch.dtype], tuple[Tensor, AngleProfile | None]] = field(
        default_factory=dict, repr=False
    )

    @cached_property
    def wanted(self) -> list[Demand | None]:
        """What each operation must deliver."""
        return demands(self.program.ops, self.program.outputs, Demand(self.layout))

    @cached_property
    def chains(self) -> dict[int, Chain]:
        """Layers that may be computed together."""
        return chains(self.program, self.wanted)

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether the kernel is a function of dot products of one set of features."""
        ops = self.program.ops
        return (
            sum(isinstance(op, TakePoints) for op in ops) == 1
            and self.n_features == 1
            and len(self.program.outputs) == 1
            and not self.has_positions
            and all(op.of_products for op in ops)
        )

    @cached_property
    def has_positions(self) -> bool:
        """Whether any units have positions."""
        return any(op.units.positions for op in self.program.ops)

    @cached_property
    def is_homogeneous(self) -> bool:
        """Whether scaling the features scales the outputs."""
        return all(op.is_homogeneous for op in self.program.ops)

    @cached_property
    def bytes_per_pair(self) -> int:
        """Memory that one pair of points takes while it is computed."""
        return self.plan().bytes_per_pair

    def value(self, state: PairState) -> Tensor:
        """The kernel in a state of the output."""
        return state.cov if state.ntk is None else state.ntk.expand_as(state.cov)

    def of_state(self, points: PairState) -> Tensor:
        """The kernel, where the state of the points is known already."""
        return self.value(propagate(self.program, self.wanted, self._context(points))[0])

    @cached_property
    def of_cosines(self) -> Fused:
        """`(cov, var1, var2) -> kernel, close pairs`: the layers one after another, on pairs whose distances are not kept.

        Fused only where no layer looks at the numbers to choose its formula: see `is_piecewise_linear`.
        """
        return Fused(self._of_cosines)

    def _of_cosines(self, cov: Tensor, var1: Tensor, var2: Tensor) -> tuple[Tensor, Tensor | None]:
        watch = PairWatch()
        zero = cov.new_zeros(()) if self.with_ntk else None
        context = replace(self._context(PairState(cov, zero, var1, var2)), watch=watch)
        found = self.value(propagate(self.program, self.wanted, context)[0])
        return found, watch.close

    @cached_property
    def is_piecewise_linear(self) -> bool:
        """Whether all its nonlinearities are: their formulas hold at every angle."""
        bends = [op.activation for op in self.program.ops if isinstance(op, Bend)]
        return all(isinstance(activation, PiecewiseLinear) for activation in bends)

    def layers_of_state(self, points: PairState) -> Float[Tensor, "g ..."]:
        """The same, layer by layer."""
        return layer_kernels(self.program, self.wanted, self._context(points))

    def profile(self, variance: float, dtype: torch.dtype) -> AngleProfile | None:
        """The kernel of inputs of one variance as a function of the angle; None if it is not smooth.

        Kept for the next call. A rule that reads the layer itself may find it changed: then as long as
        the kernel at a few angles is the same to the last digit.
        """
        mark = self._mark(variance) if self._has_custom else _FEW.new_empty(0)
        known, key = self._profiles.get((variance, dtype)), (variance, dtype)
        if known is not None and torch.equal(known[0], mark):
            return known[1]
        profile = self._fitted(variance, dtype)
        self._profiles = {key: (mark, profile)}
        return profile

    @cached_property
    def _has_custom(self) -> bool:
        return any(isinstance(op, Custom) for op in self.program.ops)

    def _mark(self, variance: float) -> Tensor:
        """Without distances, which are not needed so far from zero, and dear."""
        lengths = _FEW.new_full((4,), variance)
        zero = _FEW.new_zeros(()) if self.with_ntk else None
        return self.of_state(PairState(variance * _FEW.cos(), zero, lengths, lengths))

    def _fitted(self, variance: float, dtype: torch.dtype) -> AngleProfile | None:
        tolerance = _TOLERANCES[dtype]

        def by_angle(angle: Tensor) -> Tensor:
            return self.of_state(state_at_angle(angle, variance, with_ntk=self.with_ntk))[None]

        profile = fit_profile(by_angle, tolerance)
        angle = profile.by_angle
        values = angle(torch.linspace(0, torch.pi, 200, dtype=torch.float64))
        if angle.error > tolerance or float(values.min()) < _SMALLEST * float(values.abs().max()):
            return None
        return profile

    def plan(self, n_points: int = 1, route: str = LAYERS) -> Plan:
        """What is kept at each operation."""
        return plan(self.program, self.wanted, n_points, route)

    def _context(self, points: PairState) -> Context:
        nothing = Side({})
        return Context(nothing, nothing, self.with_ntk, points=points)
