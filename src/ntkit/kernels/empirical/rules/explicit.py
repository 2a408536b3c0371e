"""Uses whose Jacobian is small enough to write down: `g` times a factor, summed to a shape."""

from collections.abc import Callable
from functools import cache, partial
from math import prod
from typing import Any

from torch import Tensor

from ntkit._core.torch_internals import shape_of
from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.rules.registry import Operand
from ntkit.kernels.empirical.sample_layout import SampleLayout
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
        shape: Of the output, where it is not that of the node.
    """

    def __init__(
        self, node: Any, what: str, parts: list[Part], shape: tuple[int, ...] | None = None
    ) -> None:
        self.node = node
        self.what = what
        self._shape = shape_of(node) if shape is None else shape
        self._parts = [(operand, cache(factor), aligned) for operand, factor, aligned in parts]
        self.params: tuple[int, ...] = tuple(part[0].param for part in parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the output."""
        return self._shape

    def at(self, field: Field) -> AbstractUse | None:
        """Some rows of a use whose parameters lie along the last axis."""
        width = self.shape[-1]
        rows = field.rows(width)
        if rows is None or any(prod(aligned[:-1]) != 1 for _, _, aligned in self._parts):
            return None

        def some(factor: Callable[[], Tensor | None]) -> Tensor | None:
            times = factor()
            return None if times is None else times.expand(self.shape).reshape(-1, width)[rows]

        parts: list[Part] = [
            (operand, partial(some, factor), (1, aligned[-1]))
            for operand, factor, aligned in self._parts
        ]
        return ScaledUse(self.node, self.what, parts, (len(rows), width))

    def allows(self, layout: SampleLayout) -> bool:
        """The parameters are the same for all entries of the axis of the samples."""
        return all(shape[layout.axis] == 1 for _, _, shape in self._parts)

    def is_small(self, layout: SampleLayout) -> bool:
        """Whether the Jacobian takes no more room than the output."""
        n = self.shape[layout.axis] // layout.per_sample
        return n * sum(prod(each) for _, _, each in self._parts) <= prod(self.shape)

    def jacobians(self, g: Tensor, layout: SampleLayout) -> list[Tensor]:
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
    shape = shape_of(node)
    aligned = tuple(s if k == axis else 1 for k, s in enumerate(shape))
    return ScaledUse(node, what, [(bias, lambda: None, aligned)])
