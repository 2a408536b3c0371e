"""Uses whose Jacobian is small enough to write down: `g` times a factor, summed to a shape."""

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any

from torch import Tensor

from ntkit.kernels.empirical.layout import Layout
from ntkit.kernels.empirical.rules.registry import Operand
from ntkit.kernels.empirical.uses import AbstractUse

__all__ = ["Part", "ScaledUse", "shifted"]

Part = tuple[Operand, Callable[[], Tensor | None], tuple[int, ...]]
"""A parameter, the factor of `g` (None: one), and the parameter's shape against the output's."""


class ScaledUse(AbstractUse):
    """Parameters that enter the output elementwise: `d y / d p = factor`, broadcast.

    Args:
        node: The node.
        what: The layer in words.
        parts: The parameters.
    """

    def __init__(self, node: Any, what: str, parts: list[Part]) -> None:
        self.node, self.what = node, what
        self._parts = [(operand, cache(factor), shape) for operand, factor, shape in parts]
        self.params = tuple(part[0].param for part in parts)

    def allows(self, layout: Layout) -> bool:
        """The parameters are the same for all entries of the axis of the samples."""
        return all(shape[layout.axis] == 1 for _, _, shape in self._parts)

    def is_small(self, shape: tuple[int, ...], layout: Layout) -> bool:
        """Whether the Jacobian takes no more room than the output, of this shape."""
        n = shape[layout.axis] // layout.per_sample
        return n * sum(prod(each) for _, _, each in self._parts) <= prod(shape)

    def explicit(self, g: Tensor, layout: Layout) -> list[Tensor]:
        """`g` times the factor, summed over what the parameter is broadcast along."""
        found = []
        for _, factor, shape in self._parts:
            times = factor()
            j = g if times is None else g * times
            j = layout.by_sample(j, 1)  # [o, n, per sample, others]
            others = [s for axis, s in enumerate(shape) if axis != layout.axis]
            summed = [3 + axis for axis, s in enumerate(others) if s == 1 and j.shape[3 + axis] > 1]
            found.append(j.sum([2, *summed]).reshape(*j.shape[:2], -1))
        return found


def shifted(node: Any, what: str, bias: Operand, axis: int) -> ScaledUse:
    """A bias along one axis of the output."""
    shape = tuple(node._input_metadata[0].shape)
    aligned = tuple(s if k == axis else 1 for k, s in enumerate(shape))
    return ScaledUse(node, what, [(bias, lambda: None, aligned)])
