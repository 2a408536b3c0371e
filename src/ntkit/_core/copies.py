"""Copies of the structure of modules and kernels, with other tensors: the user's own stay as found."""

import types
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from ntkit._core.torch_internals import (
    BACKWARD_HOOKS,
    COMPILED_CALL,
    FORWARD_HOOKS,
    PARTS,
    TENSORS,
    compiled_from,
)

__all__ = ["Copier", "as_leaves", "cloned", "snapshot"]

T = TypeVar("T")

_PLAIN = frozenset({
    *(type(None), bool, int, float, complex, str, bytes),
    *(torch.dtype, torch.device, torch.Size),
})
_CONTAINERS = frozenset({list, tuple, dict, OrderedDict, set})

_OF_TORCH = frozenset(vars(nn.Module()))
"""What `nn.Module` keeps of its own: hooks of saving and loading are no part of what it computes."""


class Copier:
    """Copies a module, or what holds one, without a run of any of its code.

    Modules, containers, dataclasses, bound methods, `functools.partial`, and functions that close over modules or
    tensors are made again around the copies of their parts; so hooks, a `forward` replaced on an
    instance, and names in lists reach the copy. A class with a method `copied_by(copier)` says
    itself what its copy is. All else is shared. What occurs twice is copied once. Backward hooks
    stay behind, as they are part of a training; what `torch.compile` wraps is unwrapped.

    Args:
        tensor: What comes in a tensor's place.
    """

    def __init__(self, tensor: Callable[[Tensor], Tensor]) -> None:
        self._tensor = tensor
        self._made: dict[
            int, tuple[Any, Any]
        ] = {}  # with the original, so that its id stays its own

    def __call__(self, value: T) -> T:
        """The copy of a value."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        known = self._made.get(id(value))
        if known is not None:
            return known[1]
        made: Any = value
        if isinstance(value, Tensor):
            made = self._tensor(value)
        elif isinstance(value, nn.Module):
            return self._module(value)
        elif kind in _CONTAINERS or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return self._container(value)
        elif isinstance(value, types.MethodType):
            made = self._method(value)
        elif isinstance(value, partial) and kind is partial:
            made = self._partial(value)
        elif kind is types.FunctionType:
            return self._function(value)
        elif hasattr(kind, "copied_by"):
            made = value.copied_by(self)  # type: ignore[attr-defined]
        elif kind is types.SimpleNamespace or (is_dataclass(kind) and hasattr(value, "__dict__")):
            return self.fields(value)
        self._made[id(value)] = value, made
        return made

    def fields(self, value: T, *, without: frozenset[str] = frozenset()) -> T:
        """Another object of the same class, with copies of the attributes."""
        made = object.__new__(type(value))
        self._made[id(value)] = value, made
        for name, attribute in vars(value).items():
            if name not in without:
                vars(made)[name] = self(attribute)
        return made

    def _module(self, module: Any) -> Any:
        before = vars(module)
        parts = before.get(PARTS, {})
        if (inner := compiled_from(module)) is not None:
            made = self(inner)
            self._made[id(module)] = module, made
            return made
        if isinstance(module, torch.jit.ScriptModule):  # its tensors lie beyond Python
            self._made[id(module)] = module, module
            return module
        made = object.__new__(type(module))
        self._made[id(module)] = module, made
        own = vars(made)
        own.update(before)
        for name in TENSORS:
            own[name] = {k: None if t is None else self(t) for k, t in before[name].items()}
        own[PARTS] = {k: None if m is None else self(m) for k, m in parts.items()}
        for name in FORWARD_HOOKS:
            own[name] = self(before[name]) if before[name] else OrderedDict()
        own.update({name: OrderedDict() for name in BACKWARD_HOOKS})
        own.pop(COMPILED_CALL, None)  # of `module.compile()`
        for name, value in before.items():
            if type(value) not in _PLAIN and name not in _OF_TORCH:
                own[name] = self(value)
        return made

    def _container(self, value: Any) -> Any:
        kind = type(value)
        if kind in {list, set, tuple}:
            if _PLAIN.issuperset(map(type, value)):  # long ones of numbers at little cost
                return value if kind is tuple else kind(value)
            if kind is tuple:
                return tuple([self(v) for v in value])
            made = kind()
            self._made[id(value)] = value, made
            add = made.append if kind is list else made.add
            for v in value:
                add(self(v))
            return made
        if isinstance(value, dict):
            made = kind()
            self._made[id(value)] = value, made
            if _PLAIN.issuperset(map(type, value.values())):
                made.update(value)
            else:
                made.update((self(k), self(v)) for k, v in value.items())
            return made
        return kind(*[self(v) for v in value])

    def _method(self, method: types.MethodType) -> Any:
        owner = self(method.__self__)
        if owner is method.__self__:
            return method
        return types.MethodType(self(method.__func__), owner)

    def _partial(self, value: "partial[Any]") -> Any:
        if not _reaches(value, set()):
            return value
        return partial(
            self(value.func),
            *[self(v) for v in value.args],
            **{k: self(v) for k, v in value.keywords.items()},
        )

    def _function(self, function: Any) -> Any:
        """The function over copies of the modules and tensors that it closes over; others are shared."""
        if not _reaches(function, set()):
            return function
        cells = tuple(
            types.CellType() if _cell_reaches(cell, set()) else cell
            for cell in function.__closure__
        )
        made = types.FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            cells,
        )
        made.__kwdefaults__, made.__qualname__ = function.__kwdefaults__, function.__qualname__
        made.__module__, made.__doc__ = function.__module__, function.__doc__
        made.__dict__.update(function.__dict__)
        self._made[id(function)] = function, made
        for old, new in zip(function.__closure__, cells, strict=True):
            if new is not old:
                new.cell_contents = self(old.cell_contents)
        return made


def _reaches(value: Any, seen: set[int]) -> bool:
    """Whether a function (or what holds one) has a module or a tensor within."""
    if id(value) in seen:
        return False
    seen.add(id(value))
    if isinstance(value, nn.Module | Tensor) or hasattr(type(value), "copied_by"):
        return True
    if isinstance(value, types.MethodType):
        return _reaches(value.__self__, seen)
    if isinstance(value, partial):
        parts = (value.func, *value.args, *value.keywords.values())
        return any(_reaches(part, seen) for part in parts)
    if isinstance(value, types.FunctionType):
        return any(_cell_reaches(cell, seen) for cell in value.__closure__ or ())
    if type(value) in _CONTAINERS:  # lists of results that hooks fill stay the user's
        every = [*value, *(value.values() if isinstance(value, dict) else ())]
        return any(isinstance(part, nn.Module) for part in every)
    return False


def _cell_reaches(cell: types.CellType, seen: set[int]) -> bool:
    try:
        return _reaches(cell.cell_contents, seen)
    except ValueError:  # empty as yet
        return False


def snapshot(value: T) -> T:
    """A module, kernel or function as it is now, whatever becomes of its tensors later.

    Parameters and plain tensors are cloned; tensors that ask for gradients and are no parameters of
    a module (scales of a layer, hyperparameters of a kernel) keep their graph, so that gradients
    reach the user's.

    Example:
        >>> net = nn.Linear(1, 1)
        >>> before = snapshot(net)
        >>> _ = nn.init.constant_(net.weight, 7.0)
        >>> bool(before.weight == net.weight)
        False
    """
    return Copier(_cloned)(value)


def as_leaves(value: T) -> T:
    """The same with leaves in place of tensors that have a graph, which no copy and no file can hold."""
    if not _has_graph(value):
        return value
    return Copier(_as_leaf)(value)


def _has_graph(value: Any) -> bool:
    found = []

    def note(tensor: Tensor) -> Tensor:
        found.append(not tensor.is_leaf)
        return tensor

    Copier(note)(value)
    return any(found)


def cloned(tensor: Tensor) -> Tensor:
    """The tensor as it is now; with its graph, if it has or begins one."""
    with torch.enable_grad():
        return tensor.clone()


def _cloned(tensor: Tensor) -> Tensor:
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(tensor.detach().clone(), requires_grad=tensor.requires_grad)
    return cloned(tensor)


def _as_leaf(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_leaf else tensor.detach().requires_grad_()
