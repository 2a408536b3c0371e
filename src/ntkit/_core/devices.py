"""Where a module computes."""

import torch
from torch import nn

__all__ = ["device_of", "refuse_without_float64", "usable_device"]

WITHOUT_FLOAT64 = {"mps", "xla"}
"""Kinds of devices that cannot compute in float64, as kernels and solvers do."""


def refuse_without_float64(name: str, device: torch.device | None) -> None:
    """Refuse what lies on a device that has no float64.

    Raises:
        TypeError: It does.
    """
    if device is not None and device.type in WITHOUT_FLOAT64:
        raise TypeError(
            f"`{name}` is on {device}, which has no float64, and kernels are computed in it. Move it "
            'to the CPU with `.to("cpu")`; a network may still be trained where it was.'
        )


def device_of(module: nn.Module) -> torch.device | None:
    """The device of a module's first parameter or buffer; None if it has neither."""
    tensors = (*module.parameters(), *module.buffers())
    return next((t.device for t in tensors), None)


def usable_device(device: str | torch.device) -> torch.device:
    """The device of a name, something having been put there.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"`device={str(device)!r}` is not on this machine ({reason}). Pass cpu, or cuda where there is one."
        ) from None
    return found
