"""Windows with independent weights at each tap: what a convolution does to positions."""

from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Window", "inside", "sum_over_taps"]

_SHORT = 32
"""Rows of fewer numbers than this cost more to enter than to add."""

Padding = Literal["zeros", "circular", "reflect", "replicate"]


@dataclass(frozen=True)
class Window:
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


def sum_over_taps(
    stored: Tensor, tap: Window, axis: int, copies: int, weight: float | Tensor
) -> Tensor:
    """Sum over the taps along `axis` of a table, or along it and the next in step.

    Args:
        stored: The table, contiguous.
        tap: The window.
        axis: Where.
        copies: 1, or 2 for two axes in step.
        weight: A factor, taken along at no cost.
    """
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


def inside(tap: Window, reach: int, copies: int) -> Tensor:
    """Whether that reach of a plain window stays within the border, `[size]`, or on both of two axes."""
    place = torch.arange(tap.size)
    along = (place + reach >= 0) & (place + reach < tap.size)
    return along if copies == 1 else torch.outer(along, along)


def _add_shifted(total: Tensor, table: Tensor, tap: Window, weight: float) -> None:
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
        mask = inside(tap, step, 2).to(table)[..., None].expand(size, size, inner).reshape(-1)
        if step > 0:
            total[:, :-shift].addcmul_(table[:, shift:], mask[:-shift], value=weight)
        else:
            total[:, -shift:].addcmul_(table[:, :shift], mask[-shift:], value=weight)
