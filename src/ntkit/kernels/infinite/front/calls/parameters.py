"""Bare parameters of a user's module: biases, embeddings of positions, scales, tokens; frozen ones."""

import operator
from collections.abc import Hashable
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import torch
from torch import fx, nn

from ntkit.kernels.infinite.activations.numerical.quadrature import Quadrature
from ntkit.kernels.infinite.front.calls.functions import identity
from ntkit.kernels.infinite.front.calls.pointwise import Stopped, raised
from ntkit.kernels.infinite.front.reader import Pointwise, Reader
from ntkit.kernels.infinite.front.taken import Drawn
from ntkit.kernels.infinite.front.trace import refuse
from ntkit.kernels.infinite.front.tracer import attribute
from ntkit.kernels.infinite.program.op import AbstractUnbound
from ntkit.kernels.infinite.program.ops.embed import AddTable, TakeToken, TrainTable
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.program.ops.scale import Detach, TrainedScale
from ntkit.kernels.infinite.program.units import Units
from ntkit.kernels.infinite.program.weights import Weights
from ntkit.kernels.infinite.rules.draws import of_matrix
from ntkit.kernels.infinite.rules.variances import mean_of, mean_square, spread_of

__all__ = [
    "detached",
    "is_known_table",
    "is_table",
    "known_table",
    "note_parameter",
    "scale",
    "shift",
    "token",
    "trained_table",
]

_SHAPES: set[Hashable] = {
    *(operator.getitem, torch.unsqueeze, torch.squeeze, torch.reshape, torch.permute),
    *(torch.transpose, torch.flatten),
    *("expand", "unsqueeze", "squeeze", "reshape", "view", "permute", "transpose", "flatten"),
    *("to", "type_as", "contiguous", "expand_as", "repeat", "unflatten"),
}
"""Calls that show the same numbers in another shape."""


def note_parameter(reader: Reader, node: fx.Node) -> None:
    """File a node that is a bare parameter in some shape; refuse all else that bare ones do to inputs."""
    if node.op == "get_attr":
        found = attribute(reader.traced.root, str(node.target))
        if isinstance(found, nn.Parameter):
            reader.parameters[node] = found
        return
    among = [n for n in node.all_input_nodes if n in reader.parameters]
    if not among or not isinstance(reader.sample[node], torch.Size):
        return
    first = node.args[0] if node.args else None
    if node.target in _SHAPES and first in reader.parameters:
        reader.parameters[node] = reader.parameters[among[0]]
        return
    if all(not reader.parameters[n].requires_grad for n in among):
        return  # as good as a buffer
    refuse(
        node,
        "a bare parameter acts on the inputs. Put it into a layer with a rule (`nn.Linear`, ...), "
        "make it a buffer, or freeze it.",
    )


def is_table(reader: Reader, node: fx.Node) -> bool:
    """File an `nn.Embedding` of fixed indices as what it is: a parameter's rows."""
    layer: Any = reader.layer(node)
    (argument,) = node.all_input_nodes or (None,)
    try:
        rows = None if argument is None else reader.constant(argument).flatten()
    except ValueError:
        return False
    if rows is None or layer.max_norm is not None or len(rows.unique()) < len(rows):
        return False
    if layer.padding_idx is not None and bool((rows == layer.padding_idx).any()):
        return False
    reader.parameters[node] = layer.weight
    return True


def detached(reader: Reader, index: int) -> int:
    """Without what the layers before add to the tangent kernel."""
    new = reader.add(Detach("detach", (index,), reader.units(index)))
    value, found = reader.units(index), reader.pointwise.get(index)
    if found is not None:
        reader.pointwise[new] = Pointwise(found.base, Stopped(found.dual))
    elif value.is_gaussian and value.is_centred:
        reader.pointwise[new] = Pointwise(index, Stopped(Quadrature(identity)))
    return new


