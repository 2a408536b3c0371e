"""Fingerprints of kernels and matrices: the same in every process for the same one, another for any other."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from torch import Tensor, nn

from ntkit._core.fingerprint import of_structure, of_tensors, of_value
from ntkit._core.pickling import Kept
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.base import AbstractOperator

__all__ = ["kernel_mark", "operator_mark"]


_PLACES = {"executor", "device", "_tile_bytes"}
"""Of an operator, what says where and in which pieces it is computed."""


def kernel_mark(kernel: AbstractKernel) -> str:
    """A fingerprint of all that the kernel's values depend on: its options, and modules with their weights.

    What a kernel remembers of earlier calls does not count.
    """
    return sha256(_words(kernel).encode()).hexdigest()


def operator_mark(operator: AbstractOperator) -> str:
    """A fingerprint of the matrix that an operator is, wherever and in whatever pieces its tiles are computed."""
    return sha256(_words(operator).encode()).hexdigest()


def _words(value: Any) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, nn.Module):
        tensors = of_tensors([*value.named_parameters(), *value.named_buffers()])
        return f"{of_structure(value)} {tensors}"
    if isinstance(value, Tensor):
        return of_tensors([("", value)])
    if isinstance(value, Kept):
        return f"{kind}({_words(_kept(value))})"
    if isinstance(value, Mapping):
        return f"{kind}({', '.join(f'{k!r}: {_words(v)}' for k, v in value.items())})"
    if isinstance(value, list | tuple):
        return f"{kind}({', '.join(map(_words, value))})"
    if isinstance(value, type):
        return of_value(value)
    if is_dataclass(value):
        return f"{kind}({', '.join(f'{f.name}={_words(getattr(value, f.name))}' for f in fields(value))})"
    if hasattr(type(value), "copied_by"):  # holds modules: a target of the empirical kernel
        return f"{kind}({_words(value.__getstate__())})"
    return of_value(value)


def _kept(value: Kept) -> dict[str, Any]:
    """Its attributes, without what it remembers."""
    own = type(value)
    left_out = {*own.forgotten, *(_PLACES if isinstance(value, AbstractOperator) else ())}
    return {
        name: part
        for name, part in vars(value).items()
        if name not in left_out and not isinstance(getattr(own, name, None), cached_property)
    }
