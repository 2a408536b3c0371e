"""Checks at the public door: each names the argument, what arrived, and what to do."""

from collections.abc import Iterable
from math import isfinite

import torch
from torch import Tensor

__all__ = ["finite", "floating_tensor", "non_negative", "positive", "positive_int"]


def positive(name: str, value: float) -> float:
    """`value` as a float, refused unless finite and above zero.

    Raises:
        ValueError: It is not.
    """
    number = _as_float(name, value)
    if not 0 < number < float("inf"):
        raise ValueError(f"`{name}={value!r}` must be a finite number above 0.")
    return number


def non_negative(name: str, value: float) -> float:
    """`value` as a float, refused if NaN or below zero; infinity is allowed.

    Raises:
        ValueError: It is refused.
    """
    number = _as_float(name, value)
    if not number >= 0:
        raise ValueError(f"`{name}={value!r}` must be 0 or more.")
    return number


def positive_int(name: str, value: int) -> int:
    """`value`, refused unless it is a whole number of at least one.

    Raises:
        TypeError: It is no int.
        ValueError: It is below one.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"`{name}={value!r}` must be an int, got {type(value).__name__}.")
    if value < 1:
        raise ValueError(f"`{name}={value}` must be at least 1.")
    return value


def floating_tensor(name: str, value: Tensor, *, ndim: Iterable[int] | None = None) -> Tensor:
    """`value`, refused unless it is a float32 or float64 tensor with one of the given ranks.

    Raises:
        TypeError: It is no tensor, or of another dtype.
        ValueError: It has another rank.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"`{name}` must be a torch.Tensor, got {type(value).__name__}. "
            "Convert with `torch.as_tensor(...)`."
        )
    if value.dtype not in {torch.float32, torch.float64}:
        raise TypeError(
            f"`{name}` must be float32 or float64, got {value.dtype}. Convert with `.double()`."
        )
    if ndim is not None and value.ndim not in set(ndim):
        ranks = " or ".join(str(n) for n in ndim)
        raise ValueError(f"`{name}` must have {ranks} axes, got shape {tuple(value.shape)}.")
    return value


def finite(name: str, value: Tensor) -> Tensor:
    """`value`, refused if any entry is NaN or infinite (says how many, and the first place).

    Raises:
        ValueError: An entry is.
    """
    if isfinite(float(value.detach().sum())):  # one pass; a NaN or infinity would show in the sum
        return value
    bad = ~torch.isfinite(value)
    if bool(bad.any()):
        first = tuple(int(i) for i in bad.nonzero()[0])
        raise ValueError(
            f"`{name}` has {int(bad.sum())} NaN or infinite entries, the first at index {first}. "
            "Replace or crop them first."
        )
    return value


def _as_float(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"`{name}={value!r}` must be a number, got {type(value).__name__}.")
    return float(value)
