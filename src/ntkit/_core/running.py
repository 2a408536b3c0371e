"""Runs of a module with other tensors in place of its own, which stay as they are."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from threading import RLock
from typing import Any

from torch import Tensor, nn

from ntkit._core.copies import Copier
from ntkit._core.torch_internals import BACKWARD_HOOKS, PARTS, TENSORS

__all__ = ["AbstractRunner", "AsFound", "InPlace", "StandIn", "call"]


class AbstractRunner(ABC):
    """A module as a function of its tensors, too."""

    @abstractmethod
    def __call__(
        self, values: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """What the module gives.

        Args:
            values: Tensors by name, each under its first name, in place of parameters and buffers;
                the module may write into them.
            args: Positional inputs.
            kwargs: Inputs by keyword.
        """


class StandIn(AbstractRunner):
    """A copy of the structure of a module runs: not even other threads see anything of it.

    The copy is of the time when this is made, and keeps the attributes that its runs set.

    Args:
        module: Whose.
    """

    def __init__(self, module: nn.Module) -> None:
        parts = [*module.named_modules()]
        tensors, slots = _held(parts)
        own = {id(t) for t in tensors.values()}

        def kept(tensor: Tensor) -> Tensor:
            # one that asks for gradients is the user's still, so that it is found in the graph
            return tensor if id(tensor) in own or tensor.requires_grad else tensor.clone()

        copier = Copier(kept)
        self.module = copier(module)
        for _, part in parts:
            _with_dense_gradients(copier(part))
        self._slots = {
            name: [(vars(copier(part))[kind], key) for part, kind, key in places]
            for name, places in slots.items()
        }

    def __call__(
        self, values: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """One run of the copy."""
        for name, value in values.items():
            for entries, key in self._slots.get(name, ()):  # none: a parameter too, by its name
                entries[key] = value
        return self.module(*args, **kwargs)


class InPlace(AbstractRunner):
    """The module itself runs, and gets its tensors and attributes back; one run at a time.

    For modules that reach themselves by ways that a copy has not: a global name, a field of some
    object. A training in another thread would meet the other tensors meanwhile.

    Args:
        module: Which.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(
        self, values: Mapping[str, Tensor], args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> Any:
        """One run."""
        with _ONE_AT_A_TIME:
            before = AsFound(self._module)
            try:
                for part in self._module.modules():
                    vars(part).update({name: OrderedDict() for name in BACKWARD_HOOKS})
                    _with_dense_gradients(part)
                _, slots = _held([*self._module.named_modules()])
                for name, value in values.items():
                    for part, kind, key in slots.get(name, ()):
                        vars(part)[kind][key] = value
                return self._module(*args, **kwargs)
            finally:
                before.put_back()


_ONE_AT_A_TIME = RLock()


def _with_dense_gradients(part: nn.Module) -> None:
    if isinstance(part, nn.Embedding | nn.EmbeddingBag):
        vars(part)["sparse"] = False  # the same numbers, in a form that can be added up


class AsFound:
    """What all parts of a module hold, to be put back.

    Args:
        module: Which.
    """

    def __init__(self, module: nn.Module) -> None:
        self._before = [
            (own, own.copy(), {kind: own[kind].copy() for kind in (*TENSORS, PARTS) if kind in own})
            for own in map(vars, module.modules())
        ]

    def put_back(self) -> None:
        """Give each part what it had."""
        for own, before, held in self._before:
            own.clear()
            own.update(before)
            for kind, entries in held.items():
                own[kind].clear()
                own[kind].update(entries)


def call(module: nn.Module, values: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
    """`module(*args, **kwargs)` with other tensors, the module itself left as it is.

    Buffers that no value is given for are copied first, so that the run may write into them.
    """
    buffers = {k: b.clone() for k, b in module.named_buffers() if k not in values}
    return StandIn(module)({**buffers, **values}, args, kwargs)


def _held(
    parts: list[tuple[str, nn.Module]],
) -> tuple[dict[str, Tensor], dict[str, list[tuple[nn.Module, str, str]]]]:
    """Tensors by their first names, and where each is held: a layer that occurs twice has it once."""
    tensors: dict[str, Tensor] = {}
    slots: dict[str, list[tuple[nn.Module, str, str]]] = {}
    names: dict[int, str] = {}
    for kind in TENSORS:
        for prefix, part in parts:
            for key, tensor in vars(part).get(kind, {}).items():  # a scripted layer has none
                if tensor is None:
                    continue
                name = names.get(id(tensor))
                if name is None:
                    name = names[id(tensor)] = f"{prefix}.{key}" if prefix else key
                    tensors[name], slots[name] = tensor, []
                slots[name].append((part, kind, key))
    return tensors, slots
