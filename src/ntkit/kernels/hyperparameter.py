"""Numbers that a kernel is set by: floats, or tensors that may ask for gradients."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, non_negative, positive

__all__ = ["Hyperparameter", "describe", "in_double", "per_axis", "scalar"]

Hyperparameter: TypeAlias = float | Tensor
"""A float, or a float tensor; a tensor is kept as it is, so gradients reach it."""


def scalar(name: str, value: Hyperparameter, *, zero: bool = False) -> Hyperparameter:
    """`value`, refused unless one finite number above 0 (with `zero`, not below 0)."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return _checked(name, value, (0,), zero)
    return finite_number(name, value) if zero else positive(name, value)


def per_axis(name: str, value: Hyperparameter | Sequence[float]) -> Hyperparameter:
    """`value`, refused unless finite and above 0: one number, or a tensor or sequence, one an axis."""
    if isinstance(value, Tensor) and value.is_floating_point():
        return _checked(name, value, (0, 1), False)
    if isinstance(value, Sequence | np.ndarray | Tensor) and getattr(value, "ndim", 1) == 1:
        learned = [isinstance(entry, Tensor) and entry.requires_grad for entry in value]
        if any(learned):
            entries = [torch.as_tensor(entry, dtype=torch.float64) for entry in value]
            return _checked(name, torch.stack(entries), (1,), False)
        numbers = [positive(f"{name}[{i}]", number) for i, number in enumerate(value)]
        return torch.tensor(numbers, dtype=torch.float64)
    return positive(name, value)


def finite_number(name: str, value: object) -> float:
    """`value` as a float, refused unless finite and 0 or more.

    Raises:
        ValueError: It is infinite.
    """
    number = non_negative(name, value)
    if number == float("inf"):
        raise ValueError(f"`{name}={value!r}` must be finite.")
    return number


def in_double(value: Hyperparameter, like: Tensor) -> Tensor:
    """The number as a float64 tensor where `like` is."""
    return torch.as_tensor(value, dtype=torch.float64, device=like.device)


def describe(value: Hyperparameter) -> str:
    """Short, for `repr`."""
    if isinstance(value, Tensor) and value.ndim:
        return "[" + ", ".join(f"{number:g}" for number in value.tolist()) + "]"
    return f"{float(value):g}"


def _checked(name: str, value: Tensor, ranks: tuple[int, ...], zero: bool) -> Tensor:
    finite(name, floating_tensor(name, value, ndim=ranks))
    lowest = float(value.detach().min()) if value.numel() else 1.0
    if lowest < 0 or (lowest == 0 and not zero):
        bound = "0 or more" if zero else "above 0"
        raise ValueError(f"`{name}` has an entry {lowest:g}; all must be {bound}.")
    return value
