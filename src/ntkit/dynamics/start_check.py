"""Start functions whose value at a point depends on chance or on the other points are refused."""

from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ntkit._core.company import Run, refuse_mixing
from ntkit._core.running import call

__all__ = ["refuse_coupled_start"]

_LOOKED_AT: WeakKeyDictionary[Any, set[Hashable]] = WeakKeyDictionary()
"""Functions, and for points of which kinds they were found to be functions of one point."""

_Values = Callable[[Callable[[Tensor], Any], Tensor], Any]

_WHY = "Predictions at one point would then differ from call to call, or with the other points."


def refuse_coupled_start(f0: Callable[[Tensor], Any], x: Tensor, values: _Values) -> None:
    """Refuse a start function that draws random numbers or mixes points, as at `empirical_ntk`.

    Looked at once for points of a kind, on a few of them. A module runs with copies of its buffers. A
    function that is no module and takes the points as they are alone is taken at its word.

    Args:
        f0: The function.
        x: Points that it takes, as it takes them.
        values: Calls such a function.
    """
    module = f0 if isinstance(f0, nn.Module) else getattr(f0, "__self__", None)
    module = module if isinstance(module, nn.Module) else None
    owner = f0 if module is None else module
    modes = () if module is None else tuple(part.training for part in module.modules())
    key = x.dtype, x.device, x.shape[1:], len(x) > 1, modes
    try:
        if key in _LOOKED_AT.get(owner, set()):
            return
    except TypeError:  # no weak reference, or no hash
        owner = None
    run = _whole(f0, values) if module is None else _apart(module, f0, values)
    with suppress(_OtherPointsError):
        refuse_mixing("`f0`", run, [x], _WHY)
    if owner is not None:
        _LOOKED_AT.setdefault(owner, set()).add(key)


class _OtherPointsError(Exception):
    """A function does not take fewer of its points."""


def _apart(module: nn.Module, f0: Callable[[Tensor], Any], values: _Values) -> Run:
    """A module, its buffers left alone; another method than its call as it is."""
    is_call = f0 is module or getattr(f0, "__func__", None) is type(module).forward
    own = (lambda x: call(module, {}, x)) if is_call else f0

    def run(tensors: tuple[Tensor, ...]) -> Tensor:
        found = values(own, *tensors)
        if not isinstance(found, Tensor):
            raise _OtherPointsError
        return found

    return run


def _whole(f0: Callable[[Tensor], Any], values: _Values) -> Run:
    def run(tensors: tuple[Tensor, ...]) -> Tensor:
        try:
            found = values(f0, *tensors)
        except Exception as error:
            raise _OtherPointsError from error
        if not isinstance(found, Tensor) or found.ndim == 0 or len(found) != len(tensors[0]):
            raise _OtherPointsError
        return found

    return run