def shift(reader: Reader, node: fx.Node, index: int, other: fx.Node, factor: float) -> int:
    """A bias of each channel, or a random embedding of each position, trained along.

    `cov <- cov + v`, for embeddings where a position meets itself. Biases of a mean that is none of
    chance have it added as a number.
    """
    parameter = reader.parameters[other]
    value, sizes = reader.units(index), _aligned(reader, node, index, other)
    name = name_of(reader, other)
    if all(s == 1 for k, s in enumerate(sizes) if k not in {0, value.channel_axis}):
        known = value.is_gaussian and value.is_centred and reader.with_means
        mean = mean_of(parameter) if known else 0.0
        step = BareShift(
            f"bias ({other.name})",
            (index,),
            value,
            parameter,
            factor,
            mean != 0,
            is_homogeneous=False,
        )
        new = reader.add(step, Drawn(name, parameter, "shift", mean), has_weights=True)
        return raised(reader, new, factor * mean) if mean else new
    table = BareTable(
        f"embedding of positions ({other.name})",
        (index,),
        value,
        parameter,
        factor,
        is_homogeneous=False,
    )
    return reader.add(table, Drawn(name, parameter, "table"), has_weights=True)


def is_known_table(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> bool:
    """Whether a bare parameter is a number for each position and channel that nobody drew: sinusoids."""
    sizes, axis = _aligned(reader, node, index, other), reader.units(index).channel_axis
    if not reader.with_means or prod(sizes[1:]) == sizes[axis]:
        return False
    return of_matrix(_by_position(reader, other, sizes, axis)) is not None


def known_table(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> int:
    """The state of such a table: its own Gram matrix over the channels, and its own means."""
    value = reader.units(index)

    def as_it_is(z: torch.Tensor) -> torch.Tensor:
        return z.detach().expand(len(z), *value.positions, z.shape[-1])

    entered = reader.entered(
        other,
        value.channel_axis,
        like=reader.shape(node),
        through=(f"{other.name} as it is", as_it_is),
    )

    op = reader.steps[entered]
    assert isinstance(op, TakePoints)
    reader.known_means[entered] = op.features
    return entered


def trained_table(reader: Reader, index: int, factor: float) -> int:
    """What a trained table itself adds to the tangent kernel: one where a position meets itself."""
    op = TrainTable("table of positions, trained", (index,), reader.units(index), factor**2)
    step = reader.add(op, has_weights=True)
    reader.terms[step] = reader.terms.get(index, {index: 1.0})
    return step


def _by_position(reader: Reader, node: fx.Node, sizes: list[int], axis: int) -> torch.Tensor:
    """The numbers of a bare parameter in some shape, `[positions, channels]`."""
    table = reader.constant(node).reshape(-1, *sizes[1:])[0]
    return table.movedim(axis - 1, -1).flatten(0, -2)


def name_of(reader: Reader, node: fx.Node) -> str:
    """The user's name of a bare parameter."""
    parameter = reader.parameters[node]
    names = (name for name, p in reader.traced.body.named_parameters() if p is parameter)
    return next(names, node.name)


def scale(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> int:
    """A factor of each channel, by its mean square: `cov <- v cov`, own part `cov`."""
    parameter = reader.parameters[other]
    if parameter.numel() == 1:
        refuse(
            node,
            "a single trained number scales all units, and its part of the tangent kernel does not "
            "settle with the width. Freeze it (`requires_grad_(False)`), or make it a number.",
        )
    value, sizes = reader.units(index), _aligned(reader, node, index, other)
    if value.is_flat or any(
        s != 1 for k, s in enumerate(sizes) if k not in {0, value.channel_axis}
    ):
        refuse(
            node,
            f"a parameter of shape {tuple(parameter.shape)} scales units of shape "
            f"{tuple(reader.shape(node))}; only one factor a channel has a rule.",
        )
    first = parameter.detach().flatten()
    even = bool((first.abs() == first[0].abs()).all())
    units = replace(value, is_gaussian=value.is_gaussian and even)
    return reader.add(
        BareScale(f"scale ({other.name})", (index,), units, parameter),
        Drawn(name_of(reader, other), parameter, "factor"),
        has_weights=True,
    )


def token(reader: Reader, node: fx.Node, other: fx.Node, beside: int, axis: int) -> int:
    """A bare parameter as units of its own, the same for all inputs (class tokens)."""
    parameter, shape = reader.parameters[other], reader.shape(other)
    positions = tuple(s for k, s in enumerate(shape) if k not in {0, axis})
    if prod(positions) * shape[axis] != parameter.numel():
        refuse(node, "a parameter that is repeated along positions has no rule.")
    units = Units(axis, positions, False, True, True, frozenset())
    return reader.add(
        BareToken(f"token ({other.name})", (beside,), units, parameter, is_homogeneous=False),
        Drawn(name_of(reader, other), parameter, "token"),
        has_weights=True,
    )


@dataclass(frozen=True)
class BareShift(AbstractUnbound):
    """A bias of each channel.

    Attributes:
        parameter: It.
        factor: What it is multiplied by.
        has_mean: Whether a later step adds its mean.
    """

    parameter: nn.Parameter
    factor: float
    has_mean: bool

    is_linear: ClassVar[bool] = True

    def bind(self) -> TrainedScale:
        """By its mean square, or what is left of it without the mean."""
        square = spread_of(self.parameter) if self.has_mean else mean_square(self.parameter)
        own = self.factor**2 * self.parameter.requires_grad
        weights = Weights(1.0, self.factor**2 * square, 0.0, own)
        return TrainedScale(*_same(self), weights, is_homogeneous=False)


@dataclass(frozen=True)
class BareTable(AbstractUnbound):
    """A random embedding of each position.

    Attributes:
        parameter: It.
        factor: What it is multiplied by.
    """

    parameter: nn.Parameter
    factor: float

    keeps_means: ClassVar[bool] = True

    def bind(self) -> AddTable:
        """By its mean square."""
        square = self.factor**2
        own = square * self.parameter.requires_grad
        return AddTable(*_same(self), square * mean_square(self.parameter), own)


@dataclass(frozen=True)
class BareScale(AbstractUnbound):
    """A factor of each channel.

    Attributes:
        parameter: It.
    """

    parameter: nn.Parameter

    is_linear: ClassVar[bool] = True

    def bind(self) -> TrainedScale:
        """By its mean square."""
        own = float(self.parameter.requires_grad)
        return TrainedScale(*_same(self), Weights(mean_square(self.parameter), 0.0, own, 0.0))


@dataclass(frozen=True)
class BareToken(AbstractUnbound):
    """A parameter as units of its own.

    Attributes:
        parameter: It.
    """

    parameter: nn.Parameter

    def bind(self) -> TakeToken:
        """By its mean square."""
        own = float(self.parameter.requires_grad)
        return TakeToken(*_same(self), mean_square(self.parameter), own)


def _same(step: AbstractUnbound) -> tuple[str, tuple[int, ...], Units]:
    """What a step has in common with the operation that it becomes."""
    return step.name, step.inputs, step.units


def _aligned(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> list[int]:
    """The sizes of a parameter along the axes of the units: one number a channel (and position)."""
    value, full, shape = reader.units(index), reader.shape(node), reader.shape(other)
    sizes = [1] * (len(full) - len(shape)) + list(shape)
    places = [k for k in range(1, len(full)) if k != value.channel_axis]
    positions = [sizes[k] for k in places]
    axis = value.channel_axis
    channels = sizes[axis] == (full[axis] if axis else 1)
    every = positions == [full[k] for k in places]
    numbers = prod(sizes[1:])
    repeated = numbers != reader.parameters[other].numel()
    sliced = repeated and numbers < reader.parameters[other].numel()
    if not channels or not (every or prod(positions) == 1) or (repeated and not sliced):
        refuse(
            node,
            f"a parameter of shape {tuple(shape)} acts on units of shape {tuple(full)}. It must have "
            "one number a channel, the same for all positions or for each position its own.",
        )
    return sizes
