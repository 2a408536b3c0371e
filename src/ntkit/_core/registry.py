"""A registry from exact types to functions: a subclass never inherits its parent's entry."""

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Generic, TypeVar

__all__ = ["ExactTypeRegistry"]

F = TypeVar("F", bound=Callable[..., Any])


class ExactTypeRegistry(Generic[F]):
    """Functions looked up by `type(obj)` itself, so that a subclass asks for its own.

    `functools.singledispatch` would hand `Linear`'s rule to a weight-normed subclass of `Linear`,
    whose kernel is another one; here it is an error that says what to do.

    Args:
        what: What an entry is, for the error message ("infinite-width rule").
        error: The exception type raised for an unknown type.
        entries: Where the functions are kept; a dictionary of its own if left out.

    Example:
        >>> sizes = ExactTypeRegistry("size", KeyError)
        >>> @sizes.register(list)
        ... def of_list(x):
        ...     return len(x)
        >>> sizes[[1, 2]]([1, 2])
        2
    """

    def __init__(
        self, what: str, error: type[Exception], entries: MutableMapping[type, F] | None = None
    ) -> None:
        self._what = what
        self._error = error
        self._entries: MutableMapping[type, F] = {} if entries is None else entries

    def register(self, *types: type) -> Callable[[F], F]:
        """A decorator that files a function under each of `types`.

        Raises:
            ValueError: A type already has an entry.
        """
        for kind in types:
            if kind in self._entries:
                raise ValueError(f"{kind.__qualname__} already has an entry ({self._what}).")

        def file(function: F) -> F:
            self._entries.update(dict.fromkeys(types, function))
            return function

        return file

    def __getitem__(self, obj: object) -> F:
        kind = type(obj)
        if kind in self._entries:
            return self._entries[kind]
        parent = next((p for p in kind.__mro__[1:] if p in self._entries), None)
        near = (
            f" It is a subclass of {parent.__qualname__}, whose {self._what} need not hold for it."
            if parent
            else ""
        )
        known = ", ".join(sorted({k.__qualname__ for k in self._entries}))
        raise self._error(
            f"No {self._what} for `{kind.__module__}.{kind.__qualname__}`.{near} "
            f"Register one for this exact type, or use one of: {known}."
        )

    def __contains__(self, kind: type) -> bool:
        return kind in self._entries

    def __iter__(self) -> Iterator[type]:
        return iter(self._entries)
