"""Aggregation over the nodes of a graph."""

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Aggregate"]


class Aggregate(nn.Module):
    """`pattern @ x`: each node becomes a sum of nodes, with weights that come with the graph.

    Source: Du et al. 2019 (arXiv:1905.13192), section 3.

    Example:
        >>> import torch
        >>> ring = torch.eye(4).roll(1, 0)[None]
        >>> Aggregate()(torch.arange(4.0).reshape(1, 4, 1), ring).flatten()
        tensor([3., 0., 1., 2.])
    """

    def forward(
        self, x: Float[Tensor, "n v c"], pattern: Float[Tensor, "n w v"]
    ) -> Float[Tensor, "n w c"]:
        """Features of nodes, channels last, and the pattern of each graph."""
        return pattern.to(x.dtype) @ x
