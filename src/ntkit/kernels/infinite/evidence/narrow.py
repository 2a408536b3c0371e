"""Hidden layers so narrow that a kernel of infinite width says little about them."""

from math import prod

from torch import nn

from ntkit._core.outside import warn
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.program.ops.points import TakePoints

__all__ = ["check_width"]

_NARROW = 16
"""Units below which the error, about one over their root, is over a quarter."""


def check_width(lowered: Lowered) -> str | None:
    """Warn of plain layers (standard parametrisation) that are fed by few hidden units.

    There the width enters the value: the layer's own part of the tangent kernel is in proportion to
    it, and the variances are read from few weights. In the NTK parametrisation neither holds.

    Returns:
        The name of the first one; None if there is none.
    """
    for place, drawn in lowered.drawn.items():
        layer = drawn.owner
        if drawn.kind != "layer" or not type(layer).__module__.startswith("torch."):
            continue
        source = lowered.steps[lowered.steps[place].inputs[0]]
        if isinstance(source, TakePoints):
            continue  # the points' own features, of any number
        width = _inputs(layer)
        value = source.units
        width = width // max(1, prod(value.positions)) if value.is_flat else width
        if 0 < width < _NARROW:
            warn(
                f"`{drawn.name}` is fed by {width} hidden units: its kernel is the leading order in the "
                "width, with variances measured from few weights, and networks so narrow are off by "
                f"about {100 * width**-0.5:.0f} %. Take {_NARROW} units or more, "
                "`ntkit.networks.Linear` (NTK parametrisation), or `ntkit.empirical_ntk`."
            )
            return drawn.name
    return None


def _inputs(layer: object) -> int:
    """The channels that a unit sums."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    if isinstance(layer, nn.MultiheadAttention):
        return layer.embed_dim
    channels, groups = getattr(layer, "in_channels", 0), getattr(layer, "groups", 1)
    return channels if groups == channels else channels // groups
