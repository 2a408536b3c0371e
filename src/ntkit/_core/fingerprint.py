"""Fingerprints of tensors, modules and settings, stable between processes."""

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterable, Mapping
from hashlib import sha256
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from ntkit._core.torch_internals import FORWARD_HOOKS

__all__ = ["of_structure", "of_tensors", "of_value"]

_MACHINERY = frozenset(vars(nn.Module()))
"""What every module holds: parameters, buffers and layers, which are met by name, and hooks."""


def of_tensors(named: Iterable[tuple[str, Tensor]]) -> str:
    """Of names, dtypes, shapes and values."""
    digest = sha256()
    for name, t in named:
        digest.update(f"{name} {t.dtype} {tuple(t.shape)}".encode())
        plain = t.detach().cpu().to_dense() if t.layout != torch.strided else t.detach().cpu()
        digest.update(plain.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def of_structure(module: nn.Module) -> str:
    """Of the types of all layers, their modes, attributes, hooks and the code of their `forward`.

    Functions count by their code, other objects by their type and attributes. What a function looks up
    elsewhere, in its module's globals, is not followed.
    """
    digest = sha256()
    for name, layer in module.named_modules(remove_duplicate=False):
        digest.update(f"{name} {_described(layer, 0)}\n".encode())
    return digest.hexdigest()


def of_value(value: Any) -> str:
    """Of a setting: a number, a text, a function by its code, an object by its type and attributes."""
    return sha256(_described(value, 1).encode()).hexdigest()


def _described(value: Any, depth: int) -> str:
    """A text that is the same for the same meaning; no address of an object is in it."""
    if value is None or isinstance(value, str | bytes | int | float | complex):
        return repr(value)
    if isinstance(value, torch.dtype | torch.device | torch.Size):
        return str(value)
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if depth > 6:  # deeper than any setting of a layer; ends what refers to itself
        return kind
    deeper = depth + 1
    if isinstance(value, Tensor):
        return of_tensors([("", value)])
    if isinstance(value, nn.Module):
        return kind if depth else f"{kind} {_of_layer(value)}"
    if isinstance(value, functools.partial):
        return f"{kind}({_described((value.func, value.args, value.keywords), deeper)})"
    if isinstance(value, type) or inspect.isroutine(value):
        return _of_function(value, deeper)
    if isinstance(value, Mapping):
        pairs = [f"{_described(k, deeper)}: {_described(v, deeper)}" for k, v in value.items()]
        return f"{kind}({', '.join(pairs)})"
    if isinstance(value, list | tuple):
        return f"{kind}({', '.join(_described(v, deeper) for v in value)})"
    if isinstance(value, set | frozenset):
        return f"{kind}({', '.join(sorted(_described(v, deeper) for v in value))})"
    attributes = getattr(value, "__dict__", {})
    return f"{kind}({_described(dict(attributes), deeper)})"


def _of_layer(layer: nn.Module) -> str:
    """Mode, attributes, hooks, and the code of `forward` where it is not torch's own."""
    found = {k: v for k, v in vars(layer).items() if k not in _MACHINERY}
    for hooks in FORWARD_HOOKS:
        found[hooks] = list(getattr(layer, hooks, {}).values())
    words = [f"training={layer.training}", _described(found, 1)]
    if not type(layer).__module__.startswith("torch."):
        words.append(_of_function(type(layer).forward, 1))
    return " ".join(words)


def _of_function(function: Any, depth: int) -> str:
    """Name, source without comments and layout, and the values that it has taken with it."""
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', function)!s}"
    code = getattr(function, "__code__", None)
    if not isinstance(code, CodeType):
        return name
    closed = inspect.getclosurevars(function).nonlocals
    rest = (function.__defaults__, function.__kwdefaults__, closed)
    return f"{name} {_source(code)} {_described(rest, depth)}"


@functools.lru_cache(256)  # to read and parse it takes a millisecond
def _source(code: CodeType) -> str:
    """The source as Python reads it; of a lambda, which is part of a line, or without one, its code."""
    if code.co_name == "<lambda>":
        return _of_code(code)
    try:
        return ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(code))))
    except (OSError, TypeError, SyntaxError):
        return _of_code(code)


def _of_code(code: CodeType) -> str:
    """Instructions, names and constants."""
    constants = [
        _of_code(c) if isinstance(c, CodeType) else _described(c, 1) for c in code.co_consts
    ]
    return f"{code.co_code.hex()} {code.co_names} {constants}"
