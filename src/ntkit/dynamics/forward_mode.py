"""Derivatives along a line by forward mode, and the kernels of PyTorch that have none."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.func import jvp

from ntkit._core.settings import Shared, as_written, plain_attention

__all__ = ["forward_terms", "plain_kernels"]

_Tensors = dict[str, Tensor]
_Leaves = dict[int, Tensor]
_Rest = TypeVar("_Rest")


def forward_terms(
    function: Callable[[_Tensors], tuple[_Leaves, _Rest]],
    at: Mapping[str, Tensor],
    along: Mapping[str, Tensor],
    order: int,
) -> tuple[tuple[_Leaves, ...], _Rest]:
    """`d^k/ds^k function(at + s along)` at `s = 0` for `k = 0..order`: `jvp` within `jvp`.

    About `2^order` times the cost of `function`. As right as the forward rules of PyTorch are.

    Args:
        function: From parameters to outputs, and something else.
        at: Parameters.
        along: The direction.
        order: Highest derivative.

    Returns:
        The terms, outputs by place; and what else the function returned.
    """
    if order == 0:
        value, rest = function(dict(at))
        return (value,), rest
    _load()
    found: Any = jvp(
        lambda parameters: forward_terms(function, parameters, along, order - 1),
        (dict(at),),
        (dict(along),),
        has_aux=True,
    )
    lower, tangents, rest = found
    return (*lower, tangents[-1]), rest


@contextmanager
def plain_kernels(module: nn.Module) -> Iterator[None]:
    """Without compiled code, and the fused kernels of attention and of recurrent layers.

    They have no such derivatives.

    Global settings come back afterwards.

    Args:
        module: The network.
    """
    is_recurrent = any(isinstance(part, nn.RNNBase) for part in module.modules())
    # the libraries serve convolutions well
    with _LIBRARIES() if is_recurrent else nullcontext(), plain_attention(), as_written():
        yield


@contextmanager
def _without_libraries() -> Iterator[None]:
    backends: list[Any] = [torch.backends.mkldnn, torch.backends.cudnn]
    enabled = [b.enabled for b in backends]
    try:
        for backend in backends:
            backend.enabled = False
        yield
    finally:
        for backend, before in zip(backends, enabled, strict=True):
            backend.enabled = before


_LIBRARIES = Shared(_without_libraries)
"""The formulas of recurrent layers, whose fused kernels have no forward derivative."""


@cache
def _load() -> None:
    """The first forward derivative of a process loads a part of PyTorch that warns of another part."""
    one = torch.ones(())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit")  # its category differs between releases
        torch.func.jvp(torch.sin, (one,), (one,))
