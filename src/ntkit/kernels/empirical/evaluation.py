"""The settings of torch under which an empirical kernel is computed, and put back afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from ntkit._core.settings import as_written, full_products, plain_attention

__all__ = ["evaluation"]


@contextmanager
def evaluation(device: torch.device) -> Iterator[None]:
    """Gradients on, plain attention, full float32 products, no compiled code; RNG state kept.

    Fused attention has no forward-mode derivative and no rule under `vmap`, and the fast path of
    `nn.MultiheadAttention` no derivative at all. `torch.compile`d parts run as they were written.
    """
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.random.fork_rng([device], device_type="cuda"))
        else:
            stack.callback(_put_back, torch.get_rng_state())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for setting in (plain_attention, full_products, as_written):
            stack.enter_context(setting())
        yield


def _put_back(state: Tensor) -> None:
    if not torch.equal(state, torch.get_rng_state()):
        torch.set_rng_state(state)
