"""Dropout: masks drawn anew for each input."""

from dataclasses import replace
from typing import Any

from torch import fx, nn
from torch.nn import functional

from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.scale import Mask

__all__: list[str] = []


@reads(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
def _by_module(reader: Reader, node: fx.Node) -> int:
    layer: Any = reader.layer(node)
    rate = layer.p if layer.training else 0.0
    return _dropped(reader, node, rate, whole_channels=not isinstance(layer, nn.Dropout))


@reads(functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d)
def _by_function(reader: Reader, node: fx.Node) -> int:
    names = ("input", "p", "training", "inplace")
    bound: dict[str, Any] = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    rate = bound.get("p", 0.5) if bound.get("training", True) else 0.0
    whole = node.target is not functional.dropout
    return _dropped(reader, node, rate, whole_channels=whole)


@reads(nn.AlphaDropout, nn.FeatureAlphaDropout)
def _off_in_eval(reader: Reader, node: fx.Node) -> int:
    layer: Any = reader.layer(node)
    if layer.training and layer.p > 0:
        refuse(node, f"`{layer}` in training mode has no rule. Call `module.eval()`.")
    return reader.only_state(node)


def _dropped(reader: Reader, node: fx.Node, rate: float, *, whole_channels: bool = False) -> int:
    """Masks drawn anew for each input: a unit's variance grows, its covariances stay.

    Args:
        reader: Where the steps are.
        node: The call.
        rate: Share of what is dropped.
        whole_channels: Whether all positions of a channel share their fate.
    """
    index = reader.only_state(node)
    if rate == 0:
        return index
    value = reader.units(index)
    if whole_channels and (value.channel_axis != 1 or value.is_flat):
        refuse(node, "it drops entries of axis 1, which are no channels here.")
    if rate >= 1:
        refuse(node, f"dropout with rate {rate:g} keeps no unit.")
    units = replace(value, is_gaussian=False)
    return reader.add(Mask(f"dropout({rate:g})", (index,), units, 1 - rate, whole_channels))
