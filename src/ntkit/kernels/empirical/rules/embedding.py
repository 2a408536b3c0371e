"""Embeddings: the gradients of a sample's tokens, added up by token."""

from typing import Any

from torch import Tensor

from ntkit._core.torch_internals import saved
from ntkit.kernels.empirical.rules.registry import Operand, rule
from ntkit.kernels.empirical.sample_layout import SampleLayout
from ntkit.kernels.empirical.uses import AbstractUse

__all__ = ["EmbeddingUse"]


class EmbeddingUse(AbstractUse):
    """Rows of a table."""

    def __init__(self, node: Any, table: Operand) -> None:
        self.node = node
        self._table = table
        self.params: tuple[int, ...] = (table.param,)
        self.what = "embedding"

    def allows(self, layout: SampleLayout) -> bool:
        """Samples lie along an axis of the tokens."""
        return layout.axis < saved(self.node, "indices").ndim

    def jacobians(self, g: Tensor, layout: SampleLayout) -> list[Tensor]:
        """The gradient by the whole table."""
        vocabulary, width = self._table.shape
        tokens = layout.by_sample(saved(self.node, "indices")).flatten(1)  # [n, t]
        g = layout.by_sample(g, 1).flatten(2, -2)  # [o, n, t, width]
        kept = tokens != saved(self.node, "padding_idx")
        j = g.new_zeros(*g.shape[:2], vocabulary, width)
        places = tokens[None, :, :, None].expand_as(g)
        j.scatter_add_(2, places, g * kept[None, :, :, None])
        return [j.flatten(2)]


@rule("EmbeddingBackward0")
def embedding(node: Any, operands: dict[int, Operand]) -> AbstractUse | None:
    """The table at place 0."""
    plain = not saved(node, "scale_grad_by_freq") and not saved(node, "sparse")
    if set(operands) != {0} or operands[0].is_transposed or not plain:
        return None
    return EmbeddingUse(node, operands[0])
