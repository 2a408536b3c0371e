"""Convolutions along any number of axes, with groups, strides, dilation and padding."""

from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ntkit._core.torch_internals import saved
from ntkit.kernels.empirical.rules.explicit import shifted
from ntkit.kernels.empirical.rules.registry import Operand, rule
from ntkit.kernels.empirical.sample_layout import SampleLayout
from ntkit.kernels.empirical.uses import AbstractUse, OuterUse

__all__ = ["ConvolutionUse", "windows"]

_CACHE = 2**22
"""Bytes of windows that stay in a core's cache between their copy and their product."""


class ConvolutionUse(OuterUse):
    """The Jacobian of a sample is the sum over positions of `g` times the window under it."""

    def __init__(self, node: Any, weight: Operand, bias: Operand | None) -> None:
        self.node = node
        self._weight = weight
        self._bias = bias
        self.groups: int = saved(node, "groups")
        self.in_size: int = prod(weight.shape[1:]) + (bias is not None)
        self.out_size: int = weight.shape[0] // self.groups
        self.params: tuple[int, ...] = (
            (weight.param,) if bias is None else (weight.param, bias.param)
        )
        self.what: str = f"convolution {tuple(weight.shape)}"

    def allows(self, layout: SampleLayout) -> bool:
        """Samples lie along the axis of the images."""
        return layout.axis == 0

    def inputs(self, layout: SampleLayout) -> Tensor:
        """Windows: `[groups, n, images * positions, channels * taps]`."""
        a = layout.by_sample(
            self._windows(saved(self.node, "input"))
        )  # [n, images, groups, k, positions]
        a = a.permute(2, 0, 1, 4, 3).flatten(2, 3)
        if self._bias is not None:
            a = torch.cat([a, a.new_ones(*a.shape[:-1], 1)], -1)
        return a

    def gradients(self, g: Tensor, layout: SampleLayout) -> Tensor:
        """`[groups, o, n, images * positions, c]`."""
        g = layout.by_sample(g.flatten(3).unflatten(2, (self.groups, -1)), 1)
        return g.permute(3, 0, 1, 2, 5, 4).flatten(3, 4)  # from [o, n, images, groups, c, t]

    def jacobians(self, g: Tensor, layout: SampleLayout) -> list[Tensor]:
        """`sum_t g_t a_t^T` of each group: the order of the weight's entries.

        A few images at a time, so that their windows stay in the cache.
        """
        g = g.flatten(3).unflatten(2, (self.groups, -1))  # [o, images, groups, c, t]
        x = saved(self.node, "input")
        c, t = g.shape[3:]
        k = prod(self._weight.shape[1:])
        outer = g.new_empty(len(x), self.groups, len(g), c, k)
        step = max(1, _CACHE // (self.groups * k * t * x.element_size()))
        for i in range(0, len(x), step):
            a = self._windows(x[i : i + step]).flatten(0, 1).mT
            rows = g[:, i : i + step].permute(1, 2, 0, 3, 4).reshape(len(a), -1, t)
            torch.bmm(rows, a, out=outer[i : i + step].view(len(a), -1, k))
        outer = layout.by_sample(outer).permute(3, 0, 1, 2, 4, 5)  # [o, n, images, groups, c, k]
        outer = outer.sum(2) if outer.shape[2] > 1 else outer[:, :, 0]
        if self._bias is None:
            return [outer.flatten(2)]
        return [outer.flatten(2), layout.by_sample(g.sum(4), 1).sum(2).flatten(2)]

    def _windows(self, x: Tensor) -> Tensor:
        """`[images, groups, channels * taps, positions]`."""
        node = self.node
        taps = self._weight.shape[2:]
        found = windows(
            x, taps, saved(node, "stride"), saved(node, "padding"), saved(node, "dilation")
        )
        images, channels = found.shape[:2]
        size = channels // self.groups * prod(taps)
        return found.reshape(images, self.groups, size, -1)  # the one copy


def windows(
    x: Tensor,
    taps: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Tensor:
    """Each window of `x [images, channels, *size]`: a view `[images, channels, *taps, *positions]`."""
    if any(padding):
        x = functional.pad(x, [side for p in reversed(padding) for side in (p, p)])
    x = x.contiguous()
    step = x.stride()[2:]
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, k, s, d in zip(x.shape[2:], taps, stride, dilation, strict=True)
    ]
    tap_steps = [d * s for d, s in zip(dilation, step, strict=True)]
    window_steps = [d * s for d, s in zip(stride, step, strict=True)]
    return x.as_strided(
        (*x.shape[:2], *taps, *counts), (*x.stride()[:2], *tap_steps, *window_steps)
    )


@rule("ConvolutionBackward0")
def convolution(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """Input, weight, bias: places 0, 1, 2. Transposed convolutions have no rule yet."""
    weight, bias = operands.get(1), operands.get(2)
    if set(operands) == {2} and bias is not None:
        return shifted(node, "bias of a convolution", bias, axis=1)
    if weight is None or weight.is_transposed or 0 in operands or saved(node, "transposed"):
        return None
    return ConvolutionUse(node, weight, bias)
