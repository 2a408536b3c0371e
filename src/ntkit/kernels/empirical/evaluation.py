"""The settings of torch under which an empirical kernel is computed, and put back afterwards."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ntkit._core.settings import Shared, as_written, full_products, plain_attention

__all__ = ["evaluation"]


@contextmanager
def evaluation(device: torch.device) -> Iterator[None]:
    """Gradients on, plain attention, full float32 products, no compiled code; RNG state kept.

    Fused attention has no forward-mode derivative and no rule under `vmap`, and the fast path of
    `nn.MultiheadAttention` no derivative at all. `torch.compile`d parts run as they were written.
    The three parts of a packed projection are taken from it at once, see `_taken_at_once`.
    """
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.random.fork_rng([device], device_type="cuda"))
        else:
            stack.callback(_put_back, torch.get_rng_state())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for setting in (plain_attention, full_products, as_written, _PROJECTIONS):
            stack.enter_context(setting())
        yield


def _put_back(state: Tensor) -> None:
    if not torch.equal(state, torch.get_rng_state()):
        torch.set_rng_state(state)


@contextmanager
def _projections_at_once() -> Iterator[None]:
    if _TORCHS is None or getattr(functional, _NAME, None) is not _TORCHS:
        yield
        return
    setattr(functional, _NAME, _taken_at_once)
    try:
        yield
    finally:
        setattr(functional, _NAME, _TORCHS)


_PROJECTIONS = Shared(_projections_at_once)

_NAME = "_in_projection_packed"
"""What `nn.MultiheadAttention` makes queries, keys and values with."""

_TORCHS: Callable[..., Any] | None = getattr(functional, _NAME, None)


def _taken_at_once(q: Tensor, k: Tensor, v: Tensor, w: Tensor, b: Tensor | None = None) -> Any:
    """Queries, keys and values of self-attention, the same numbers laid out in the same way.

    Torch takes them one by one from one tensor, and a backward pass fills and adds up three of its size
    for them: 6 of the 130 ms that the vision transformer of `empirical_speed_images` takes.
    """
    if not q is k is v:
        assert _TORCHS is not None
        return _TORCHS(q, k, v, w, b)
    joined = functional.linear(q, w, b).unflatten(-1, (3, q.shape[-1]))
    return joined.unsqueeze(0).transpose(0, -2).squeeze(-2).contiguous().unbind(0)
