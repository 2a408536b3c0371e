"""A fingerprint of a kernel: the same in every process for the same kernel, another for any other."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from torch import Tensor, nn

from ntkit._core.fingerprint import of_structure, of_tensors, of_value
from ntkit._core.pickling import Kept
from ntkit.kernels.base import AbstractKernel

__all__ = ["kernel_mark"]


def kernel_mark(kernel: AbstractKernel) -> str:
    """A fingerprint of all that the kernel's values depend on: its options, and modules with their weights.

    What a kernel remembers of earlier calls does not count.
    """
    return sha256(_words(kernel).encode()).hexdigest()


def _words(value: Any) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, nn.Module):
        tensors = of_tensors([*value.named_parameters(), *value.named_buffers()])
        return f"{of_structure(value)} {tensors}"
    if isinstance(value, Tensor):
        return of_tensors([("", value)])
    if isinstance(value, Kept):
        own = type(value)
        kept = {
            name: part
            for name, part in vars(value).items()
            if name not in own.forgotten
            and not isinstance(getattr(own, name, None), cached_property)
        }
        return f"{kind}({_words(kept)})"
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
