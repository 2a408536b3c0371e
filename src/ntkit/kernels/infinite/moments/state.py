"""The statistics of a pair of inputs that the rules of the infinite-width limit pass on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import AbstractActivation, Dual
from ntkit.kernels.infinite.activations.numerical.quadrature import scaled_slope
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt
from ntkit.kernels.infinite.moments.layout import Layout
from ntkit.kernels.infinite.moments.scales import Scale, affine, is_known

__all__ = ["PairState", "covariance_only"]


@dataclass(frozen=True)
class PairState:
    """Statistics of one unit over the random weights, for every pair of inputs at once.

    Leading axes run over pairs of inputs, trailing ones over `positions` (pixels, tokens; none for
    vectors): `[..., *positions]` in the layout "each", `[..., *positions, *positions]` in "pairs".
    The leading axes are `[n, m]` in a Gram matrix and any shape in a table of lags; variances
    broadcast against them.

    Rules combine the methods below and need not know how the digits of small angles are kept.

    Attributes:
        cov: `E[u v]`, the covariance of the pair (NNGP).
        ntk: Tangent kernel accumulated so far; None where only the NNGP was asked for.
        var1: `E[u^2]`; None where no nonlinearity follows, and so for the next three.
        var2: `E[v^2]`.
        apart: `2 (sqrt(var1 var2) - cov)`, see `Pair`. None after windows and maps of positions,
            whose distances are differences of covariances: angles below 1e-8 then count as zero.
        together: The same with a plus; None for `4 sqrt(var1 var2) - apart`.
        positions: Sizes of the position axes.
        layout: Which positions are paired.
        is_flat: Whether positions and channels were flattened into one axis of features.
        scales: How many times `cov` the tangent kernel holds for trained scales of these very
            units, which are proportional to what the scales multiply. A nonlinearity makes another
            thing of that part.
        is_factorised: Whether there is such a part of units that are no longer proportional (a shift, a
            sum): it is then taken with the rest, `E[u v] E[s'(u) s'(v)]`, and `scales` is 0.
        scales_by_position: Whether each position has scales of its own: pairs of two have no such
            part.

    Example:
        >>> import torch
        >>> one, two = torch.ones(2, 1), torch.ones(1, 2)
        >>> inputs = PairState(cov=torch.eye(2), ntk=torch.zeros(2, 2), var1=one, var2=two)
        >>> behind = inputs.affine(2.0, 1.0, own_weight=2.0, own_bias=1.0)  # weights of square 2, biases of square 1
        >>> behind.cov.tolist(), behind.ntk.tolist()  # 2 cov + 1, and of this layer's own training the same
        ([[3.0, 1.0], [1.0, 3.0]], [[3.0, 1.0], [1.0, 3.0]])
    """

    cov: Tensor
    ntk: Tensor | None
    var1: Tensor | None = None
    var2: Tensor | None = None
    apart: Tensor | None = None
    together: Tensor | None = None
    positions: tuple[int, ...] = ()
    layout: Layout = "each"
    is_flat: bool = False
    scales: float = 0.0
    is_factorised: bool = False
    scales_by_position: bool = False

    @property
    def pair(self) -> Pair:
        """The moments that an activation needs."""
        assert self.var1 is not None and self.var2 is not None
        apart, together = self.apart, self.together
        if apart is None or together is None:
            norms = safe_sqrt(self.var1) * safe_sqrt(self.var2)
            if apart is None:
                apart = _resolved(2 * (norms - self.cov), norms)
            if together is None:
                together = (4 * norms - apart).clamp_min(0)
        return Pair(self.cov, apart, together, self.var1, self.var2)

    @property
    def has_scales(self) -> bool:
        """Whether the tangent kernel holds a part of trained scales of these very units."""
        return self.is_factorised or self.scales != 0

    def factorised(self) -> "PairState":
        """With the part of trained scales taken with the rest from here on."""
        return replace(self, scales=0.0, is_factorised=True)

    def without_scales(self) -> "PairState":
        """With no trained scales of these very units any more: fresh weights or a nonlinearity came after."""
        return replace(self, scales=0.0, is_factorised=False) if self.has_scales else self

    def affine(self, w: Scale, b: Scale, *, own_weight: Scale, own_bias: Scale) -> "PairState":
        """After fresh weights: `cov <- w cov + b`, `ntk <- w ntk + own_weight cov + own_bias`.

        `own_weight cov + own_bias` is what the weights and biases of the layer itself contribute.
        """
        cov = affine(self.cov, w, b)
        ntk = None
        if self.ntk is not None:
            same = is_known(own_weight, w) and is_known(own_bias, b)
            own = cov if same else affine(self.cov, own_weight, own_bias)
            ntk = own + affine(self.ntk, w, 0.0)
        tables: dict[str, Any] = {"cov": cov, "ntk": ntk, "scales": 0.0, "is_factorised": False}
        if self.var1 is None or self.var2 is None:
            return replace(self, **tables)
        if is_known(b, 0.0):
            return replace(self, **tables, **_scaled(self, w))
        if self.apart is None:
            return replace(self, **tables, var1=w * self.var1 + b, var2=w * self.var2 + b)
        pair = self.pair
        var1, var2 = w * pair.var1 + b, w * pair.var2 + b
        norms, new = w * pair.norms, safe_sqrt(var1) * safe_sqrt(var2)
        spread = (pair.lengths[0] - pair.lengths[1]) ** 2
        total = new + norms + b
        if isinstance(b, Tensor):  # it may be 0, and so may the lengths
            total = torch.where(total > 0, total, 1)
        defect = 2 * w * b * spread / total  # 2 (new - norms - b), never cancelling
        return replace(
            self,
            **tables,
            var1=var1,
            var2=var2,
            apart=w * pair.apart + defect,
            together=w * pair.together + defect + 4 * b,
        )

    def trained_scale(
        self, w: float, b: float, *, own_weight: float, own_bias: float, by_position: bool = False
    ) -> "PairState":
        """After a trained scale (of square `w`) and shift (of square `b`) of each channel.

        As `affine`, but the weights are the units' own: see `scales`.

        Args:
            w: Mean square of the scales.
            b: Mean square of the shifts.
            own_weight: What the scales contribute to the tangent kernel, over `cov`.
            own_bias: What the shifts contribute.
            by_position: Whether each position has scales and shifts of its own.
        """
        if not by_position:
            state = self.affine(w, b, own_weight=own_weight, own_bias=own_bias)
        else:
            state = self.affine(w, b, own_weight=0.0, own_bias=0.0)
            own = replace(self, ntk=affine(self.cov, own_weight, own_bias)).decorrelated()
            ntk = None if state.ntk is None or own.ntk is None else state.ntk + own.ntk
            state = replace(state, ntk=ntk)
        if own_weight == 0 and not self.has_scales:
            return state
        if state.ntk is None or w == 0:  # of zeros, the part is taken with the rest exactly
            return state
        state = replace(state, scales_by_position=by_position)
        if (
            self.is_factorised
            or b != 0
            or (self.has_scales and self.scales_by_position != by_position)
        ):
            return state.factorised()
        return replace(state, scales=self.scales + own_weight / w)

    def scaled(self, w: Scale) -> "PairState":
        """After multiplication by a constant of square `w`."""
        ntk = None if self.ntk is None else w * self.ntk
        state = replace(self, cov=w * self.cov, ntk=ntk)
        return state if self.var1 is None else replace(state, **_scaled(self, w))

    def activated(
        self, activation: AbstractActivation, *, with_variances: bool = True
    ) -> "PairState":
        """After an elementwise nonlinearity.

        Args:
            activation: It.
            with_variances: Whether those of the result are wanted, and its distances.
        """
        assert self.var1 is not None and self.var2 is not None
        with_ntk = self.ntk is not None
        if self.apart is None and not self.cov.requires_grad and self.scales == 0:
            quick = activation.quick(self.cov, self.var1, self.var2, self.ntk)
            if quick is not None:
                return self._after(activation, Dual(quick[0], None), quick[1], with_variances)
        pair = self.pair
        dual = activation.dual(pair, slope=with_ntk)
        if dual.apart is None and self.apart is not None and with_variances:
            var1, var2 = activation.variance(self.var1), activation.variance(self.var2)
            norms = safe_sqrt(var1) * safe_sqrt(var2)
            apart = _resolved(2 * (norms - dual.cov), norms, same=pair.gap == 0)
            dual = replace(dual, apart=apart)
        return self._after(activation, dual, self._tangent(activation, dual), with_variances)

    def _tangent(self, activation: AbstractActivation, dual: Dual) -> Tensor | None:
        """`ntk E[s'(u) s'(v)]`; the part of trained scales is `E[u s'(u) v s'(v)]` times `scales`."""
        if dual.slope is None or self.ntk is None:
            return None
        if self.scales == 0:
            return self.ntk * dual.slope
        of_scale = scaled_slope(activation)
        moved = dual if of_scale is activation else of_scale.dual(self.pair, slope=False)
        part = self.scales * (moved.cov - self.cov * dual.slope)
        if self.scales_by_position:
            part = replace(self, cov=part, ntk=None, apart=None).decorrelated().cov
        return self.ntk * dual.slope + part

    def _after(
        self, activation: AbstractActivation, dual: Dual, ntk: Tensor | None, with_variances: bool
    ) -> "PairState":
        found = dict.fromkeys(("var1", "var2", "apart", "together"))
        if with_variances and self.var1 is not None and self.var2 is not None:
            found["var1"] = activation.variance(self.var1)
            found["var2"] = activation.variance(self.var2)
            if self.apart is not None:
                found["apart"], found["together"] = dual.apart, dual.together
        return replace(self.without_scales(), cov=dual.cov, ntk=ntk, **found)

    def normalised(self, scale1: Tensor, scale2: Tensor) -> "PairState":
        """Each unit over its own length; `scale` holds the squares, shaped like the variances."""
        inverse1, inverse2 = scale1.rsqrt(), scale2.rsqrt()
        factor = inverse1 * inverse2
        ntk = None if self.ntk is None else self.ntk * factor
        state = replace(self, cov=self.cov * factor, ntk=ntk)
        if self.var1 is None or self.var2 is None:
            return state
        return replace(
            state,
            var1=self.var1 / scale1,
            var2=self.var2 / scale2,
            apart=None if self.apart is None else self.apart * factor,
            together=None if self.together is None else self.together * factor,
        )

    def decorrelated(self) -> "PairState":
        """With different positions made independent, as by weights of their own."""
        if self.layout == "each" or not self.positions:
            return self
        same = torch.eye(prod(self.positions), dtype=self.cov.dtype, device=self.cov.device)
        same = same.reshape(*self.positions, *self.positions)
        ntk = None if self.ntk is None else self.ntk * same
        state = replace(self, cov=self.cov * same, ntk=ntk)
        if self.apart is None:
            return state
        pair = self.pair
        return replace(
            state,
            apart=torch.where(same > 0, pair.apart, 2 * pair.norms),
            together=torch.where(same > 0, pair.together, 2 * pair.norms),
        )

    def each(self) -> "PairState":
        """Each position paired with itself alone."""
        if self.layout == "each" or not self.positions:
            return replace(self, layout="each")
        k = len(self.positions)
        letters = "abcd"[:k]

        def diagonal(table: Tensor | None) -> Tensor | None:
            if table is None or table.ndim < 2 * k:
                return table
            return torch.einsum(f"...{letters}{letters}->...{letters}", table)

        var1, var2 = self.var1, self.var2
        return replace(
            self,
            cov=torch.einsum(f"...{letters}{letters}->...{letters}", self.cov),
            ntk=diagonal(self.ntk),
            var1=None if var1 is None else var1.reshape(var1.shape[:-k]),
            var2=None if var2 is None else var2.reshape(*var2.shape[: -2 * k], *var2.shape[-k:]),
            apart=diagonal(self.apart),
            together=diagonal(self.together),
            layout="each",
        )

    def read_out(self) -> "PairState":
        """Of flattened features: the mean over positions, which the next weights see."""
        if not self.is_flat:
            return self
        axes = tuple(range(-len(self.positions), 0))

        def mean(table: Tensor | None) -> Tensor | None:
            return table if table is None or table.ndim < len(axes) else table.mean(axes)

        cov = self.cov.mean(axes)
        state = PairState(cov, mean(self.ntk))
        if self.var1 is None or self.var2 is None:
            return state
        var1, var2 = self.var1.mean(axes), self.var2.mean(axes)
        if self.apart is None:
            return replace(state, var1=var1, var2=var2)
        gap = self.pair.gap.mean(axes)
        apart = (gap - (safe_sqrt(var1) - safe_sqrt(var2)) ** 2).clamp_min(0)
        return replace(state, var1=var1, var2=var2, apart=apart)

    def rearranged(
        self, on_positions: Callable[[Tensor, int], Tensor], positions: tuple[int, ...]
    ) -> "PairState":
        """With the position axes permuted or reshaped.

        Args:
            on_positions: `f(table, end)` rearranges the axes that end `end` before the last.
            positions: Sizes of the position axes afterwards.
        """
        k = len(self.positions)
        both = self.layout == "pairs"

        def on(table: Tensor | None) -> Tensor | None:
            if table is None or table.ndim < k:
                return table
            return on_positions(on_positions(table, k), 0) if both else on_positions(table, 0)

        cov = on(self.cov)
        assert cov is not None
        return replace(
            self,
            cov=cov,
            ntk=on(self.ntk),
            var1=on(self.var1),
            var2=on(self.var2),
            apart=on(self.apart),
            together=on(self.together),
            positions=positions,
        )

    def weighted(self, weight1: Tensor, weight2: Tensor) -> "PairState":
        """Each input's positions times numbers of its own, shaped like the variances."""
        factor = weight1 * weight2
        ntk = None if self.ntk is None else self.ntk * factor
        state = replace(self, cov=self.cov * factor, ntk=ntk)
        if self.var1 is None or self.var2 is None:
            return state
        state = replace(state, var1=self.var1 * weight1**2, var2=self.var2 * weight2**2)
        if self.apart is None:
            return state
        pair, size = self.pair, factor.abs()
        turned = factor < 0
        return replace(
            state,
            apart=size * torch.where(turned, pair.together, pair.apart),
            together=size * torch.where(turned, pair.apart, pair.together),
        )

    def mapped(
        self,
        on_pairs: Callable[[Tensor], Tensor],
        on_first: Callable[[Tensor], Tensor],
        on_second: Callable[[Tensor], Tensor],
        positions: tuple[int, ...],
    ) -> "PairState":
        """After a map of positions whose action on variances is known: windows, selections.

        Distances are not kept: from here on they are differences of covariances.

        Args:
            on_pairs: The map of a table over pairs of inputs.
            on_first: The map of `var1`.
            on_second: The map of `var2`.
            positions: Sizes of the position axes afterwards.
        """
        state = self.mixed(on_pairs, positions)
        if self.var1 is None or self.var2 is None:
            return state
        return replace(state, var1=on_first(self.var1), var2=on_second(self.var2))

    def mixed(
        self, on_pairs: Callable[[Tensor], Tensor], positions: tuple[int, ...]
    ) -> "PairState":
        """After a map that mixes positions; `resolved` adds the variances, if they are needed."""
        ntk = self.ntk
        if ntk is not None and not (ntk.ndim == 0 and float(ntk) == 0):  # linear maps keep zero
            ntk = on_pairs(_whole(ntk, self.cov))
        bare = covariance_only(self)
        if self.scales_by_position and self.has_scales:
            bare = bare.factorised()
        return replace(bare, cov=on_pairs(self.cov), ntk=ntk, positions=positions)

    def resolved(self, var1: Tensor, var2: Tensor) -> "PairState":
        """With variances that are known from each input alone."""
        return replace(self, var1=var1, var2=var2)


def covariance_only(state: PairState) -> PairState:
    """The state without what only a nonlinearity would need."""
    return replace(state, var1=None, var2=None, apart=None, together=None)


def _scaled(state: PairState, w: Scale) -> dict[str, Tensor | None]:
    return {
        name: None if value is None else w * value
        for name, value in (
            ("var1", state.var1),
            ("var2", state.var2),
            ("apart", state.apart),
            ("together", state.together),
        )
    }


def _whole(table: Tensor, like: Tensor) -> Tensor:
    return table if table.shape == like.shape else table.expand_as(like)


# A distance got from a difference is rounding below this share of the lengths.
_ROUNDING = 8 * torch.finfo(torch.float64).eps


def _resolved(apart: Tensor, norms: Tensor, same: Tensor | None = None) -> Tensor:
    """A distance from a difference, with rounding taken for what it is: zero."""
    kept = apart > _ROUNDING * norms
    if same is not None:
        kept = kept & ~same
    return torch.where(kept, apart, 0)
