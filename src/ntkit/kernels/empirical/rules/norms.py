"""Scales and shifts of LayerNorm, GroupNorm and BatchNorm in evaluation."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ntkit._core.torch_internals import keeps, saved
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
    x, shape = saved(node, "input"), tuple(saved(node, "normalized_shape"))
    aligned = (1,) * (x.ndim - len(shape)) + shape

    def normalised() -> Tensor:
        return (x - saved(node, "result1")) * saved(node, "result2")

    return _use(node, "LayerNorm", operands, normalised, aligned)


@rule("NativeGroupNormBackward0")
def group_norm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """The same over groups of channels."""
    x = saved(node, "input")

    def normalised() -> Tensor:
        grouped = x.reshape(len(x), saved(node, "group"), -1)
        mean, rstd = saved(node, "result1")[..., None], saved(node, "result2")[..., None]
        return ((grouped - mean) * rstd).reshape(x.shape)

    return _use(node, "GroupNorm", operands, normalised, _channels(x))


@rule("NativeBatchNormBackward0", "CudnnBatchNormBackward0")
def batch_norm(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """The same with the running statistics."""
    x, shape = saved(node, "input"), _channels(saved(node, "input"))
    if saved(node, "training"):
        return None

    def normalised() -> Tensor:
        mean, var = saved(node, "running_mean"), saved(node, "running_var")
        scale = (var + _epsilon(node)).rsqrt()
        return (x - mean.reshape(shape)) * scale.reshape(shape)

    return _use(node, "BatchNorm", operands, normalised, shape)


def _epsilon(node: Any) -> float:
    return float(saved(node, "eps") if keeps(node, "eps") else saved(node, "epsilon"))


def _channels(x: Tensor) -> tuple[int, ...]:
    return (1, x.shape[1]) + (1,) * (x.ndim - 2)
