"""What of an object goes into a copy or a file; functions that no file can hold are named."""

import inspect
import traceback
import types
from copy import deepcopy
from functools import cached_property, partial
from typing import Any, ClassVar

from torch import Tensor, nn

from ntkit._core.copies import as_leaves
from ntkit._core.torch_internals import PARTS, TENSORS

__all__ = ["Kept", "named_state"]


class Kept:
    """Pickles and copies by its attributes, without what its cached properties have found.

    Attributes:
        forgotten: Attributes that a copy begins with, in place of what was remembered.
    """

    forgotten: ClassVar[dict[str, Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        kind = type(self)
        state = {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), cached_property)
        }
        state.update(deepcopy(self.forgotten))
        if _into_a_file():
            _refuse_functions(kind.__name__, state)
        return as_leaves(state)


def named_state(module: nn.Module, *names: str) -> dict[str, Any]:
    """All attributes of a module, for its `__getstate__`; a `TypeError` of a function that no file can hold.

    Args:
        module: Whose attributes.
        names: Those that may hold functions.
    """
    if _into_a_file():
        _refuse_functions(type(module).__name__, {name: getattr(module, name) for name in names})
    return vars(module).copy()


def _into_a_file() -> bool:
    """Whether a pickler asks that takes no functions without a name: not `copy`, not cloudpickle."""
    for frame, _ in traceback.walk_stack(inspect.currentframe()):
        name = frame.f_globals.get("__name__", "")
        if name in {"copy", "dill._dill"} or "cloudpickle" in name:
            return False
    return True


def _refuse_functions(owner: str, state: dict[str, Any]) -> None:
    """Name an attribute that holds a function which pickle cannot find again.

    Raises:
        TypeError: There is one.
    """
    for name, value in state.items():
        found = _nameless(f"{owner}.{name}", value, set())
        if found is not None:
            place, function = found
            raise TypeError(
                f"`{place}` holds the function `{function}`, which has no name that pickle could find "
                "again. Define it with `def` at the top of a module, or pickle with `cloudpickle`."
            )


def _nameless(place: str, value: Any, seen: set[int]) -> tuple[str, str] | None:
    """Where in a value such a function is, and its name."""
    if id(value) in seen or isinstance(
        value, Tensor | str | bytes | Kept
    ):  # the last say it themselves
        return None
    seen.add(id(value))
    parts: list[tuple[str, Any]] = []
    if isinstance(value, types.FunctionType):
        name = value.__qualname__
        return (place, name) if "<" in name else None
    if isinstance(value, types.MethodType):
        parts = [(place, value.__self__)]
    elif isinstance(value, partial):
        parts = [(place, part) for part in (value.func, *value.args, *value.keywords.values())]
    elif isinstance(value, dict):
        parts = [(f"{place}[{key!r}]", part) for key, part in value.items()]
    elif isinstance(value, list | tuple | set):
        parts = [(f"{place}[{k}]", part) for k, part in enumerate(value)]
    elif isinstance(value, nn.Module):
        for name, part in value.named_modules():
            own = f"{place}.{name}" if name else place
            # parts have their own names; hooks on gradients stay behind in copies of ours
            skipped = {*TENSORS, PARTS}
            parts += [(f"{own}.{k}", v) for k, v in vars(part).items() if k not in skipped]
    elif type(value).__module__.startswith("ntkit."):
        if type(value).__reduce__ is not object.__reduce__:  # made again from these
            parts = [(place, part) for part in value.__reduce__()[1]]
        else:
            parts = [(f"{place}.{k}", v) for k, v in getattr(value, "__dict__", {}).items()]
    return next(filter(None, (_nameless(name, part, seen) for name, part in parts)), None)
