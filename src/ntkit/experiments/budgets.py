"""Budgets as the command line takes them: steps, or a time."""

import re
from dataclasses import dataclass

from ntkit.tasks.budget import Budget, Optimiser

__all__ = ["Asked", "parse_budget"]

_OPTIMISERS: dict[str, Optimiser] = {"adam": "adam", "sgd": "sgd"}
_MOST_STEPS = 10**7
"""More is a slip of the keyboard: hours of the smallest network."""

_UNITS = {"s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_LONGEST = 7 * 24 * 3600.0
"""A week; more is a slip of the keyboard."""


@dataclass(frozen=True)
class Asked:
    """A budget, and the time that its steps are to take, if it was asked for as one.

    Attributes:
        budget: With one step where only the time is known.
        seconds: None for a number of steps.
    """

    budget: Budget
    seconds: float | None = None


def parse_budget(text: str, batch_size: int) -> Asked:
    """`"2000"`, `"adam:1e-3:2000"`, `"5min"` or `"adam:1e-3:5min"`.

    Raises:
        ValueError: The text has another form, or asks for too much.

    Example:
        >>> parse_budget("sgd:0.1:500", 4096).budget.lr
        0.1
        >>> parse_budget("1.5min", 4096).seconds
        90.0
    """
    parts = text.replace(" ", "").split(":")
    try:
        if len(parts) == 1:
            parts = ["adam", "1e-3", *parts]
        name, lr, amount = parts
        seconds = _seconds(amount)
        steps = int(amount) if seconds is None else 1
        found = (_OPTIMISERS[name.lower()], float(lr), steps)
    except (ValueError, KeyError):
        raise ValueError(
            f"`budget={text!r}` must be a number of steps or optimiser:rate:steps with adam or "
            "sgd, for example 2000 or adam:1e-3:2000; or a time in place of the steps, as 30s, 5min or 2h."
        ) from None
    if found[2] > _MOST_STEPS:
        raise ValueError(
            f"`budget={text!r}` asks for {found[2]:,} steps, which would take weeks. Ask for at most "
            f"{_MOST_STEPS:,}; most networks have learned what they can after some 10,000."
        )
    if seconds is not None and not 1 <= seconds <= _LONGEST:
        raise ValueError(f"`budget={text!r}` must be a time from 1 s to a week.")
    return Asked(Budget(*found, batch_size), seconds)


def _seconds(amount: str) -> float | None:
    """A time, None if it is none."""
    match = re.fullmatch(r"([0-9.]+)(s|sec|min|m|h)", amount)
    return float(match[1]) * _UNITS[match[2]] if match else None
