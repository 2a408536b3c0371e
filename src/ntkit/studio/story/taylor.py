"""A network and its first-order Taylor expansion, as the weights walk away from where they began."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.dynamics import GradientFlow, walk
from ntkit.grids import Grid
from ntkit.kernels import empirical_ntk
from ntkit.networks import Linear
from ntkit.studio.asks import Ask, Reply, number, numbers
from ntkit.studio.desk import Desk

__all__ = ["ASKS", "ENOUGH", "SHARES", "network", "samples"]

ENOUGH = 100.0
"""Gradient-flow time after which the weights of the linearised network are the end of the walk."""

SHARES = (0.01, 0.03, 0.1, 0.3, 0.6, 1.0, 1.3)
"""Of the walk, at which the gap is drawn."""

PLACES = Grid(61, origin=-1.25, spacing=2.5 / 60)
"""Where functions of one coordinate are drawn."""


def network(width: int, seed: int = 0) -> nn.Sequential:
    """One hidden layer of smooth units, in the NTK parametrisation."""
    g = torch.Generator().manual_seed(seed)
    hidden = Linear(1, width, w_std=2.0, b_std=1.0, generator=g)
    return nn.Sequential(hidden, nn.Tanh(), Linear(width, 1, b_std=0.1, generator=g)).double()


def samples(values: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The points that are dragged, as columns.

    Raises:
        ValueError: There are not as many heights as points.
    """
    across = numbers(values, "x", -1.25, 1.25, most=12)
    heights = numbers(values, "y", -2.0, 2.0, most=12)
    if len(across) != len(heights):
        raise ValueError("`x` and `y` must be equally many.")
    x, y = (torch.as_tensor(each, dtype=torch.float64)[:, None] for each in (across, heights))
    return x, y


def expand(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """Both functions at a share of the walk, and the gap between them at others."""
    width = round(number(values, "width", 2, 4096))
    share = number(values, "share", 0, 2)
    x, y = samples(values)
    places = PLACES.points()
    seed = round(number(values, "seed", 0, 1e6))
    net = network(width, seed)
    drawn = (*x.flatten().tolist(), *y.flatten().tolist())
    end, gaps = desk.drawer("taylor").kept((width, seed, *drawn), lambda: _end(net, x, y, places))
    way = walk(net, end, places, [0.0, share, share / 2])
    yield Reply({
        "places": places[:, 0].tolist(),
        "start": way.network[0, :, 0].tolist(),
        "network": way.network[1, :, 0].tolist(),
        "expansion": way.expansion[1, :, 0].tolist(),
        "gap": float(way.gap[1]),
        "half": float(way.gap[2]),
        "shares": SHARES,
        "gaps": gaps,
        "width": width,
        "share": share,
    })


def _end(
    net: nn.Module, x: Tensor, y: Tensor, places: Tensor
) -> tuple[dict[str, Tensor], list[float]]:
    """The weights at the end of the walk, and the gap on the way to it."""
    end = GradientFlow(empirical_ntk(net), x, y, f0=net).weights(ENOUGH)
    return end, walk(net, end, places, SHARES).gap.tolist()


ASKS: Mapping[str, Ask] = {"expand": Ask(expand)}
