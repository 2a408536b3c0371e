"""The settings of torch under which an empirical kernel is computed, and put back afterwards."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["evaluation"]


@contextmanager
def evaluation(device: torch.device) -> Iterator[None]:
    """Gradients on, plain attention, full float32 products, no compiled code; RNG state kept.

    Fused attention has no forward-mode derivative and no rule under `vmap`, and the fast path of
    `nn.MultiheadAttention` no derivative at all. `torch.compile`d parts run as they were written.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    precision = torch.get_float32_matmul_precision()
    with ExitStack() as stack:
        if device.type == "cuda":
            stack.enter_context(torch.random.fork_rng([device], device_type="cuda"))
        else:
            stack.callback(torch.set_rng_state, torch.get_rng_state())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        if precision != "highest":
            stack.callback(torch.set_float32_matmul_precision, precision)
            torch.set_float32_matmul_precision("highest")
        if (
            "torch._dynamo" in sys.modules
        ):  # else nothing is compiled, and loading it takes a second
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
