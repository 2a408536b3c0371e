"""The views of the studio, one file each: found by its name."""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from ntkit.studio.asks import Ask

__all__ = ["NAMES", "asks_of"]

NAMES = tuple(sorted(module.name for module in iter_modules(__path__)))
"""What views there are."""


def asks_of(view: str) -> Mapping[str, Ask]:
    """What a view can be asked, by name.

    Raises:
        ValueError: There is no such view.
    """
    if view not in NAMES:
        raise ValueError(f"There is no view of this name; there are {', '.join(NAMES)}.")
    return import_module(f"{__name__}.{view}").ASKS
