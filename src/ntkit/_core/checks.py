"""Checks at the public door: each names the argument, what arrived, and what to do.

A number may come as Python's, as NumPy's, or as an array or tensor without axes; what is kept is
Python's own. Booleans are no numbers.
"""

from collections.abc import Callable, Iterable
from math import isfinite
from numbers import Integral, Real
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.devices import refuse_without_float64

__all__ = [
    "entries",
    "finite",
    "floating_tensor",
    "function",
    "kind_of",
    "module",
    "moments",
    "non_negative",
    "number",
    "per_axis",
    "positive",
    "positive_int",
    "random_source",
    "replace_fields",
    "root_weights",
    "whole",
]


_Entry = TypeVar("_Entry")


def number(name: str, value: object) -> float:
    """`value` as a float: a real number of Python or NumPy, or a real array or tensor without axes.

    Raises:
        TypeError: It is something else, or a tensor whose derivative would be lost.
    """
    plain = _plain(name, value)
    if isinstance(plain, bool) or not isinstance(plain, Real):
        raise TypeError(f"`{name}={value!r}` must be a number, got {type(value).__name__}.")
    return float(plain)


def whole(name: str, value: object) -> int:
    """`value` as an int: as `number` takes it, if its type is one of whole numbers.

    Raises:
        TypeError: It is something else.
    """
    plain = _plain(name, value)
    if isinstance(plain, bool) or not isinstance(plain, Integral):
        raise TypeError(f"`{name}={value!r}` must be an int, got {type(value).__name__}.")
    return int(plain)


def positive(name: str, value: object) -> float:
    """`value` as a float, refused unless finite and above zero.

    Raises:
        ValueError: It is not.
    """
    found = number(name, value)
    if not 0 < found < float("inf"):
        raise ValueError(f"`{name}={value!r}` must be a finite number above 0.")
    return found


def non_negative(name: str, value: object) -> float:
    """`value` as a float, refused if NaN or below zero; infinity is allowed.

    Raises:
        ValueError: It is refused.
    """
    found = number(name, value)
    if not found >= 0:
        raise ValueError(f"`{name}={value!r}` must be 0 or more.")
    return found


def positive_int(name: str, value: object) -> int:
    """`value` as an int, refused unless it is a whole number of at least one.

    Raises:
        ValueError: It is below one.
    """
    found = whole(name, value)
    if found < 1:
        raise ValueError(f"`{name}={found}` must be at least 1.")
    return found


def moments(name: str, values: object) -> tuple[float, ...]:
    """Times or steps as floats of 0 or more: from a list, or anything of one axis.

    Raises:
        TypeError: It is a single number, or nothing that has entries, or a tensor whose derivative
            would be lost.
        ValueError: It has no entry, or more axes.
    """
    if isinstance(values, Tensor | np.ndarray):
        _keeps_no_derivative(name, values)
        if values.ndim > 1:
            raise ValueError(
                f"`{name}` must have one axis, got shape {tuple(values.shape)}. Pass `{name}.ravel()`."
            )
        values = values.tolist() if values.ndim else values.item()
    if not isinstance(values, Iterable):
        raise TypeError(
            f"`{name}={values!r}` must be a list: pass `[{values!r}]`. The first axis of the answer "
            "is that of the list."
        )
    found = tuple(non_negative(name, value) for value in values)
    if not found:
        raise ValueError(f"`{name}` is empty; pass at least one, for example `[0.0]`.")
    return found


def entries(name: str, values: Iterable[_Entry]) -> tuple[_Entry, ...]:
    """The entries of a list, a tuple or another thing that has some; of no string.

    Raises:
        TypeError: It has none.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"`{name}={values!r}` must be a list, got {kind_of(values)}. Pass `[...]`.")
    return tuple(values)


def function(name: str, value: object) -> Callable[..., Any]:
    """`value`, refused unless it can be called; a class only makes something else that can.

    Raises:
        TypeError: It is no function.
    """
    if not callable(value) or isinstance(value, type):
        raise TypeError(f"`{name}` must be a function of a tensor, got {kind_of(value)}.")
    return value


def module(name: str, value: object) -> nn.Module:
    """`value`, refused unless it is a module of torch, and no class of them.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, nn.Module):
        raise TypeError(f"`{name}` must be a torch.nn.Module, got {kind_of(value)}.")
    return value


def random_source(generator: object) -> torch.Generator | None:
    """The argument `generator`, refused unless it is one of torch, or None for torch's own.

    Raises:
        TypeError: It is something else, such as a seed.
    """
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"`generator` must be a torch.Generator or None, got {kind_of(generator)}. For a seed pass "
            "`torch.Generator().manual_seed(0)`."
        )
    return generator


def per_axis(value: object, count: int) -> list[object]:
    """The entries of what has some, however many; a single number `count` times."""
    if isinstance(value, Iterable) and getattr(value, "ndim", 1) != 0:
        return list(value)
    return [value] * count


def replace_fields(frozen: object, **values: object) -> None:
    """Set fields of a frozen dataclass in its `__post_init__` to what a check has made of them.

    A tensor in a field would leave `==` and `hash` of the dataclass without meaning.
    """
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


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
    if value.layout != torch.strided:
        raise TypeError(
            f"`{name}` must be dense, got a tensor of layout {value.layout}. Pass `{name}.to_dense()`."
        )
    if value.is_complex():
        raise TypeError(
            f"`{name}` is complex, and must be real: pass the real and imaginary parts on their own, "
            f"`{name}.real` and `{name}.imag`."
        )
    if value.dtype not in {torch.float32, torch.float64}:
        raise TypeError(
            f"`{name}` must be float32 or float64, got {value.dtype}. Convert with `.double()`."
        )
    refuse_without_float64(name, value.device)
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


def kind_of(value: object) -> str:
    """What arrived, in words; of a class, that one of its instances is wanted."""
    if isinstance(value, type):
        return f"the class {value.__name__} (pass an instance, `{value.__name__}(...)`)"
    return type(value).__name__


def _plain(name: str, value: object) -> object:
    """The scalar in an array or tensor without axes; anything else as it is."""
    if isinstance(value, Tensor | np.ndarray | np.generic) and value.ndim == 0:
        _keeps_no_derivative(name, value)
        return value.item()
    return value


def _keeps_no_derivative(name: str, value: object) -> None:
    """Refuse a tensor whose derivative would be lost without a word.

    Raises:
        TypeError: It requires gradients.
    """
    if isinstance(value, Tensor) and value.requires_grad:
        raise TypeError(
            f"`{name}` requires gradients, and the answer has no derivative in it. Pass "
            f"`{name}.detach()`."
        )


def root_weights(weights: Tensor, n_samples: int) -> Float[Tensor, " n"]:
    """`sqrt(w)` of checked sample weights, float64.

    Raises:
        ValueError: Not one a sample, or one is negative.
    """
    finite("sample_weights", floating_tensor("sample_weights", weights))
    if weights.shape != (n_samples,) or bool((weights < 0).any()):
        smallest = float(weights.min()) if len(weights.shape) and len(weights) else 0.0
        raise ValueError(
            f"`sample_weights` must be {n_samples} numbers of 0 or more, got shape "
            f"{tuple(weights.shape)} and a smallest of {smallest:g}."
        )
    return weights.double().sqrt()
