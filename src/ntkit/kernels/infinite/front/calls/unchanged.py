"""Calls that leave units as they are, or that tell of a tensor without its entries."""

import torch
from torch import fx, nn

from ntkit.kernels.infinite.front.calls import parameters, shapes
from ntkit.kernels.infinite.front.reader import Reader, is_size, reads

__all__: list[str] = []


@reads(nn.Identity, torch.clone, "clone", "contiguous", "requires_grad_")
def _same(reader: Reader, node: fx.Node) -> int:
    return reader.only_state(node)


@reads(torch.detach, "detach")
def _detached(reader: Reader, node: fx.Node) -> int:
    return parameters.detached(reader, reader.only_state(node))


@reads(torch.zeros_like, torch.ones_like)
def _no_state(reader: Reader, node: fx.Node) -> None:
    """Tensors of one number, whatever they are like."""


@reads(getattr)
def _attribute(reader: Reader, node: fx.Node) -> int | None:
    """`x.mT` and the like are transposes; sizes are plain values."""
    if isinstance(reader.sample[node], torch.Size) and not is_size(node):
        return shapes.transpose(reader, node)
    return None
