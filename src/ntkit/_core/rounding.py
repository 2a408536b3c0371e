"""Rounding errors drawn anew: how much of a change may be nothing but rounding."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Rounding"]

_UNITS = 4.0
"""Size of an error, in units of the last place."""

_NAMES = """
__matmul__ __rmatmul__ addbmm addmm addmv baddbmm batch_norm bilinear bmm celu chain_matmul
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cos cosh
cosine_similarity cumprod cumsum dot einsum elu erf exp expm1 gelu grid_sample group_norm gru
gru_cell inner instance_norm interpolate layer_norm linear linalg_norm linalg_vector_norm log
log1p log_softmax logsigmoid logsumexp lstm lstm_cell matmul mean mish mm
multi_head_attention_forward mv norm normalize pow prod rms_norm rnn_relu rnn_relu_cell rnn_tanh
rnn_tanh_cell rsqrt scaled_dot_product_attention selu sigmoid silu sin sinc sinh softmax softmin
softplus sqrt std sum tan tanh tensordot var
"""
_ROUNDED = frozenset(_NAMES.split())
"""Functions whose last digits depend on how many samples are computed at once: sums, and what processors
compute several of at a time. Those that copy, choose or compare are exact."""


class Rounding(TorchFunctionMode):
    """Within it, results of torch functions get an error of a few units in the last place each.

    Args:
        seed: Of the errors.

    Example:
        >>> x = torch.ones(3)
        >>> with Rounding(0):
        ...     y = x.exp()
        >>> 0 < float((y - x.exp()).abs().max()) < 1e-5
        True
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._generator = torch.Generator("cpu").manual_seed(seed)

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") not in _ROUNDED:
            return found
        if isinstance(found, tuple):
            return type(found)(map(self._rounded, found)) if type(found) is tuple else found
        return self._rounded(found)

    def _rounded(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.is_floating_point():
            return value
        noise = torch.rand(
            value.shape, generator=self._generator, dtype=torch.float32, device="cpu"
        ).to(value)
        return value * (1 + _UNITS * torch.finfo(value.dtype).eps * (2 * noise - 1))
