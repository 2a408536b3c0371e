"""Points as kernels of modules take them, checked."""

import torch
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor

__all__ = ["Points", "check_device", "checked"]

Points = Tensor | tuple[Tensor, ...]
"""One tensor `[n, ...]`, or one for each input of the module."""


def checked(name: str, points: Points, counts: tuple[int, int]) -> tuple[Tensor, ...]:
    """The points as a tuple, refused unless finite float tensors with one common first axis.

    Raises:
        ValueError: They are empty, or disagree.
    """
    inputs: list[Tensor] = list(points) if isinstance(points, tuple) else [points]
    least, most = counts
    if not least <= len(inputs) <= most:
        wanted = f"{least}" if least == most else f"at least {least}"
        raise ValueError(
            f"`{name}` has {len(inputs)} tensors for a module with {wanted} inputs. "
            "Pass a tuple with one for each."
        )
    for k, x in enumerate(inputs):
        label = f"{name}[{k}]" if len(inputs) > 1 else name
        floating_tensor(label, x)
        if x.ndim < 2:
            raise ValueError(
                f"`{label}` must be [n, ...] with at least 2 axes, got shape {tuple(x.shape)}. "
                "For scalars add an axis: `x[:, None]`."
            )
        if len(x) == 0:
            raise ValueError(
                f"`{label}` is empty: shape {tuple(x.shape)}. Pass at least one point."
            )
        if len(x) != len(inputs[0]):
            raise ValueError(
                f"`{label}` has {len(x)} points, and the first input {len(inputs[0])}."
            )
        if x.is_meta:
            raise ValueError(f"`{label}` is on the meta device, which holds no values.")
        finite(label, x)
    return tuple(inputs)


def check_device(name: str, inputs: tuple[Tensor, ...], device: torch.device) -> None:
    """Refuse points on another device than the network's.

    Raises:
        ValueError: They are.
    """
    for x in inputs:
        if x.device != device:
            raise ValueError(
                f"`{name}` is on {x.device} and the network on {device}. "
                f'Move one of them: `{name}.to("{device}")`.'
            )
