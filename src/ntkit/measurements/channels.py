"""Columns as the channels of a batch, and back."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["Channels"]


@dataclass(frozen=True)
class Channels:
    """How columns `[o, ...]` fill batches `[b, count, ...]`: one after the other, one channel alone, or as two parts.

    Attributes:
        count: Channels of the batch.
        only: The channel that is filled, where it is a single one; the others are zero.
        is_complex: Whether two channels are real and imaginary part of one column.

    Example:
        >>> Channels(3).packed(torch.ones(4, 5)).shape
        torch.Size([2, 3, 5])
    """

    count: int
    only: int | None = None
    is_complex: bool = False

    def packed(self, columns: Shaped[Tensor, "o ..."]) -> Shaped[Tensor, "b c ..."]:
        """The batch; filled up with zeros where the columns do not suffice."""
        if self.is_complex:
            return torch.view_as_real(columns.resolve_conj()).movedim(-1, 1).contiguous()
        if self.only is not None:
            empty = columns.new_zeros(len(columns), self.count, *columns.shape[1:])
            empty[:, self.only] = columns
            return empty
        missing = -len(columns) % self.count
        padded = torch.cat([columns, columns.new_zeros(missing, *columns.shape[1:])])
        return padded.unflatten(0, (-1, self.count))

    def unpacked(self, batch: Shaped[Tensor, "b c ..."], n: int) -> Shaped[Tensor, "o ..."]:
        """The first `n` columns of a batch."""
        if self.is_complex:
            return torch.view_as_complex(batch.movedim(1, -1).contiguous())[:n]
        return (batch.flatten(0, 1) if self.only is None else batch[:, self.only])[:n]
