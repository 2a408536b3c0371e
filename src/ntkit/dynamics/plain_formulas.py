"""Functions of PyTorch whose forward derivatives are missing or wrong, in plain operations.

The second forward derivative of layer, batch and instance normalisation in PyTorch 2.13 is
wrong without a word, by as much as its own size; the first one of weight normalisation and of bags of
embeddings is missing, and neither mode has all of those of `glu`, `sinc`, `std`, `hardsigmoid` and of
the modulus of complex numbers. Rows of embeddings that are not trained
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

from ntkit._core.torch_internals import tree_map_only, weight_norm
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
        self.trail: int = hash((self.trail, func))
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


def _std(*args: Any, **kwargs: Any) -> Tensor:
    """With a derivative of zero at a spread of zero, as in PyTorch."""
    var = torch.var(*args, **kwargs)
    is_zero = var == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, var).sqrt())


def _abs(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Of complex numbers the root of squares, with a derivative of zero at zero, as in PyTorch."""
    if not input.is_complex():
        return torch.abs(input, *args, **kwargs)
    square = input.real.square() + input.imag.square()
    is_zero = square == 0
    return torch.where(is_zero, 0.0, torch.where(is_zero, 1.0, square).sqrt())


def _sinc(input: Tensor) -> Tensor:
    """`sin(y) / y`, by its series where quotients lose digits."""
    y = torch.pi * input
    is_small = y.abs() < 0.5
    square = torch.where(is_small, y, 0.0).square()
    series = torch.ones_like(y)
    for k in range(10, 0, -1):  # the next term is below 1e-28
        series = 1 - series * square / (2 * k * (2 * k + 1))
    safe = torch.where(is_small, 1.0, y)
    return torch.where(is_small, series, safe.sin() / safe)


def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    found = F.relu6(input + 3) / 6
    return input.copy_(found) if inplace else found


def _prelu(input: Tensor, weight: Tensor) -> Tensor:
    """The slope at zero is that of the left, as in a backward pass of PyTorch."""
    shape = [1] * input.ndim
    if weight.numel() > 1:
        shape[min(1, input.ndim - 1)] = -1
    return torch.where(input > 0, input, input * weight.reshape(shape))


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
    weight_norm: _weight_norm,
    F.embedding: plain_embedding,
    F.embedding_bag: plain_bag,
    F.glu: _glu,
    F.hardsigmoid: _hardsigmoid,
    F.prelu: _prelu,
    torch.abs: _abs,
    Tensor.abs: _abs,
    Tensor.__abs__: _abs,
    torch.prelu: _prelu,
    Tensor.prelu: _prelu,
    torch.sinc: _sinc,
    Tensor.sinc: _sinc,
    torch.std: _std,
    Tensor.std: _std,
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
}

_REVERSE: dict[Any, Callable[..., Tensor]] = {
    # sparse gradients have no second derivative; their numbers are the same
    F.embedding: partial(plain_embedding, may_be_sparse=False),
    _DATA: _DATA,
}
