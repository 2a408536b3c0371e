"""Shifts, scales and PReLU: a parameter broadcast against the output."""

from typing import Any

import torch
from torch import Tensor

from ntkit._core.torch_internals import metadata, saved, shape_of
from ntkit.kernels.empirical.rules.explicit import ScaledUse
from ntkit.kernels.empirical.rules.registry import Operand, rule
from ntkit.kernels.empirical.uses import AbstractUse

__all__: list[str] = []


def _aligned(operand: Operand, shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (len(shape) - len(operand.shape)) + operand.shape


def _only(operands: dict[int, Operand]) -> tuple[int, Operand] | None:
    if len(operands) != 1:
        return None
    place, operand = next(iter(operands.items()))
    return None if operand.is_transposed else (place, operand)


@rule("AddBackward0", "SubBackward0", "AddBackward1", "SubBackward1")
def shift(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`x + alpha p`."""
    only = _only(operands)
    if only is None:
        return None
    place, operand = only
    shape = shape_of(node)
    alpha = float(saved(node, "alpha", 1.0)) if place else 1.0
    sign = -alpha if place and node.name().startswith("Sub") else alpha

    def factor() -> Tensor | None:
        return None if sign == 1 else _scalar(node, sign)

    return ScaledUse(node, "shift", [(operand, factor, _aligned(operand, shape))])


def _scalar(node: Any, value: float) -> Tensor:
    meta = metadata(node)[0]
    return torch.tensor(value, dtype=meta.dtype, device=meta.device)


@rule("MulBackward0")
def scale(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`x * p`: the factor is the other one."""
    only = _only(operands)
    if only is None:
        return None
    place, operand = only
    other = saved(node, "self") if place else saved(node, "other")
    if other is None:
        return None
    shape = shape_of(node)
    return ScaledUse(node, "scale", [(operand, lambda: other, _aligned(operand, shape))])


@rule("PreluKernelBackward0")
def prelu(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`min(x, 0) p + max(x, 0)`."""
    if set(operands) != {1}:
        return None
    x, shape = saved(node, "self"), shape_of(node)
    part = (operands[1], lambda: x.clamp(max=0), _aligned(operands[1], shape))
    return ScaledUse(node, "PReLU", [part])


@rule("ExpandBackward0")
def expand(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """A parameter repeated for each sample (a class token)."""
    if set(operands) != {0} or operands[0].is_transposed:
        return None
    shape = shape_of(node)
    return ScaledUse(node, "repeated", [(operands[0], lambda: None, _aligned(operands[0], shape))])
