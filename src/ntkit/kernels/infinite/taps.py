"""Windows with independent weights at each tap: what a convolution does to positions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ntkit.kernels.infinite.compiled import loops_for
from ntkit.kernels.infinite.state import PairState, covariance_only, memory_order

__all__ = ["Taps", "Weights", "convolved"]

_SHORT = 32
"""Rows of fewer numbers than this cost more to enter than to add."""

Padding = Literal["zeros", "circular", "reflect", "replicate"]


@dataclass(frozen=True)
class Taps:
    """The window of a convolution along one axis.

    Attributes:
        size: Samples that come in.
        kernel: Number of taps.
        stride: Samples between windows (between inputs, if transposed).
        dilation: Samples between taps.
        before: Samples of padding in front.
        after: Samples of padding behind.
        padding: What the padding holds.
        transposed: Whether each input is spread over its window, instead of each output
            gathered from it; `after` then counts cropped samples less `output_padding`.
    """

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    padding: Padding = "zeros"
    transposed: bool = False

    @property
    def out_size(self) -> int:
        """Samples that go out."""
        reach = self.dilation * (self.kernel - 1) + 1
        if self.transposed:
            return (self.size - 1) * self.stride + reach - self.before - self.after
        return (self.size + self.before + self.after - reach) // self.stride + 1

    @property
    def is_plain(self) -> bool:
        """Whether output `o` is a sum of inputs `o + step`, with zeros beyond the border."""
        same = self.out_size == self.size and self.stride == 1
        return same and self.padding == "zeros" and not self.transposed

    @property
    def reaches(self) -> list[int]:
        """Of a plain window, how far each tap reaches from its output to its input."""
        return [k * self.dilation - self.before for k in range(self.kernel)]

    def slices(self) -> list[tuple[slice, slice]]:
        """For each tap, which outputs read which inputs, in order; empty ones are left out."""
        found = []
        padded = self.padding != "zeros" and not self.transposed
        size = self.size + (self.before + self.after if padded else 0)
        shift = 0 if padded else self.before
        for k in range(self.kernel):
            if self.transposed:  # output i * stride + offset reads input i
                target, source = self._overlap(size, k * self.dilation - shift, self.out_size)
            else:  # output o reads input o * stride + offset
                source, target = self._overlap(self.out_size, k * self.dilation - shift, size)
            if target.stop > target.start:
                found.append((target, source))
        return found

    def _overlap(self, count: int, offset: int, limit: int) -> tuple[slice, slice]:
        """Those `i < count` with `0 <= i * stride + offset < limit`: (the places, the i)."""
        low = max(0, -(offset // self.stride))
        high = min(count, (limit - 1 - offset) // self.stride + 1)
        high = max(low, high)
        start = low * self.stride + offset
        places = slice(start, start + (high - low - 1) * self.stride + 1, self.stride)
        if high == low:
            places = slice(0, 0)
        return places, slice(low, high, 1)

    def padded(self, table: Tensor, axis: int) -> Tensor:
        """The table with its border filled in along `axis`, where it is not zeros."""
        if self.padding == "zeros" or self.transposed or not (self.before or self.after):
            return table
        index = torch.arange(-self.before, self.size + self.after, device=table.device)
        last = self.size - 1
        if self.padding == "circular":
            index = index % self.size
        elif self.padding == "replicate":
            index = index.clamp(0, last)
        else:
            index = last - (last - index.abs()).abs()
        return table.index_select(axis, index)


@dataclass(frozen=True)
class Weights:
    """What a convolution does with the sums over its windows: see `PairState.affine`.

    Attributes:
        sums: A factor of the sums, before all else.
        w: Of both kernels.
        b: Of the biases.
        own_weight: What the weights themselves contribute to the tangent kernel.
        own_bias: What the biases contribute.
    """

    sums: float | Tensor
    w: float | Tensor
    b: float | Tensor
    own_weight: float | Tensor
    own_bias: float | Tensor


def convolved(state: PairState, taps: Sequence[Taps], weights: Weights) -> PairState:
    """The sum over all windows, one axis after the other (taps of a box separate), and the weights.

    The variances are dropped: rules that call this have the effect "windows".

    Args:
        state: One tap count for each of its position axes.
        taps: The window along each axis.
        weights: What comes after.
    """
    axes = len(taps)
    copies = 2 if state.layout == "pairs" else 1
    if copies == 2 and all(tap.is_plain for tap in taps):
        quick = _by_loops(state, taps, weights)
        if quick is not None:
            return quick

    def on_pairs(table: Tensor) -> Tensor:
        order = memory_order(table.ndim, axes, copies)
        stored = table.permute(order).contiguous()
        for k, tap in enumerate(taps):
            stored = _sum(stored, tap, k * copies, copies, weights.sums if k == 0 else 1.0)
        return stored.permute([order.index(k) for k in range(table.ndim)])

    summed = state.mixed(on_pairs, tuple(t.out_size for t in taps))
    return summed.affine(
        weights.w, weights.b, own_weight=weights.own_weight, own_bias=weights.own_bias
    )


def _by_loops(state: PairState, taps: Sequence[Taps], weights: Weights) -> PairState | None:
    """The same by compiled loops, where they serve: a pass for each of the two tables."""
    w, b = weights.w, weights.b
    own_weight = weights.own_weight if state.trains[0] else 0.0
    own_bias = weights.own_bias if state.trains[1] else 0.0
    if any(isinstance(k, Tensor) for k in (weights.sums, w, b, own_weight, own_bias)) or w == 0:
        return None
    cov, ntk = state.cov, state.ntk
    starts = ntk is not None and ntk.ndim == 0 and float(ntk) == 0
    loops = loops_for(cov.numel(), *((cov,) if ntk is None or starts else (cov, ntk)))
    if loops is None:
        return None
    share = own_weight / w  # of `w cov + b`, which is at hand
    passes = _Passes(loops, taps, cov)
    after = passes(cov, None, weights.sums * w, 0.0, b)
    if starts:
        ntk = share * after + (own_bias - share * b)
    elif ntk is not None:
        ntk = passes(ntk.expand_as(cov), after, weights.sums * w, share, own_bias - share * b)
    return replace(covariance_only(state), cov=after, ntk=ntk, scales=0.0)


class _Passes:
    """The compiled loop, with all that is the same for tables of one shape.

    Each pair of points has its table in one piece, the two copies of an axis side by side.
    """

    def __init__(self, loops: Any, taps: Sequence[Taps], like: Tensor) -> None:
        self.loops, self.taps, self.like = loops, taps, like
        axes = len(taps)
        points = list(range(like.ndim - 2 * axes))
        order = memory_order(like.ndim, axes, 2)
        self.order = [*points, *order[: 2 * axes]]
        self.back = [self.order.index(k) for k in range(like.ndim)]
        self.shape = like.permute(self.order).shape
        outer = taps[-2] if axes > 1 else Taps(1, 1)
        inner = taps[-1]
        self.size, self.length = outer.size, inner.size**2
        self.windows = _reaches(outer), _reaches(inner) * (inner.size + 1), _masks(inner, like.dtype)

    def __call__(
        self, table: Tensor, plus: Tensor | None, weight: float, own: float, shift: float
    ) -> Tensor:
        """`weight sums + own plus + shift`."""
        stored = table.permute(self.order).contiguous()
        for k, tap in enumerate(self.taps[:-2]):
            stored = _sum(stored, tap, stored.ndim - 2 * len(self.taps) + 2 * k, 2, 1.0)
        out = torch.empty_like(stored)
        self.loops.window_sums(
            self._as_tables(stored),
            None if plus is None else self._as_tables(plus.permute(self.order).contiguous()),
            *self.windows,
            table.new_tensor([weight, own, shift]).numpy(),
            self._as_tables(out),
        )
        return out.permute(self.back)

    def _as_tables(self, stored: Tensor) -> np.ndarray:
        return stored.view(-1, self.size, self.size, self.length).numpy()


@lru_cache(maxsize=64)
def _reaches(tap: Taps) -> np.ndarray:
    """Of each tap, in threes: what is missing reaches nowhere, `[k, 3]`."""
    missing = -tap.kernel % 3
    return np.array(tap.reaches + [tap.size] * missing).reshape(-1, 3)


@lru_cache(maxsize=64)
def _masks(tap: Taps, dtype: torch.dtype) -> np.ndarray:
    """For each tap, 1 where it stays within the border, along both axes in one: `[k, 3, size^2]`."""
    reaches = _reaches(tap)
    masks = torch.stack([_inside(tap, int(reach)) for reach in reaches.flat])
    return masks.to(dtype).reshape(*reaches.shape, -1).numpy()


def _inside(tap: Taps, reach: int) -> Tensor:
    """1 where that reach of a plain window stays within the border, on both of two axes: `[size, size]`."""
    place = torch.arange(tap.size)
    inside = (place + reach >= 0) & (place + reach < tap.size)
    return torch.outer(inside, inside)


def _sum(stored: Tensor, tap: Taps, axis: int, copies: int, weight: float | Tensor) -> Tensor:
    """Sum over the taps along `axis`, or along it and the next in step."""
    if isinstance(weight, Tensor):
        stored, weight = stored * weight, 1.0
    outer, inner = prod(stored.shape[:axis]), prod(stored.shape[axis + copies :])
    table = stored.reshape(outer, *stored.shape[axis : axis + copies], inner)
    for k in range(copies):
        table = tap.padded(table, 1 + k)
    slices = tap.slices()
    middle = [pair for pair in slices if pair[0] == pair[1] == slice(0, tap.size, 1)]
    if middle and tap.out_size == table.shape[1]:  # nothing was padded
        slices.remove(middle[0])
        total = table * weight
    else:
        total = table.new_zeros(outer, *(tap.out_size,) * copies, inner)
    if copies == 2 and inner < _SHORT and tap.is_plain:
        _add_shifted(total, table, tap, weight)
    else:
        for target, source in slices:
            at, of = (slice(None), *(target,) * copies), (slice(None), *(source,) * copies)
            total[at].add_(table[of], alpha=weight)
    return total.reshape(*stored.shape[:axis], *total.shape[1:-1], *stored.shape[axis + copies :])


def _add_shifted(total: Tensor, table: Tensor, tap: Taps, weight: float) -> None:
    """The same for `[outer, size, size, inner]` with few numbers inside, as shifts of long rows.

    One step along both axes is a step of `(size + 1) inner` in memory; a mask leaves out what would
    come from over the border.
    """
    size, inner = tap.size, table.shape[-1]
    total, table = total.reshape(len(total), -1), table.reshape(len(table), -1)
    for step in tap.reaches:
        shift = step * (size + 1) * inner
        if step == 0 or abs(shift) >= table.shape[1]:
            continue
        mask = _inside(tap, step).to(table)[..., None].expand(size, size, inner).reshape(-1)
        if step > 0:
            total[:, :-shift].addcmul_(table[:, shift:], mask[:-shift], value=weight)
        else:
            total[:, -shift:].addcmul_(table[:, :shift], mask[-shift:], value=weight)
