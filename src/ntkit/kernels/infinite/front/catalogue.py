"""What the infinite-width limit covers, read off the table of meanings: the tables of `docs/infinite.md`."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from ntkit.kernels.infinite.activations import HasDual, Quadrature, duals
from ntkit.kernels.infinite.front.reader import Reading
from ntkit.kernels.infinite.meanings import NoLimit, meanings
from ntkit.kernels.infinite.rules.kinds import Attends, Normalises, Pools
from ntkit.kernels.infinite.rules.registry import HasRule
from ntkit.networks import activations

__all__ = ["catalogue"]

_BY_HAND: dict[type[nn.Module], Callable[[], nn.Module]] = {
    nn.Threshold: lambda: nn.Threshold(0.0, 0.0),
    activations.Polynomial: lambda: activations.Polynomial([0.0, 1.0]),
    activations.Hermite: lambda: activations.Hermite(2),
    activations.RectifiedMonomial: lambda: activations.RectifiedMonomial(2),
    activations.Elementwise: lambda: activations.Elementwise(abs, (0.0,)),
}
"""Instances of the activations that need arguments."""


_HOMES = {"torch.nn.": "nn", "ntkit.networks.": "ntkit.networks"}


def catalogue() -> str:
    """Markdown tables of the layers and activations that `ntkit.ntk` follows, and those it refuses.

    Layers and activations of third parties, once registered, stand in them too (activations as if by
    quadrature).

    Example:
        >>> "`nn.Conv1d/2d/3d`" in catalogue()
        True
    """
    closed, numerical = [], []
    for kind in meanings.types(HasDual):
        if not kind.__module__.startswith((*_HOMES,)):
            numerical.append(kind)
            continue
        make: Callable[[], Any] = _BY_HAND.get(kind, kind)
        layer = make().eval()
        dual = duals[layer](layer)
        (numerical if isinstance(dual, Quadrature) else closed).append(kind)
    rows = [
        ("layers with a rule", _names(meanings.types(HasRule))),
        ("followed by their action", _names(meanings.types(Reading, Pools, Normalises, Attends))),
        ("activations in closed form", _names(closed)),
        ("activations by quadrature", _names(numerical)),
    ]
    table = ["| what | modules |", "|---|---|", *(f"| {what} | {names} |" for what, names in rows)]
    reasons: dict[str, list[type]] = {}
    for kind in meanings.types(NoLimit):
        reasons.setdefault(getattr(meanings.get(kind), "why", ""), []).append(kind)
    refused = ["| refused | why, and what instead |", "|---|---|"]
    refused += [f"| {_names(kinds)} | {why} |" for why, kinds in reasons.items()]
    return "\n".join([*table, "", *refused])


def _names(kinds: Iterable[type]) -> str:
    """Of the modules, torch's first; those that differ in the number of axes together."""
    axes: dict[tuple[bool, str], list[str]] = {}
    for kind in kinds:
        home = kind.__module__
        home = next((short for root, short in _HOMES.items() if home.startswith(root)), home)
        stem, digit = re.fullmatch(r"(.*?)(\dd)?", kind.__name__).groups()  # type: ignore[union-attr]
        axes.setdefault((home != "nn", f"{home}.{stem}"), []).append(digit or "")
    return ", ".join(f"`{name}{'/'.join(sorted(axes[_, name]))}`" for _, name in sorted(axes))
