"""The whole problem, with kernel, total variation and bounds, by a primal-dual method in a metric of waves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus
from ntkit.reconstruction.variation import (
    curvature_of_differences,
    differences,
    differences_adjoint,
    lengths_of,
)

__all__ = ["PrimalDual", "State", "Terms"]

_FAR, _NEAR = 3.0, 1.0
"""Steps of the dual variable of the data, over the square root of the kernel's weight over the mean curvature, which is the best step
of a problem strongly convex on both sides (Chambolle and Pock 2011, section 5.2). On CT, MRI with coils, masks and blurs 3 of a factor of
1 to 10 comes soonest from one strength of total variation to the next; from there 1 leaves a tenth to a half of the way to the end that 3
leaves after 100 iterations."""

_OVERSHOOT = 1.8
"""Over-relaxation: below 2 it converges; saves about four iterations in ten."""

_SLOPE = 0.2
"""Typical difference of neighbours in standard deviations of the field, which balances the step of the variation."""

_CHECK_EVERY = 10  # iterations: to look costs a sum over all fields, and the last ones count little


@dataclass(frozen=True, eq=False)
class Terms:
    """What each of `c` problems adds to `1/2 |A f - y|^2`.

    Attributes:
        keep: `[c, 1, m]`, 1 for data that count and 0 for those held out.
        weight: `[c]`, of the kernel, `a`; 0 for none.
        variation: `[c]`, of the total variation, `b`; 0 for none.
        spectrum: Of the kernel on the torus; None where no problem has one.
        mean: The constant about which the kernel's field varies; of complex fields the real part's.
        bounds: Least and largest value; None for no bound.
    """

    keep: Float[Tensor, "c 1 m"]
    weight: Float[Tensor, " c"]
    variation: Float[Tensor, " c"]
    spectrum: Float[Tensor, "..."] | None
    mean: float
    bounds: tuple[float | None, float | None] | None

    def with_variation(self, variation: Float[Tensor, " c"]) -> "Terms":
        """The same with other total variations."""
        return replace(self, variation=variation)

    def in_units(self, scale: float) -> "Terms":
        """The problem of `f / scale` and `y / scale`."""
        ends = self.bounds or (None, None)
        low, high = (None if end is None else end / scale for end in ends)
        return replace(
            self,
            variation=self.variation / scale,
            mean=self.mean / scale,
            bounds=None if self.bounds is None else (low, high),
        )

    def clip(self, field: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """The nearest field within the bounds."""
        if self.bounds is None:
            return field
        return field.clamp(*self.bounds)


@dataclass(frozen=True, eq=False)
class State:
    """Where the iterations stand, to go on from.

    Attributes:
        waves: `[c, p, *k, 2]`, of the field on the torus, in the layout of `rfftn`, as pairs of real numbers. All are in units of
            the method's `scale`.
        data: `[c, p, m]`, dual variable of the data.
        slopes: `[d, c, p, *shape]`, of the total variation.
        bound: `[c, p, *shape]`, of the bounds.
        change: Of the field on the grid in one iteration, over its size (or a hundredth of the typical one, where it is less),
            the largest of the problems.
        iterations: How many led here from the start that was given.
    """

    waves: Float[Tensor, "..."]
    data: Float[Tensor, "..."]
    slopes: Float[Tensor, "..."]
    bound: Float[Tensor, "..."]
    change: float
    iterations: int

    def of_all_data(self) -> "State":
        """Near that of the problem with all data, from those that leave out a part each: their mean."""
        # In the one problem that leaves a datum out its dual variable is 0.
        kept = len(self.data) - 1
        return replace(
            self,
            waves=self.waves.mean(0, keepdim=True),
            data=self.data.sum(0, keepdim=True) / kept,
            slopes=self.slopes.mean(1, keepdim=True),
            bound=self.bound.mean(0, keepdim=True),
        )


class PrimalDual:
    """Minimises `1/2 |A f - y|^2 + a/2 <f - m, K^-1 (f - m)> + b TV(f)` within bounds, for several problems at once.

    The unknown is a field on the torus, where `K` is diagonal in waves, so that the kernel's proximal step is exact. The
    metric of the primal step is diagonal in waves too: a circulant matrix above `A^H A` and above the differences'
    (`System.curvature`). An iteration is one product with `A`, one with `A^H`, and a Fourier transform each way.

    Args:
        system: The measurement.
        y: `[p, m]`, data, weighted.
        scale: Typical size of the field: the unit within, in which single precision neither overflows nor is lost.
        ridge: Weight of the kernel that is likely, for the balance of the steps.
        is_near: Whether it begins near the end, and is to come to it; else it is to come near it soon.
        dtype: Precision.

    Source: Condat 2013, Journal of Optimization Theory and Applications 158, algorithm 3.2, with the metric of Pock and
    Chambolle 2011 (diagonal preconditioning), here diagonal in waves.
    """

    def __init__(
        self,
        system: System,
        y: Float[Tensor, "p m"],
        *,
        scale: float,
        ridge: float,
        is_near: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._system, self._y, self._dtype = system, (y / scale).to(dtype), dtype
        self._torus: Torus = system.torus
        self._scale = scale
        self._curvature = system.curvature.to(dtype)
        self._rough = curvature_of_differences(self._torus.frequencies()).to(dtype)
        mean = float(self._curvature.mean())
        self._data_step = min(0.3, (_NEAR if is_near else _FAR) * sqrt(ridge / mean))
        self._flat = self._data_step * mean
        real = torch.ones(len(y), *[1] * len(self._torus.shape), dtype=dtype)
        if system.measurement.is_complex:
            real[1::2] = 0
        self._real = real

    def solve(
        self,
        terms: Terms,
        *,
        start: State | None = None,
        tolerance: float = 1e-4,
        iterations: int = 500,
        on_step: Callable[[], None] | None = None,
    ) -> State:
        """Iterate until the field changes by less than `tolerance` of its size in an iteration, on the grid.

        Off the grid, where no data are, waves go on to move for hundreds of iterations that the field does not see.

        Args:
            terms: The problems.
            start: Where to begin; the mean everywhere if left out. The dual variables of other terms are cut to fit.
            tolerance: Relative.
            iterations: At most.
            on_step: Called once an iteration.
        """
        state = self._flat_field(terms) if start is None else start
        step = _Step(self, terms)
        for k in range(1, iterations + 1):
            following = step(state)
            if on_step:
                on_step()
            if k % _CHECK_EVERY == 0 or k == iterations:
                change = self._change(state.waves, following.waves)
                state = replace(following, change=change, iterations=k)
                if change < tolerance:
                    break
            else:
                state = following
        return state

    def at_waves(self, waves: Tensor, terms: Terms) -> State:
        """The state of fields that the kernel alone gives: the end, where there are neither bounds nor variation.

        Args:
            waves: `[c, p, *k]`, of the fields less the mean.
            terms: The problems.
        """
        flat = self._flat_field(terms)
        pairs = torch.view_as_real(waves) / self._scale
        whole = flat.waves + pairs.to(self._dtype)
        found = self._torus.on_grid(torch.view_as_complex(whole))
        left = self._system.forward(found) - self._y
        return replace(flat, waves=whole, data=terms.keep.to(self._dtype) * left)

    def field(self, state: State, terms: Terms) -> Float[Tensor, "c p ..."]:
        """The field on the grid, within its bounds to the last digit: in double precision."""
        found = self._torus.on_grid(torch.view_as_complex(state.waves))
        return terms.clip(found.double() * self._scale)

    def _change(self, before: Float[Tensor, "c ..."], after: Float[Tensor, "c ..."]) -> float:
        """Of fields from one iteration to the next, relative: the largest of the problems."""
        largest = 0.0
        for old, new in zip(before, after, strict=True):
            moved, size = (
                float(self._torus.on_grid(torch.view_as_complex(waves)).square().mean().sqrt())
                for waves in (new - old, new)
            )
            largest = max(largest, moved / max(size, 1e-2))  # a field may be 0
        return largest

    def _flat_field(self, terms: Terms) -> State:
        cases, shape, parts = len(terms.keep), self._torus.shape, len(self._y)
        new = self._y.new_zeros
        waves = new(cases, parts, *self._curvature.shape, 2)
        flat = (slice(None), slice(None), *[0] * (len(shape) + 1))
        waves[flat] = terms.mean / self._scale * prod(self._torus.lengths) * self._real.flatten()
        return State(
            waves,
            new(cases, parts, self._y.shape[1]),
            new(len(shape), cases, parts, *shape),
            new(cases, parts, *shape),
            1.0,
            0,
        )


class _Step:
    """One iteration for given terms: what does not change from one to the next is computed once."""

    def __init__(self, method: PrimalDual, terms: Terms) -> None:
        flat = method._flat_field(terms).waves
        terms = terms.in_units(method._scale)
        self._of, self._terms = method, terms
        ndim = len(method._torus.shape)
        self._ndim = ndim
        dtype = method._dtype

        def by_case(values: Tensor) -> Tensor:
            return values.to(dtype).reshape(-1, 1, *[1] * ndim)

        self._b = by_case(terms.variation)
        # Steps that differ between the problems would need metrics that do: the largest serves all.
        self._slope_step = float(terms.variation.max()) / _SLOPE + 0.2 * method._flat
        self._bound_step = method._flat if terms.bounds is not None else 0.0
        metric = (
            method._data_step * method._curvature
            + self._slope_step * method._rough
            + self._bound_step
        )
        weight = by_case(terms.weight)
        if terms.spectrum is None:
            gain = torch.ones_like(metric)[None, None]
        else:
            filtered = terms.spectrum.to(dtype) * metric
            gain = torch.where(weight > 0, filtered / (filtered + weight), 1.0)
        cases = (len(flat), *[-1] * (gain.ndim - 1))
        self._gain = _for_pairs(gain).expand(*cases, 2)
        self._filter = _for_pairs(gain / metric).expand(*cases, 2)
        self._rest = flat * (1 - self._gain)
        self._keep = terms.keep.to(dtype)

    def __call__(self, state: State) -> State:
        of = self._of
        pull = of._system.adjoint(state.data) + differences_adjoint(state.slopes) + state.bound
        each = zip(pull, state.waves, self._rest, self._gain, self._filter, strict=True)
        primal = [self._primal(*one) for one in each]  # together they would not stay in the cache
        waves, ahead = (torch.stack(parts) for parts in zip(*primal, strict=True))
        data = state.data + of._data_step * (of._system.forward(ahead) - of._y)
        data = self._keep * data / (1 + of._data_step)
        slopes = differences(ahead, self._ndim).mul_(self._slope_step).add_(state.slopes)
        slopes *= torch.where(
            self._b > 0, (self._b / lengths_of(slopes).clamp_min(1e-30)).clamp_max(1), 0.0
        )
        bound = self._bounded(state.bound + self._bound_step * ahead)
        return State(
            waves,
            torch.lerp(state.data, data, _OVERSHOOT),
            torch.lerp(state.slopes, slopes, _OVERSHOOT),
            torch.lerp(state.bound, bound, _OVERSHOOT),
            state.change,
            state.iterations,
        )

    def _primal(
        self, pull: Tensor, before: Tensor, rest: Tensor, gain: Tensor, metric: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The waves of one problem, and the field that the dual variables see."""
        torus = self._of._torus
        pulled = torch.view_as_real(torus.to_waves(pull)).mul_(metric)
        waves = torch.addcmul(rest, before, gain).sub_(pulled)
        ahead = torus.on_grid(torch.view_as_complex(torch.lerp(before, waves, 2.0)))
        return torch.lerp(before, waves, _OVERSHOOT), ahead

    def _bounded(self, dual: Tensor) -> Tensor:
        """The proximal step of the bounds' conjugate."""
        if self._bound_step == 0:
            return dual
        return dual - self._bound_step * self._terms.clip(dual / self._bound_step)


def _for_pairs(factor: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Factors of waves, twice each: real and imaginary parts are multiplied as one row of numbers."""
    return factor[..., None].expand(*factor.shape, 2).contiguous()
