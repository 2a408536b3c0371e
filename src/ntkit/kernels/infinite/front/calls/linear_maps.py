"""Calls that multiply positions by matrices: the same for all points, or of each point (graphs)."""

from dataclasses import replace
from typing import Any

from torch import fx

from ntkit.kernels.infinite.front.calls import shapes
from ntkit.kernels.infinite.front.reader import Reader, reads
from ntkit.kernels.infinite.front.taken import Features
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.program.ops.positions import MapByPoint
from ntkit.networks.aggregate import Aggregate

__all__ = ["aggregate", "matmul"]


@reads(Aggregate, of_points=True)
def aggregate(reader: Reader, node: fx.Node) -> int:
    """Sums of positions by matrices that come with the points: graphs.

    Source: Du et al. 2019 (arXiv:1905.13192), section 3.
    """
    layer: Any = reader.layer(node)
    assert isinstance(layer, Aggregate)
    bound = dict(zip(("x", "pattern"), node.args, strict=False)) | dict(node.kwargs)
    argument, pattern = bound["x"], bound["pattern"]
    assert isinstance(argument, fx.Node) and isinstance(pattern, fx.Node)
    index = reader.entered(argument, -1)
    count = len(reader.units(index).positions)
    axes = tuple(range(count)) if layer.axes is None else tuple(k - 1 for k in layer.axes)
    return _by_matrices(reader, node, index, pattern, axes, turned=False)


def matmul(reader: Reader, node: fx.Node) -> int:
    """A state times a matrix along its last or last but one axis, which must hold positions."""
    operands: list[Any] = [*node.args, *node.kwargs.values()]
    places = [k for k, n in enumerate(operands) if reader.state(n) is not None]
    if len(places) != 1 or len(operands) != 2:
        refuse(
            node,
            "a product of units with units (attention written by hand, pairwise interactions) has no "
            "rule. Use `ntkit.networks.SelfAttention` or `nn.MultiheadAttention`.",
        )
    (place,) = places
    matrix = operands[1 - place]
    try:
        reader.constant(matrix)
    except ValueError:
        pass
    else:
        return shapes.positions(reader, node)
    index = reader.only_state(node)
    value, ndim = reader.units(index), len(reader.shape(operands[place]))
    axis = ndim - (1 if place == 0 else 2)
    if axis == value.channel_axis or len(reader.shape(matrix)) != 3 or ndim != 3:
        refuse(
            node,
            "matrices that come with the points act on the positions of "
            "`[n, positions, channels]` from the left, or of `[n, channels, positions]` from the right.",
        )
    return _by_matrices(reader, node, index, matrix, (0,), turned=place == 0)


def _by_matrices(
    reader: Reader,
    node: fx.Node,
    index: int,
    pattern: fx.Node,
    axes: tuple[int, ...],
    *,
    turned: bool,
) -> int:
    """Positions `axes` times matrices `[n, *out, *in]` (`turned`: `[n, *in, *out]`) of the points."""
    value = reader.units(index)
    if value.is_flat or not value.positions or reader.states.get(pattern) is not None:
        refuse(node, "it takes units `[n, *positions, channels]` and a pattern from the input.")
    sizes = list(value.positions)
    shape, k = reader.shape(pattern), len(axes)
    for axis, size in zip(axes, shape[1 + (k if turned else 0) :], strict=False):
        sizes[axis] = size
    number = reader.take(Features(pattern, None))
    units = replace(value, positions=tuple(sizes))
    return reader.add(MapByPoint("aggregate", (index,), units, number, axes, turned))
