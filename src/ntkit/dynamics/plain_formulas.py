"""Functions of PyTorch whose forward derivatives are missing or wrong, in plain operations.

The second forward derivative of layer, batch and instance normalisation in PyTorch 2.13 is
wrong without a word, by as much as its own size; that of `glu`, and the first one of weight
normalisation and of bags of embeddings, are missing. Rows of embeddings that are not trained
(`padding_idx`), `.data`, and what is computed under `torch.no_grad`, have tangents, and gradients none:
here they are constants, as they are in training.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only

from ntkit.dynamics.plain_embeddings import plain_bag, plain_embedding

__all__ = ["PlainFormulas"]


class PlainFormulas(TorchFunctionMode):
    """Within it, these functions are computed in plain operations: same values up to rounding.

    Args:
        order: Of the derivatives that are wanted.
        is_reverse: Whether they are made by backward passes.

    Attributes:
        trail: A number that stands for the functions that were called, in their order.
    """

    def __init__(self, order: int, *, is_reverse: bool = False) -> None:
        super().__init__()
        self._table = {**_FIRST, **_HIGHER} if order > 1 else _FIRST
        self._is_reverse = is_reverse
        if is_reverse:
            self._table = {**self._table, **_REVERSE}
        self.trail = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.trail = hash((self.trail, func))
        kwargs = kwargs or {}
        if not (self._is_reverse or torch.is_grad_enabled()):
            args, kwargs = tree_map_only(Tensor, _constant, (args, kwargs))
        function: Any = self._table.get(func, func)
        return function(*args, **kwargs)


def _constant(tensor: Tensor) -> Tensor:
    """The same memory without tangents, so that what is written into it arrives."""
    return tensor.detach()


def _layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...] | list[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    return _affine(_standardised(input, axes, eps), weight, bias)


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = (0, *range(2, input.ndim))
    _update(running_mean, input.mean(axes), momentum)
    _update(running_var, input.var(axes), momentum)
    return _affine(_standardised(input, axes, eps), *_by_channel(input, weight, bias))


def _instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not use_input_stats:
        return F.instance_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = tuple(range(2, input.ndim))
    _update(running_mean, input.mean(axes).mean(0), momentum)
    _update(running_var, input.var(axes).mean(0), momentum)
    return _affine(_standardised(input, axes, eps), *_by_channel(input, weight, bias))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    axes = [axis for axis in range(v.ndim) if axis != dim % v.ndim or dim == -1]  # -1: all of it
    return v * (g / v.square().sum(axes, keepdim=True).sqrt())


def _glu(input: Tensor, dim: int = -1) -> Tensor:
    left, right = input.chunk(2, dim)
    return left * right.sigmoid()


def _standardised(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    centred = x - x.mean(axes, keepdim=True)
    return centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt()


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias


def _by_channel(x: Tensor, *tensors: Tensor | None) -> list[Tensor | None]:
    shape = (1, -1, *[1] * (x.ndim - 2))
    return [None if t is None else t.reshape(shape) for t in tensors]


def _update(running: Tensor | None, value: Tensor, momentum: float) -> None:
    if running is not None:
        running.mul_(1 - momentum).add_(momentum * value)


_DATA: Any = Tensor.data.__get__  # pyright: ignore[reportAttributeAccessIssue]

_FIRST: dict[Any, Callable[..., Tensor]] = {
    torch._weight_norm: _weight_norm,  # pyright: ignore[reportPrivateImportUsage]
    F.embedding: plain_embedding,
    F.embedding_bag: plain_bag,
    _DATA: _constant,
}

_HIGHER: dict[Any, Callable[..., Tensor]] = {
    F.layer_norm: _layer_norm,
    torch.layer_norm: _layer_norm,
    F.batch_norm: _batch_norm,
    torch.batch_norm: lambda x, w, b, mean, var, training, momentum, eps, _: _batch_norm(
        x, mean, var, w, b, training, momentum, eps
    ),
    F.instance_norm: _instance_norm,
    torch.instance_norm: lambda x, w, b, mean, var, use, momentum, eps, _: _instance_norm(
        x, mean, var, w, b, use, momentum, eps
    ),
    F.glu: _glu,
}

_REVERSE: dict[Any, Callable[..., Tensor]] = {
    # sparse gradients have no second derivative; their numbers are the same
    F.embedding: partial(plain_embedding, may_be_sparse=False),
    _DATA: _DATA,
}
