"""Forward-mode derivatives through any module: what has no derivative is switched off meanwhile."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from ntkit.dynamics.plain_formulas import PlainFormulas

__all__ = ["forward_mode"]


@contextmanager
def forward_mode(module: nn.Module, order: int) -> Iterator[None]:
    """Within it `torch.func.jvp` runs through `module`; global settings come back afterwards.

    The fused kernels of attention and of recurrent layers have no forward derivative, and those of
    norms a wrong second one: plain formulas take their place, with the same values up to rounding.
    What is left without a derivative is refused with advice.

    Args:
        module: The network.
        order: How many `jvp` are nested.

    Raises:
        NotImplementedError: An operation of `module` has no forward derivative.
        RuntimeError: `module` itself raises one.
    """
    _load()
    backends: list[Any] = [torch.backends.mkldnn, torch.backends.cudnn]
    if not any(isinstance(part, nn.RNNBase) for part in module.modules()):
        backends = []  # they serve convolutions well
    fast_path, enabled = torch.backends.mha.get_fastpath_enabled(), [b.enabled for b in backends]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for backend in backends:
            backend.enabled = False
        with sdpa_kernel(SDPBackend.MATH), PlainFormulas(order):
            yield
    except RuntimeError as error:
        what = str(error).strip().split("\n")[0]
        if not any(clue in what for clue in _CLUES):
            raise
        raise NotImplementedError(
            f"`module` ({type(module).__name__}) uses an operation without a forward derivative "
            f"of this order in PyTorch {torch.__version__}: {what} Write it in plain operations, or "
            "give a `torch.autograd.Function` of your own a `setup_context` and a `jvp`."
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for backend, before in zip(backends, enabled, strict=True):
            backend.enabled = before


@cache
def _load() -> None:
    """The first forward derivative of a process loads a part of PyTorch that warns of another part."""
    one = torch.ones(())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        torch.func.jvp(torch.sin, (one,), (one,))


_CLUES = ("forward AD", "autograd.Function", "jvp")
"""In the messages of PyTorch about an operation, or a custom function, without the derivative."""
