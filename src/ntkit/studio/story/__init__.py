"""The steps of the story, one file each: found by its name, told in this order."""

from collections.abc import Mapping
from importlib import import_module

from ntkit.studio.asks import Ask

__all__ = ["ORDER", "asks_of"]

ORDER = (
    *("line", "lift", "trick", "taylor", "lazy", "ntk", "modes", "bias", "fourier", "bandwidth"),
)
"""The steps as the page tells them; each is a file here and one in `web/src/story`."""


def asks_of(step: str) -> Mapping[str, Ask]:
    """What a step can be asked, by name.

    Raises:
        ValueError: There is no such step.
    """
    if step not in ORDER:
        raise ValueError(f"There is no step of this name; there are {', '.join(ORDER)}.")
    return import_module(f"{__name__}.{step}").ASKS
