"""Windows with independent weights at each tap: what a convolution does to positions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ntkit.kernels.infinite.state import PairState

__all__ = ["Taps", "sum_over_taps"]

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
        return places, slice(low, high)

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


def sum_over_taps(state: PairState, taps: Sequence[Taps]) -> PairState:
    """The sum over all windows, one axis after the other (taps of a box are separable).

    Args:
        state: One tap count for each of its position axes.
        taps: The window along each axis.
    """
    positions = tuple(t.out_size for t in taps)
    axes = len(taps)
    both = state.layout == "pairs"

    def on_pairs(table: Tensor) -> Tensor:
        for k, tap in enumerate(taps):
            table = _sum(table, tap, [k - 2 * axes, k - axes] if both else [k - axes])
        return table

    def along(offset: int) -> Callable[[Tensor], Tensor]:
        def on_one(table: Tensor) -> Tensor:
            for k, tap in enumerate(taps):
                table = _sum(table, tap, [k + offset])
            return table

        return on_one

    first = along(-2 * axes) if both else along(-axes)
    return state.mapped(on_pairs, first, along(-axes), positions)


def _sum(table: Tensor, tap: Taps, axes: list[int]) -> Tensor:
    """Sum over the taps, along one axis or along two in step."""
    for axis in axes:
        table = tap.padded(table, axis)
    slices = tap.slices()
    shape = list(table.shape)
    for axis in axes:
        shape[axis] = tap.out_size
    whole = slice(0, tap.size, 1), slice(0, tap.size, 1)
    if tap.stride == 1 and tap.out_size == tap.size and whole in slices and not tap.transposed:
        slices.remove(whole)
        total = table.clone()  # the tap in the middle
    else:
        total = _empty_like(table, shape).zero_()
    for target, source in slices:
        write, read = total, table
        for axis in axes:
            write = write[_at(axis, target, total.ndim)]
            read = read[_at(axis, source, table.ndim)]
        write += read
    return total


def _empty_like(table: Tensor, shape: list[int]) -> Tensor:
    """An empty tensor whose axes lie in memory in the order of the table's."""
    order = sorted(range(table.ndim), key=lambda k: -table.stride(k))
    flat = table.new_empty([shape[k] for k in order])
    return flat.permute([order.index(k) for k in range(table.ndim)])


def _at(axis: int, where: slice, ndim: int) -> tuple[slice, ...]:
    index = [slice(None)] * ndim
    index[axis] = where
    return tuple(index)

