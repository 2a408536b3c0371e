"""What a view can be asked, and what it answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from ntkit.studio.desk import Desk

__all__ = ["Ask", "Reply", "number", "numbers", "one_of"]


@dataclass(frozen=True)
class Reply:
    """What is sent to the page, whole or so far: a later one of the same request replaces it.

    Attributes:
        content: What JSON can hold.
        arrays: Pictures and curves, by name.
    """

    content: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One thing that a view can be asked.

    Attributes:
        answer: Yields replies, the last of them whole. Where it yields, it may be told to stop.
        is_long: Whether it takes more than some tens of milliseconds: then it runs beside what is short.
    """

    answer: Callable[[Desk, Mapping[str, Any]], Iterator[Reply]]
    is_long: bool = False


def number(values: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """A number that the page sent.

    Raises:
        ValueError: It is none, or out of range.
    """
    found = values.get(name)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -inf < found < inf:
        raise ValueError(f"`{name}` must be a number.")
    if not low <= found <= high:
        raise ValueError(f"`{name}` must be from {low:g} to {high:g}.")
    return float(found)


def numbers(
    values: Mapping[str, Any], name: str, low: float, high: float, *, most: int
) -> list[float]:
    """Some numbers that the page sent: what is dragged stays in range.

    Raises:
        ValueError: They are none, too many, or out of range.
    """
    found = values.get(name)
    if not isinstance(found, list) or not 1 <= len(found) <= most:
        raise ValueError(f"`{name}` must be a list of 1 to {most} numbers.")
    return [number({name: each}, name, low, high) for each in found]


def one_of(values: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> str:
    """A word that the page sent.

    Raises:
        ValueError: It is none of the choices.
    """
    found = values.get(name)
    if found not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}.")
    return str(found)
