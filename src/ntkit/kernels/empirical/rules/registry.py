"""The table of rules, by the name of the node. Names are those of torch 2.6 to 2.13."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ntkit.kernels.empirical.uses import AbstractUse

__all__ = ["RULES", "VIEWS", "Operand", "rule"]

VIEWS = {
    "AliasBackward0",
    "ReshapeAliasBackward0",
    "SqueezeBackward0",
    "SqueezeBackward1",
    "SqueezeBackward2",
    "UnsafeViewBackward0",
    "UnsqueezeBackward0",
    "ViewBackward0",
}
"""Nodes that keep all entries, and their order."""


@dataclass(frozen=True)
class Operand:
    """A parameter as an operand of a node, possibly seen through views or one transposition.

    Attributes:
        param: Position of the parameter.
        shape: Shape in which it comes.
        is_transposed: Whether it is the parameter's transpose; else entries are in its order.
    """

    param: int
    shape: tuple[int, ...]
    is_transposed: bool = False


Rule = Callable[[Any, dict[int, Operand]], AbstractUse | None]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """File a rule: from a node and its operands that are parameters, by place, to their use.

    None says that the rule does not hold for this node.
    """

    def file(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return file
