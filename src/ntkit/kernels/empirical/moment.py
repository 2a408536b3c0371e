"""A module at one moment: its tensors, and the way to run it with others."""

from threading import active_count
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor, nn

from ntkit._core.running import AbstractRunner, AsFound, InPlace, StandIn
from ntkit._core.torch_internals import version_of

__all__ = ["Moment", "plain"]

_IN_PLACE: WeakSet[nn.Module] = WeakSet()
"""Modules that reach themselves by ways that a copy of their structure has not."""

_WRITTEN: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()
"""The parameters that a module writes into when it runs, of modules that were looked at."""


class Moment:
    """What a module is at one moment.

    Parameters are used where they lie, without a copy, unless someone might write there meanwhile:
    another thread, or the module itself (an embedding with `max_norm`, or what `note_writing` has seen).

    Args:
        module: Whose values and structure.
        home: What runs, of modules that must run in place; `module`, unless that is a copy of it.

    Attributes:
        parameters: Values by first name, detached.
        buffers: Theirs.
        run: The module as a function of these.
        is_known: Whether the module was looked at before.
    """

    def __init__(self, module: nn.Module, home: nn.Module) -> None:
        self._module, self._home = module, home
        named = dict(module.named_parameters())
        others_write = active_count() > 1
        # Of a module that was never looked at, all are copied: to see what it writes into.
        self.is_known: bool = home in _WRITTEN
        self._before = None if self.is_known else AsFound(home)
        is_shared = self.is_known and not others_write
        copied = _WRITTEN[home] | _renormed(module, named) if is_shared else named.keys()
        self.parameters: dict[str, Tensor] = {
            name: p.detach().clone() if name in copied else plain(p) for name, p in named.items()
        }
        self.buffers: dict[str, Tensor] = dict(module.named_buffers())
        self.run: AbstractRunner = InPlace(home) if home in _IN_PLACE else StandIn(module)
        self._versions = {
            name: version_of(p) for name, p in self.parameters.items() if name not in copied
        }

    def go_in_place(self) -> bool:
        """Run the module itself from here on; whether that is another way than before."""
        if self._home in _IN_PLACE:
            return False
        _IN_PLACE.add(self._home)
        if self._before is not None:  # what the copy reached of the module, it may have written to
            self._before.put_back()
        self.run = InPlace(self._home)
        return True

    def go_back(self) -> None:
        """Undo `go_in_place`: it did not help."""
        _IN_PLACE.discard(self._home)
        self.run = StandIn(self._module)

    def note_writing(self) -> None:
        """Keep in mind which of the copied parameters a run has written into."""
        own = dict(self._module.named_parameters())
        seen = {
            name
            for name, p in self.parameters.items()
            if name not in self._versions and not torch.equal(p, own[name].detach())
        }
        _WRITTEN.setdefault(self._home, set()).update(seen)

    def check(self) -> None:
        """Refuse what a run has written into the user's parameters.

        Raises:
            ValueError: It did, though it had not when it was looked at.
        """
        for name, version in self._versions.items():
            if version_of(self.parameters[name]) != version:
                _WRITTEN.setdefault(self._home, set()).add(name)
                raise ValueError(
                    f"`module` wrote into its parameter `{name}` for these points, and has not for "
                    "others. Take the writing out of its forward; a second call works on a copy."
                )


def plain(p: Tensor) -> Tensor:
    """The values of a tensor, where they lie."""
    return p.detach().clone() if p.is_inference() else p.detach()


def _renormed(module: nn.Module, named: dict[str, nn.Parameter]) -> set[str]:
    """Names of the embeddings that are brought to a largest norm, in place, where they are used."""
    names = {id(p): name for name, p in named.items()}
    return {
        names[id(p)]
        for part in module.modules()
        if vars(part).get("max_norm") is not None
        for p in part.parameters(recurse=False)
    }
