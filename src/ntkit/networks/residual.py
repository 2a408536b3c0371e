"""A coordinate network with residual blocks."""

from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.checks import positive_int
from ntkit.encodings.base import AbstractEncoding, checked_encoding
from ntkit.networks.draws import uniform_linear

__all__ = ["ResidualBlock", "residual"]


class ResidualBlock(nn.Module):
    """`x + outer(relu(inner(relu(x))))`: two layers behind their activations, and the way past them.

    Args:
        width: Units in and out.
        generator: Source of the initial weights, of PyTorch's default law.

    Source: He et al. 2016 (arXiv:1603.05027), "full pre-activation", without normalisation.

    Example:
        >>> ResidualBlock(8)(torch.zeros(5, 8)).shape
        torch.Size([5, 8])
    """

    def __init__(self, width: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        width = positive_int("width", width)
        self.inner: nn.Linear = uniform_linear(width, width, generator)
        self.outer: nn.Linear = uniform_linear(width, width, generator)

    def forward(self, x: Tensor | fx.Proxy) -> Any:
        """The input and what the two layers add to it; also followed by `torch.fx`, as `ntkit.ntk` does."""
        units: Any = x
        return units + self.outer(torch.relu(self.inner(torch.relu(units))))


def residual(
    encoding: AbstractEncoding,
    out_dim: int,
    *,
    width: int = 256,
    depth: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`encoding`, a linear layer, `depth` residual blocks of two layers each, ReLU, a linear read-out.

    Args:
        encoding: First module.
        out_dim: Number of outputs.
        width: Units of each layer.
        depth: Number of residual blocks.
        generator: Source of the initial weights, of PyTorch's default law.

    Source: He et al. 2016 (arXiv:1603.05027), figure 4 e.

    Example:
        >>> from ntkit.encodings import Basic
        >>> residual(Basic(2), 3, width=16, depth=2)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """
    width, depth = positive_int("width", width), positive_int("depth", depth)
    checked_encoding("encoding", encoding)
    layers: list[nn.Module] = [encoding, uniform_linear(encoding.out_dim, width, generator)]
    layers += [ResidualBlock(width, generator=generator) for _ in range(depth)]
    layers += [nn.ReLU(), uniform_linear(width, positive_int("out_dim", out_dim), generator)]
    return nn.Sequential(*layers)
