"""A module made ready for points of one shape: steps, what each must keep, and the quick route."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.infinite.angle import AngleProfile, fit_profile, state_at_angle
from ntkit.kernels.infinite.chains import Chain, chains
from ntkit.kernels.infinite.engine import propagate
from ntkit.kernels.infinite.evidence.evidence import Evidence
from ntkit.kernels.infinite.layers import layer_kernels
from ntkit.kernels.infinite.plan import LAYERS, Plan, demands, plan
from ntkit.kernels.infinite.read import Reading
from ntkit.kernels.infinite.state import Layout, PairState
from ntkit.kernels.infinite.steps import Context, Demand, Side

__all__ = ["Prepared"]

_TOLERANCES = {torch.float64: 1e-13, torch.float32: 5e-8}
"""Of the polynomials that stand in for the layers, relative to the largest value."""

_SMALLEST = 1e-2
"""A kernel that comes closer to zero than this (relative) would lose digits to the polynomials."""

_FEW = torch.tensor([0.2, 0.9, 1.7, 2.8], dtype=torch.float64)
"""Angles at which a kernel is compared with what it was."""


@dataclass
class Prepared:
    """A reading with all that follows from it alone.

    Attributes:
        reading: The steps.
        with_ntk: Whether the tangent kernel is wanted.
        layout: Which pairs of positions of the output are wanted.
        scaled: The layers that have scales, which may be tensors that ask for gradients.
        scales: What the kernel depends on, where that is quick to say (see `plain_scales`).
        evidence: What was taken for granted about the module's numbers, if anybody asks again.
    """

    reading: Reading
    with_ntk: bool
    layout: Layout = "each"
    scaled: Sequence[Any] = ()
    scales: Callable[[], tuple[object, ...] | None] | None = None
    evidence: Evidence | None = None
    _scales_seen: tuple[object, ...] | None = field(default=None, repr=False)
    _profiles: dict[tuple[float, torch.dtype], tuple[Tensor, AngleProfile | None]] = field(
        default_factory=dict, repr=False
    )

    @property
    def has_live_scales(self) -> bool:
        """Whether a scale of a layer is, at present, a tensor that asks for gradients."""
        return any(
            isinstance(scale, Tensor) and scale.requires_grad
            for layer in self.scaled
            for scale in (layer.w_std, layer.b_std)
        )

    @cached_property
    def wanted(self) -> list[Demand | None]:
        """What each step must deliver."""
        return demands(self.reading, Demand(self.layout))

    @cached_property
    def chains(self) -> dict[int, Chain]:
        """Layers that may be computed together."""
        return chains(self.reading.steps, self.reading.outputs, self.wanted)

    @cached_property
    def entries(self) -> list[int]:
        """The steps that take the points."""
        return [k for k, step in enumerate(self.reading.steps) if step.back == "none"]

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether the kernel is a function of dot products of one set of features."""
        steps = self.reading.steps
        return (
            len(self.entries) == 1
            and len(self.reading.features) == 1
            and len(self.reading.outputs) == 1
            and not self.has_positions
            and not any(step.name.startswith("dropout") or step.sees_points for step in steps)
        )

    @cached_property
    def has_positions(self) -> bool:
        """Whether any step has positions."""
        return any(step.value.positions for step in self.reading.steps)

    @cached_property
    def is_homogeneous(self) -> bool:
        """Whether scaling the features scales the outputs."""
        return all(step.is_homogeneous for step in self.reading.steps)

    def value(self, state: PairState) -> Tensor:
        """The kernel in a state of the output."""
        return state.cov if state.ntk is None else state.ntk.expand_as(state.cov)

    def of_state(self, points: PairState) -> Tensor:
        """The kernel, where the state of the points is known already."""
        return self.value(propagate(self.reading, self.wanted, self._context(points))[0])

    def layers_of_state(self, points: PairState) -> Float[Tensor, "g ..."]:
        """The same, layer by layer."""
        return layer_kernels(self.reading, self.wanted, self._context(points))

    def profile(self, variance: float, dtype: torch.dtype) -> AngleProfile | None:
        """The kernel of inputs of one variance as a function of the angle; None if it is not smooth.

        Kept for the next call, as long as the kernel at a few angles is the same to the last digit:
        weights may have been trained in between.
        """
        scales = None if self.scales is None else self.scales()
        if (
            scales is not None
            and scales == self._scales_seen
            and (variance, dtype) in self._profiles
        ):
            return self._profiles[variance, dtype][1]
        # Without distances, which are not needed so far from zero, and dear.
        lengths = _FEW.new_full((4,), variance)
        zero = _FEW.new_zeros(()) if self.with_ntk else None
        few = PairState(variance * _FEW.cos(), zero, lengths, lengths)
        mark, key = self.of_state(few), (variance, dtype)
        known = self._profiles.get(key)
        if known is None or not torch.equal(known[0], mark):
            known = mark, self._fitted(variance, dtype)
            self._profiles = {key: known}
        self._scales_seen = scales
        return known[1]

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
        """What is kept at each step."""
        return plan(self.reading, self.wanted, n_points, route)

    def _context(self, points: PairState) -> Context:
        nothing = Side({})
        return Context(nothing, nothing, self.with_ntk, points=points)
