"""The autograd graph of one run: each use of a parameter, and those that no rule holds for."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd.graph import GradientEdge

from ntkit._core.backward_graph import walk
from ntkit._core.torch_internals import saved, shape_of
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.rules import RULES, VIEWS, Operand
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.uses import AbstractUse

__all__ = ["Run"]


class Run:
    """One batch through the network, and what its graph says.

    Every edge into a parameter is seen: those that no rule claims put it into `unclaimed`.

    Args:
        y: The outputs, `[n, o]`.
        leaves: The parameters that they were computed with.

    Attributes:
        y: The outputs.
        uses: Uses of parameters, in the order of the walk.
        unclaimed: Why no rule holds, for parameters with such a use.
        nodes: The nodes of the graph, in the order of the walk.
        signature: Their names.
    """

    def __init__(self, y: Tensor, leaves: Sequence[Tensor]) -> None:
        self.y = y
        self._leaves = leaves
        self._places = {id(leaf): k for k, leaf in enumerate(leaves)}
        self._operands: dict[Any, Operand | None] = {}
        self.uses: list[AbstractUse] = []
        self.unclaimed: dict[int, str] = {}
        self.nodes: list[Any] = walk([y.grad_fn])
        self.signature: list[Any] = [node.name() for node in self.nodes]
        for node in self.nodes:
            if self.operand(node) is None:
                self._read(node)

    @classmethod
    def of(cls, target: Target, batch: Batch) -> "Run":
        """The network on a batch."""
        leaves = target.leaves()
        return cls(target.outputs(leaves, batch), leaves)

    def edges(self, uses: Sequence[AbstractUse]) -> list[GradientEdge]:
        """Where the gradients `g` of the uses are."""
        return [GradientEdge(use.node, 0) for use in uses]

    def _read(self, node: Any) -> None:
        operands = {}
        for place, (below, _) in enumerate(node.next_functions):
            operand = None if below is None else self.operand(below)
            if operand is not None:
                operands[place] = operand
        if not operands:
            return
        rule = RULES.get(node.name())
        use = None if rule is None else rule(node, operands)
        if use is not None:
            self.uses.append(use)
            return
        for operand in operands.values():
            self.unclaimed.setdefault(operand.param, f"used in {node.name()}")

    def operand(self, node: Any) -> Operand | None:
        """The parameter that a node hands on, if it is one, or a view or the transpose of one."""
        if node not in self._operands:
            self._operands[node] = self._resolved(node)
        return self._operands[node]

    def _resolved(self, node: Any) -> Operand | None:
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Tensor):
            place = self._places.get(id(leaf))
            return None if place is None else Operand(place, tuple(leaf.shape))
        is_view, is_turned = node.name() in VIEWS, _transposes(node)
        if not (is_view or is_turned):
            return None
        below = node.next_functions[0][0]
        inner = None if below is None else self.operand(below)
        if inner is None or inner.is_transposed or (is_turned and len(inner.shape) != 2):
            return None
        return Operand(inner.param, shape_of(node), is_turned)


def _transposes(node: Any) -> bool:
    """Whether a node exchanges the two axes of a matrix."""
    name = node.name()
    if name == "TransposeBackward0":
        return (saved(node, "dim0") - saved(node, "dim1")) % 2 == 1
    if name == "PermuteBackward0":
        return [d % 2 for d in saved(node, "dims")] == [1, 0]
    return name == "TBackward0"
