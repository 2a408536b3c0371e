"""Bare parameters of a user's module: biases, embeddings of positions, scales, tokens; frozen ones."""

import operator
from collections.abc import Hashable
from dataclasses import replace
from math import prod
from typing import Any

import torch
from torch import fx, nn

from ntkit.kernels.infinite.activations.quadrature import Quadrature
from ntkit.kernels.infinite.branches import weighted_sum
from ntkit.kernels.infinite.calls.pointwise import Stopped, raised
from ntkit.kernels.infinite.evidence.draws import of_matrix
from ntkit.kernels.infinite.reader import Drawn, Pointwise, Reader
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.steps import Context, Demand, Source, Step, Value
from ntkit.kernels.infinite.trace import refuse
from ntkit.kernels.infinite.tracer import attribute
from ntkit.kernels.infinite.variances import mean_of, mean_square, spread_of

__all__ = [
    "detached",
    "is_known_table",
    "is_table",
    "known_table",
    "note_parameter",
    "scale",
    "shift",
    "token",
    "trained",
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


def trained(node: fx.Node, layer: nn.Module) -> tuple[bool, bool]:
    """Whether the weights and the biases of a layer are trained."""
    found = []
    for is_bias in (False, True):
        asks = {
            p.requires_grad for name, p in layer.named_parameters() if ("bias" in name) is is_bias
        }
        if len(asks) > 1:
            refuse(
                node,
                f"some weights of `{layer}` are frozen and others are not. Freeze all or none of them.",
            )
        found.append(asks != {False} and not node.meta.get("no_grad", False))
    return found[0], found[1]


def detached(reader: Reader, index: int) -> int:
    """Without what the layers before add to the tangent kernel."""

    def cut(state: PairState) -> PairState:
        return (
            state
            if state.ntk is None
            else replace(state, ntk=torch.zeros_like(state.cov), scales=0.0)
        )

    new = reader.apply("detach", index, cut, reader.value(index))
    value, found = reader.value(index), reader.pointwise.get(index)
    if found is not None:
        reader.pointwise[new] = Pointwise(found.base, Stopped(found.dual))
    elif value.is_gaussian and value.is_centred:
        reader.pointwise[new] = Pointwise(index, Stopped(Quadrature(lambda x: x)))
    return new


def shift(reader: Reader, node: fx.Node, index: int, other: fx.Node, factor: float) -> int:
    """A bias of each channel, or a random embedding of each position, trained along.

    `cov <- cov + v`, for embeddings where a position meets itself. Biases of a mean that is none of
    chance have it added as a number.
    """
    parameter = reader.parameters[other]
    value, sizes = reader.value(index), _aligned(reader, node, index, other)
    own = factor**2 * parameter.requires_grad
    place = len(reader.steps)
    if all(s == 1 for k, s in enumerate(sizes) if k not in {0, value.channel_axis}):
        known = value.is_gaussian and value.is_centred and reader.with_means
        mean = mean_of(parameter) if known else 0.0
        square = factor**2 * (spread_of(parameter) if mean else mean_square(parameter))
        reader.drawn[place] = Drawn(name_of(reader, other), parameter, "shift", mean)
        new = reader.apply(
            f"bias ({other.name})",
            index,
            lambda state: state.trained_scale(1.0, square, own_weight=0.0, own_bias=own),
            replace(value, sources=value.sources | {Source(place)}),
            is_homogeneous=False,
        )
        return raised(reader, new, factor * mean) if mean else new
    square = factor**2 * mean_square(parameter)
    reader.drawn[place] = Drawn(name_of(reader, other), parameter, "table")

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        return weighted_sum((states[0], _embedding(states[0], square, own)), (1.0, 1.0))

    new = replace(value, sources=value.sources | {Source(len(reader.steps))})
    name = f"embedding of positions ({other.name})"
    return reader.add(Step(name, (index,), run, new, is_homogeneous=False))


def is_known_table(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> bool:
    """Whether a bare parameter is a number for each position and channel that nobody drew: sinusoids."""
    sizes, axis = _aligned(reader, node, index, other), reader.value(index).channel_axis
    if not reader.with_means or prod(sizes[1:]) == sizes[axis]:
        return False
    return of_matrix(_by_position(reader, other, sizes, axis)) is not None


def known_table(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> int:
    """The state of such a table: its own Gram matrix over the channels, and its own means."""
    value, sizes = reader.value(index), _aligned(reader, node, index, other)

    def as_it_is(z: torch.Tensor) -> torch.Tensor:
        return z.detach().expand(len(z), *value.positions, z.shape[-1])

    entered = reader.entered(
        other,
        value.channel_axis,
        like=reader.shape(node),
        through=(f"{other.name} as it is", as_it_is),
    )

    def mean(var: torch.Tensor) -> torch.Tensor:
        """Of each position's channels, along the axes of positions that `var` has."""
        table = _by_position(reader, other, sizes, value.channel_axis).mean(1)
        k, tail = len(value.positions), var.shape[2:]
        front = len(tail) == 2 * k and tail[k:] == (1,) * k
        return table.to(var).reshape(*value.positions, *((1,) * k if front else ()))

    reader.known_means[entered] = mean
    return entered


def trained_table(reader: Reader, index: int, factor: float) -> int:
    """What a trained table itself adds to the tangent kernel: one where a position meets itself."""
    place, value = len(reader.steps), reader.value(index)

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        own = _embedding(states[0], 0.0, factor**2).ntk
        ntk = states[0].ntk
        return states[0] if ntk is None or own is None else replace(states[0], ntk=ntk + own)

    new = replace(value, sources=value.sources | {Source(place)})
    step = reader.add(Step("table of positions, trained", (index,), run, new, is_homogeneous=False))
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
    value, sizes = reader.value(index), _aligned(reader, node, index, other)
    if value.is_flat or any(
        s != 1 for k, s in enumerate(sizes) if k not in {0, value.channel_axis}
    ):
        refuse(
            node,
            f"a parameter of shape {tuple(parameter.shape)} scales units of shape "
            f"{tuple(reader.shape(node))}; only one factor a channel has a rule.",
        )
    square, own = mean_square(parameter), float(parameter.requires_grad)
    reader.drawn[len(reader.steps)] = Drawn(name_of(reader, other), parameter, "factor")
    first = parameter.detach().flatten()
    even = bool((first.abs() == first[0].abs()).all())
    new = replace(
        value,
        is_gaussian=value.is_gaussian and even,
        sources=value.sources | {Source(len(reader.steps))},
    )
    return reader.apply(
        f"scale ({other.name})",
        index,
        lambda state: state.trained_scale(square, 0.0, own_weight=own, own_bias=0.0),
        new,
    )


def token(reader: Reader, node: fx.Node, other: fx.Node, beside: int, axis: int) -> int:
    """A bare parameter as units of its own, the same for all inputs (class tokens)."""
    parameter, shape = reader.parameters[other], reader.shape(other)
    value = reader.value(beside)
    positions = tuple(s for k, s in enumerate(shape) if k not in {0, axis})
    if prod(positions) * shape[axis] != parameter.numel():
        refuse(node, "a parameter that is repeated along positions has no rule.")
    square, own = mean_square(parameter), float(parameter.requires_grad)

    def run(states: tuple[PairState, ...], context: Context, demand: Demand) -> PairState:
        state, k = states[0], len(value.positions)
        pairs = state.layout == "pairs"
        lead = state.cov.shape[: state.cov.ndim - (2 * k if pairs else k)]
        blank = state.cov.new_zeros(*lead, *positions, *(positions if pairs else ()))
        found = _embedding(replace(state, cov=blank, positions=positions), square, own)
        if state.var1 is None:
            return found
        ones = (1,) * k if pairs else ()
        var = square * blank.new_ones(1, 1, *positions)
        return replace(
            found,
            var1=var.reshape(1, 1, *positions, *ones),
            var2=var.reshape(1, 1, *ones, *positions),
            apart=None,
            together=None,
        )

    new = Value(axis, positions, False, True, True, frozenset({Source(len(reader.steps))}))
    reader.drawn[len(reader.steps)] = Drawn(name_of(reader, other), parameter, "token")
    return reader.add(Step(f"token ({other.name})", (beside,), run, new, is_homogeneous=False))


def _embedding(like: PairState, square: float, own: float) -> PairState:
    """Units that are drawn for each position and are the same for all inputs."""
    one = torch.ones_like(like.cov)
    whole = like.cov.new_ones(())
    table = replace(
        like,
        scales=0.0,
        cov=square * one,
        ntk=None if like.ntk is None else own * one,
        var1=None if like.var1 is None else square * whole,
        var2=None if like.var2 is None else square * whole,
        apart=None if like.apart is None else 0 * whole,
        together=None if like.apart is None else 4 * square * whole,
    )
    return table.decorrelated()


def _aligned(reader: Reader, node: fx.Node, index: int, other: fx.Node) -> list[int]:
    """The sizes of a parameter along the axes of the units: one number a channel (and position)."""
    value, full, shape = reader.value(index), reader.shape(node), reader.shape(other)
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
