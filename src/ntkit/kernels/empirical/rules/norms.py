"""Scales and shifts of LayerNorm, GroupNorm and BatchNorm in evaluation."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ntkit.kernels.empirical.rules.explicit import Part, ScaledUse
from ntkit.kernels.empirical.rules.registry import Operand, rule
from ntkit.kernels.empirical.uses import AbstractUse

__all__: list[str] = []


def _use(
    node: Any,
    what: str,
    operands: dict[int, Operand],
    normalised: Callable[[], Tensor],
    param_shape: tuple[int, ...],
) -> AbstractUse | None:
    """Weight and bias at places 1 and 2."""
    if not set(operands) <= {1, 2} or any(o.is_transposed for o in operands.values()):
        return None
    parts: list[Part] = []
    if 1 in operands:
        parts.append((operands[1], normalised, param_shape))
    if 2 in operands:
        parts.append((operands[2], lambda: None, param_shape))
    return ScaledUse(node, what, parts)


@rule("NativeLayerNormBackward0")
def layer_norm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """`(x - mean) / deviation * weight + bias` over the last axes."""
    x, shape = node._saved_input, tuple(node._saved_normalized_shape)
    aligned = (1,) * (x.ndim - len(shape)) + shape

    def normalised() -> Tensor:
        return (x - node._saved_result1) * node._saved_result2

    return _use(node, "LayerNorm", operands, normalised, aligned)


@rule("NativeGroupNormBackward0")
def group_norm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """The same over groups of channels."""
    x = node._saved_input

    def normalised() -> Tensor:
        grouped = x.reshape(len(x), node._saved_group, -1)
        mean, rstd = node._saved_result1[..., None], node._saved_result2[..., None]
        return ((grouped - mean) * rstd).reshape(x.shape)

    return _use(node, "GroupNorm", operands, normalised, _channels(x))


@rule("NativeBatchNormBackward0", "CudnnBatchNormBackward0")
def batch_norm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """The same with the running statistics."""
    x, shape = node._saved_input, _channels(node._saved_input)
    if node._saved_training:
        return None

    def normalised() -> Tensor:
        mean, var = node._saved_running_mean, node._saved_running_var
        scale = (var + _epsilon(node)).rsqrt()
        return (x - mean.reshape(shape)) * scale.reshape(shape)

    return _use(node, "BatchNorm", operands, normalised, shape)


def _epsilon(node: Any) -> float:
    return float(node._saved_eps if hasattr(node, "_saved_eps") else node._saved_epsilon)


def _channels(x: Tensor) -> tuple[int, ...]:
    return (1, x.shape[1]) + (1,) * (x.ndim - 2)
