"""Calls of layer normalisation, over the channels and any positions beside them."""

import torch
from torch import Tensor, fx, nn

from ntkit.kernels.infinite.reader import Reader
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Step
from ntkit.kernels.infinite.trace import refuse
from ntkit.kernels.infinite.variances import mean_square

__all__ = ["layer_norm"]


def layer_norm(reader: Reader, node: fx.Node) -> int:
    """`cov <- cov / sqrt((var1 + eps)(var2 + eps))`; scale and shift contribute `cov + 1`.

    The variances are means over the normalised positions, and over all parts of a concatenation. The
    mean over many centred channels vanishes.

    Source: Yang 2019 (arXiv:1902.04760), section 4.
    """
    layer = reader.layer(node)
    assert isinstance(layer, nn.LayerNorm)
    (argument,) = node.all_input_nodes
    index = reader.state(argument)
    if index is None:
        return _of_points(reader, node, layer)
    value, ndim = reader.value(index), len(reader.shape(node))
    axes = range(ndim - len(layer.normalized_shape), ndim)
    if value.channel_axis not in axes:
        refuse(
            node,
            f"`{layer}` normalises over the axes {list(axes)}, and the channels are at axis "
            f"{value.channel_axis}. Only a mean over the channels has a limit.",
        )
    if not value.is_centred:
        refuse(
            node,
            f"`{layer}` takes off the mean over the channels, and these have one (they come out of a "
            "nonlinearity), which the covariance alone does not hold. Put it before the nonlinearity, "
            "or a layer with weights in between.",
        )
    kept = [k for k in range(1, ndim) if k != value.channel_axis]
    averaged = tuple(kept.index(k) for k in axes if k != value.channel_axis)
    if value.is_flat:
        averaged = tuple(range(len(value.positions)))
    concat = reader.concats.get(index)
    parts = concat.parts if concat else (index,)
    weights = concat.weights if concat else (1.0,)

    def normalised(part: int) -> int:
        place = parts.index(part)

        def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
            scales = [
                torch.stack([w * v for w, v in zip(weights, found, strict=True)]).sum(0) + layer.eps
                for found in (
                    [variance(s, first=True) for s in states],
                    [variance(s, first=False) for s in states],
                )
            ]
            state = states[place].normalised(scales[0], scales[1])
            return _scaled_and_shifted(layer, state)

        return reader.add(
            Step(str(layer), parts, run, reader.value(part), "variances", is_homogeneous=False)
        )

    def variance(state: PairState, *, first: bool) -> Tensor:
        table = state.var1 if first else state.var2
        assert table is not None
        k = len(state.positions)
        if not averaged or table.ndim < k + 2:
            return table
        shift = 0 if first or state.layout == "each" else k
        return table.mean([2 + shift + j for j in averaged], keepdim=True)

    return reader.per_part(index, normalised)


def _of_points(reader: Reader, node: fx.Node, layer: nn.LayerNorm) -> int:
    """Of raw input: a feature map, and the layer's own part `cov + 1`."""
    starts = layer.bias is None or bool((layer.bias == 0).all())
    if not (starts and bool((layer.weight == 1).all())):
        refuse(
            node,
            f"`{layer}` acts on raw input with scales and shifts that have been trained. Only those "
            "of its start, 1 and 0, have a rule there; or pass `elementwise_affine=False`.",
        )
    index = reader.entered(node, -1)
    return reader.apply(
        str(layer), index, lambda state: _scaled_and_shifted(layer, state), reader.value(index)
    )


def _scaled_and_shifted(layer: nn.LayerNorm, state: PairState) -> PairState:
    if layer.weight is None:
        return state
    return state.affine(
        mean_square(layer.weight),
        0.0 if layer.bias is None else mean_square(layer.bias),
        own_weight=1.0,
        own_bias=0.0 if layer.bias is None else 1.0,
    )
