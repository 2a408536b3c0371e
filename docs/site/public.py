"""The public names of ntkit: what `ntkit` and its namespaces list in `__all__`, each with the place it is described at."""

import ast
import inspect
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from sphinx.ext.autodoc.mock import mock  # pyright: ignore[reportPrivateImportUsage]

import ntkit

NOT_NEEDED = ["deepinv"]
"""Packages that a public name stands on, and that its description does without."""


class Public(NamedTuple):
    """A public name, the object behind it, and its docstring."""

    name: str
    value: object
    doc: str

    @property
    def is_plain(self) -> bool:
        """Whether it is a value, whose docstring stands below its assignment."""
        return not (inspect.isclass(self.value) or inspect.isroutine(self.value))


def namespaces() -> list[ModuleType]:
    """`ntkit`, and the modules that it lists."""
    below = [getattr(ntkit, name) for name in ntkit.__all__]
    return [ntkit, *(m for m in below if inspect.ismodule(m))]


@cache
def everything() -> dict[str, list[Public]]:
    """By namespace, what is described there: an object of several names at the deepest one."""
    found = {space.__name__: list(_of(space)) for space in namespaces()}
    deeper = {id(p.value) for space, names in found.items() if space != "ntkit" for p in names}
    found["ntkit"] = [p for p in found["ntkit"] if id(p.value) not in deeper]
    return found


@cache
def homes() -> dict[str, str]:
    """From each public name in full to the one that it is described by."""
    by_identity = {id(p.value): p.name for names in everything().values() for p in names}
    return {p.name: by_identity[id(p.value)] for space in namespaces() for p in _of(space)}


@cache
def by_module() -> dict[str, str]:
    """From the names that classes and functions have in their own files to those that they are described by."""
    return {
        f"{p.value.__module__}.{getattr(p.value, '__qualname__', None)}": p.name
        for names in everything().values()
        for p in names
        if not p.is_plain
    }


def _of(space: ModuleType) -> Iterator[Public]:
    for name in space.__all__:
        with mock(NOT_NEEDED):
            value = getattr(space, name)
        if not inspect.ismodule(value):
            public = Public(f"{space.__name__}.{name}", value, "")
            doc = _below(space, name) if public.is_plain else inspect.getdoc(value)
            yield public._replace(doc=doc or "")


def _below(space: ModuleType, name: str) -> str | None:
    """The string that stands below the assignment of a value, in any file of its package."""
    assert space.__file__ is not None
    for path in sorted(Path(space.__file__).parent.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for line, after in pairwise(body):
            targets = (
                line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            )
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                match after:
                    case ast.Expr(ast.Constant(str(text))):
                        return inspect.cleandoc(text)
    return None
