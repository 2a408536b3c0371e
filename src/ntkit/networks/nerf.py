"""NeRF's network: a deep MLP that sees its encoding a second time, with colour that depends on the view."""

from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.checks import kind_of, positive_int, whole
from ntkit.encodings.base import AbstractEncoding, checked_encoding
from ntkit.networks.draws import glorot_linear

__all__ = ["SkipMLP", "ViewMLP", "nerf"]


class SkipMLP(nn.Module):
    """An encoding and hidden ReLU layers, one of which hears the encoding beside the layer before it.

    Args:
        encoding: Of the points.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        skip: The features are concatenated to the activations of this layer, counted from 1; 0 for none.
        generator: Source of the initial weights.

    Raises:
        ValueError: `skip` is not below `depth`.

    Attributes:
        width: Units of the output, the last layer's activations.

    Example:
        >>> from ntkit.encodings import NeRF
        >>> SkipMLP(NeRF(3, 10), width=16, depth=8, skip=5)(torch.zeros(5, 3)).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        encoding: AbstractEncoding,
        *,
        width: int = 256,
        depth: int = 8,
        skip: int = 5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.width: int = positive_int("width", width)
        depth = positive_int("depth", depth)
        self.skip: int = whole("skip", skip)
        if not 0 <= self.skip < depth:
            raise ValueError(
                f"`skip={skip}` must be a layer before the last of `depth={depth}`. Pass `skip=0` for none."
            )
        self.encoding: AbstractEncoding = checked_encoding("encoding", encoding)
        sizes = [encoding.out_dim] + [self.width] * (depth - 1)
        if self.skip:
            sizes[self.skip] += encoding.out_dim
        self.layers: nn.ModuleList = nn.ModuleList(
            glorot_linear(n, self.width, generator) for n in sizes
        )

    def forward(self, x: Tensor | fx.Proxy) -> Any:
        """The activations of the last hidden layer; also followed by `torch.fx`."""
        features: Any = self.encoding(x)
        hidden = features
        for k, layer in enumerate(self.layers):
            if k and k == self.skip:
                hidden = torch.cat([hidden, features], -1)
            hidden = torch.relu(layer(hidden))
        return hidden


class ViewMLP(nn.Module):
    """Density from the points alone, colours from points and view directions: `[..., d + e]` to `[..., o]`.

    The density (output 0) is a linear read-out of the trunk. A linear layer of the trunk's width, beside the
    encoded direction, goes through one more ReLU layer of half the width to the other outputs.

    Args:
        trunk: Of the points, the first `trunk.encoding.in_dim` columns.
        directions: Encoding of the others.
        out_dim: Outputs, the density first.
        generator: Source of the initial weights.

    Raises:
        TypeError: `trunk` is no `SkipMLP`.
        ValueError: `out_dim` leaves no colour.

    Example:
        >>> from ntkit.encodings import NeRF
        >>> network = ViewMLP(SkipMLP(NeRF(3, 10), width=16), NeRF(3, 4), 4)
        >>> network(torch.zeros(5, 6)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        trunk: SkipMLP,
        directions: AbstractEncoding,
        out_dim: int,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(trunk, SkipMLP):
            raise TypeError(f"`trunk` must be a SkipMLP, got {kind_of(trunk)}.")
        checked_encoding("directions", directions)
        if positive_int("out_dim", out_dim) < 2:
            raise ValueError(
                f"`out_dim={out_dim}` leaves no colour beside the density. Pass 4, or leave `directions` out."
            )
        width, half = trunk.width, max(1, trunk.width // 2)
        self.trunk = trunk
        self.directions = directions
        self.in_dim: int = trunk.encoding.in_dim
        self.density: nn.Linear = glorot_linear(width, 1, generator)
        self.feature: nn.Linear = glorot_linear(width, width, generator)
        self.view: nn.Linear = glorot_linear(width + directions.out_dim, half, generator)
        self.colour: nn.Linear = glorot_linear(half, out_dim - 1, generator)

    def forward(self, x: Tensor | fx.Proxy) -> Any:
        """Density before its activation, then colours before theirs; also followed by `torch.fx`."""
        columns: Any = x
        hidden = self.trunk(columns[..., : self.in_dim])
        seen = torch.cat([self.feature(hidden), self.directions(columns[..., self.in_dim :])], -1)
        return torch.cat([self.density(hidden), self.colour(torch.relu(self.view(seen)))], -1)


def nerf(
    encoding: AbstractEncoding,
    out_dim: int = 4,
    *,
    directions: AbstractEncoding | None = None,
    width: int = 256,
    depth: int = 8,
    skip: int = 5,
    generator: torch.Generator | None = None,
) -> nn.Module:
    """NeRF's network: 8 ReLU layers of 256 units, the encoding concatenated once more to the fifth's activations.

    Args:
        encoding: Of the points; NeRF's has ten octaves, `ntkit.encodings.NeRF(3, 10, include_input=True)`.
        out_dim: Outputs: the density (before its activation) first, then colours.
        directions: Encoding of view directions (NeRF's has four octaves), which stand behind the points,
            `[n, 3 + 3]`; the colours then depend on them, by a branch of one more ReLU layer. Left out, all
            outputs are linear read-outs of the last hidden layer.
        width: Units of each hidden layer.
        depth: Number of hidden layers.
        skip: Layer to whose activations the encoding is concatenated, counted from 1; 0 for none.
        generator: Source of the initial weights.

    Weights are `U(-c, c)` with `c = sqrt(6 / (fan_in + fan_out))` and biases zero, as the published code has
    them (Glorot and Bengio 2010, the default of Keras).

    Source: Mildenhall et al. 2020 (arXiv:2003.08934), section 3 and figure 7 of the supplement.

    Example:
        >>> from ntkit.encodings import NeRF
        >>> nerf(NeRF(3, 10), width=16)(torch.zeros(5, 3)).shape
        torch.Size([5, 4])
        >>> nerf(NeRF(3, 10), directions=NeRF(3, 4), width=16)(torch.zeros(5, 6)).shape
        torch.Size([5, 4])
    """
    trunk = SkipMLP(encoding, width=width, depth=depth, skip=skip, generator=generator)
    if directions is not None:
        return ViewMLP(trunk, directions, out_dim, generator=generator)
    out = glorot_linear(trunk.width, positive_int("out_dim", out_dim), generator)
    return nn.Sequential(trunk, out)
