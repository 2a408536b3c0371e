"""One table that says what a call means: of a module, of a function, or of a tensor's method."""

from abc import ABC
from collections.abc import Hashable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

__all__ = ["AbstractMeaning", "Meanings", "NoLimit", "OfKind", "meanings"]

V = TypeVar("V")


class AbstractMeaning(ABC):
    """What a call means: one of a closed set of kinds, each of which `front.calls.table` reads in one place.

    Attributes:
        what: The name of the kind, for errors.
    """

    what: ClassVar[str]


@dataclass(frozen=True)
class NoLimit(AbstractMeaning):
    """The call has no limit.

    Attributes:
        why: The reason and the way out.
    """

    why: str

    what: ClassVar[str] = "no limit"


class Meanings:
    """From an exact module type, a function, or the name of a tensor's method, to what its call means."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, AbstractMeaning] = {}

    def file(self, meaning: AbstractMeaning, *targets: Hashable) -> None:
        """File one meaning of several calls; it may take the place of a refusal.

        Raises:
            ValueError: A call has another meaning already.
        """
        for target in targets:
            known = self._entries.get(target)
            if known is not None and not isinstance(known, NoLimit):
                name = getattr(target, "__qualname__", target)
                raise ValueError(f"{name} already has an entry ({known.what}).")
        self._entries.update(dict.fromkeys(targets, meaning))

    def get(self, target: Hashable) -> AbstractMeaning | None:
        """The meaning of a call; None where it has none."""
        return self._entries.get(target)

    def types(self, *kinds: type[AbstractMeaning]) -> list[type]:
        """The module types whose meaning is of one of some kinds, in the order that they were filed."""
        return [
            target
            for target, meaning in self._entries.items()
            if isinstance(target, type) and isinstance(meaning, kinds)
        ]


class OfKind(MutableMapping[type, V], Generic[V]):
    """The module types of a table that have one kind of meaning, each with what that holds.

    Args:
        table: The table.
        kind: Of meaning: a dataclass with one field.
        name: That field.
    """

    def __init__(self, table: Meanings, kind: type[AbstractMeaning], name: str) -> None:
        self._table, self._kind, self._name = table, kind, name

    def __getitem__(self, target: type) -> V:
        meaning = self._table.get(target)
        if not isinstance(meaning, self._kind):
            raise KeyError(target)
        return getattr(meaning, self._name)

    def __setitem__(self, target: type, value: V) -> None:
        make: Any = self._kind
        self._table.file(make(value), target)

    def __delitem__(self, target: type) -> None:
        raise TypeError(f"{target.__qualname__}: what is registered stays.")

    def __iter__(self) -> Iterator[type]:
        return iter(self._table.types(self._kind))

    def __len__(self) -> int:
        return len(self._table.types(self._kind))


meanings: Meanings = Meanings()
"""What is known; the packages `activations`, `rules` and `front` file theirs when they are imported."""
