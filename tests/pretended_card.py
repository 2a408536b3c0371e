"""A second device made of the processor's memory, which refuses what a GPU refuses: for machines without one.

Its tensors say that they lie on the device `CARD`. As on a GPU they do not meet tensors of the CPU, but for single
numbers and indices, have no numpy array, and are not drawn from a generator of the CPU. Digits are those of the CPU. It
counts how often a program waits for a number of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

__all__ = ["CARD", "Card", "pretended_card"]

CARD = torch.device("lazy", 0)
"""A type of device that torch knows everywhere, and nobody has."""

_aten = torch.ops.aten
_INDEXED = {
    "index",
    "index_put",
    "index_put_",
    "_index_put_impl_",
    "_unsafe_index",
    "_unsafe_index_put",
}
"""Operations whose indices may lie on the CPU."""
_ACROSS = {"_to_copy", "copy_", "copy", "set_data", "_pin_memory", "is_same_size"}
"""Operations that are meant to move numbers."""


class OnCard(Tensor):
    """A tensor of the card: `held` has its numbers."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "OnCard":
        known: dict[str, Any] = {"dtype": held.dtype, "device": CARD, "layout": held.layout}
        if held.layout == torch.strided:
            known |= {"strides": held.stride(), "storage_offset": held.storage_offset()}
        made = Tensor._make_wrapper_subclass(cls, held.shape, **known)  # pyright: ignore[reportAttributeAccessIssue]
        made.held = held
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: Any) -> "OnCard":
        return OnCard(inner["held"])

    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_as_tensors(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_as_tensors(index), value)

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def tolist(self) -> Any:
        Card.waits += 1
        return self.detach().cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _moved, (self.held,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        with torch.no_grad():
            made = self.clone()
        made.requires_grad_(self.requires_grad)
        memo[id(self)] = made
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Card(TorchDispatchMode):
    """While it is entered there is a card.

    Attributes:
        waits: Numbers that were asked of it one at a time.
    """

    waits = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _MadeOfNumbers(TorchFunctionMode):
    """Tensors of Python's numbers: torch would make these on the card, past what is pretended."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        asked = kwargs.get("device")
        if func is Tensor.new_tensor and isinstance(args[0], OnCard) and asked is None:
            func, asked, kwargs = torch.tensor, CARD, {"dtype": args[0].dtype, **kwargs}
            args = args[1:]
        if func not in {torch.tensor, torch.as_tensor} or asked is None:
            return func(*args, **kwargs)
        return func(*args, **{**kwargs, "device": None}).to(asked)


@contextmanager
def pretended_card() -> Iterator[Card]:
    """A card for the time of the block."""
    Card.waits = 0
    with Card() as card, _MadeOfNumbers():
        yield card


def _as_tensors(index: Any) -> Any:
    """Lists as tensors: torch would make these on the card, past what is pretended."""
    if isinstance(index, tuple):
        return tuple(map(_as_tensors, index))
    return torch.tensor(index) if isinstance(index, list) else index


def _moved(held: Tensor) -> Tensor:
    return OnCard(held)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The operation, by the CPU, on numbers of one device."""
    name = func.overloadpacket.__name__
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
    on_card = [t for t in tensors if isinstance(t, OnCard)]
    asked = kwargs.get("device")
    goes_there = bool(on_card) if asked is None else torch.device(asked).type == CARD.type
    if on_card and name not in _ACROSS:
        _refuse_strangers(name, args, kwargs)
    if name in {"_local_scalar_dense", "equal", "is_nonzero", "nonzero"} and on_card:
        Card.waits += 1
    if goes_there and kwargs.get("generator") is not None:
        raise RuntimeError(f"{name}: expected a generator of the card, got one of the CPU")
    if name == "_efficientzerotensor":  # it has no memory that could be wrapped
        func = _aten.zeros.default
    if asked is not None:
        kwargs = {**kwargs, "device": "cpu"}
    own = tree_map_only(OnCard, lambda t: t.held.resolve_conj().resolve_neg(), (args, kwargs))
    found = func(*own[0], **own[1])
    if not goes_there:
        return found
    known = {id(t.held): t for t in on_card}
    return tree_map_only(Tensor, lambda t: known.get(id(t)) if id(t) in known else OnCard(t), found)


def _refuse_strangers(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    """As a GPU does.

    Raises:
        RuntimeError: A tensor of the CPU with axes meets one of the card.
    """
    looked = (args[0], *args[2:]) if name in _INDEXED else args
    for t in tree_leaves((looked, kwargs)):
        if isinstance(t, Tensor) and not isinstance(t, OnCard) and t.ndim:
            raise RuntimeError(
                f"{name}: expected all tensors to be on the card, got one on the CPU"
            )
