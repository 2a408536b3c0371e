"""Where a module computes."""

import torch
from torch import nn

__all__ = ["device_of"]


def device_of(module: nn.Module) -> torch.device | None:
    """The device of a module's first parameter or buffer; None if it has neither."""
    tensors = (*module.parameters(), *module.buffers())
    return next((t.device for t in tensors), None)
