"""From a traced module to the steps of a plan."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from ntkit.kernels.infinite.activations import AbstractActivation
from ntkit.kernels.infinite.front.head_layouts import Layout, Scores
from ntkit.kernels.infinite.front.taken import Drawn, Features, Transform
from ntkit.kernels.infinite.front.trace import Traced, refuse
from ntkit.kernels.infinite.meanings import AbstractMeaning, meanings
from ntkit.kernels.infinite.program.op import Step
from ntkit.kernels.infinite.program.ops.concatenate import Concatenate
from ntkit.kernels.infinite.program.ops.points import TakePoints
from ntkit.kernels.infinite.program.units import Source, Units
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["Concat", "Pointwise", "Reader", "Reading", "is_size", "reads"]


@dataclass(frozen=True)
class Concat:
    """A concatenation of features, kept apart so that what acts on units can act on each part.

    Attributes:
        parts: The steps.
        weights: Their shares of the features.
    """

    parts: tuple[int, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Pointwise:
    """Units that are an elementwise function of Gaussian ones.

    Attributes:
        base: The step of the Gaussian units.
        dual: The function.
    """

    base: int
    dual: AbstractActivation


@dataclass
class Reader:
    """What the handlers of calls read from and write to.

    Attributes:
        traced: The module.
        sample: Shapes (and plain values) of each node for the points at hand.
        variances: Where those of plain layers come from.
        steps: What has been read, in order.
        states: For each node its step, or None where it depends on no weights.
        features: What steps take from the points, by the numbers that they have for it.
        concats: The steps that are concatenations.
        cuts: By step of a share of the channels, the step that it was taken from, where it begins and
            ends, and of how many.
        entries: By node, channel axis, positions and transform, the step that makes a state of its features.
        pointwise: The steps that are elementwise functions of one step of Gaussian units.
        shifted: The steps that are another one plus a constant.
        terms: For sums, the steps that were added and their factors.
        parameters: The nodes that are a bare parameter in some shape.
        layouts: The nodes whose channels are split into heads, or that are products of such.
        unbound: Of those, the nodes that are entries along an axis, and which.
        pieces: The nodes that split a tensor, which is the state that `states` has for them.
        drawn: By step, the numbers that it takes as draws.
        known_means: By step, for units that are numbers of the module's own, the number of these
            among the features.
        factors: For products, the steps that were multiplied.
        with_means: Whether shifts that are no zero-mean draws are taken with their mean.
    """

    traced: Traced
    sample: dict[fx.Node, Any]
    variances: Variances
    steps: list[Step] = field(default_factory=list)
    states: dict[fx.Node, int | None] = field(default_factory=dict)
    features: list[Features] = field(default_factory=list)
    concats: dict[int, Concat] = field(default_factory=dict)
    cuts: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    entries: dict[tuple[fx.Node, int, tuple[int, ...], str], int] = field(default_factory=dict)
    pointwise: dict[int, Pointwise] = field(default_factory=dict)
    shifted: dict[int, int] = field(default_factory=dict)
    terms: dict[int, dict[int, float]] = field(default_factory=dict)
    parameters: dict[fx.Node, nn.Parameter] = field(default_factory=dict)
    pieces: set[fx.Node] = field(default_factory=set)
    drawn: dict[int, Drawn] = field(default_factory=dict)
    factors: dict[int, tuple[int, ...]] = field(default_factory=dict)
    with_means: bool = True
    known_means: dict[int, int] = field(default_factory=dict)
    layouts: dict[fx.Node, Layout | Scores] = field(default_factory=dict)
    unbound: dict[fx.Node, int] = field(default_factory=dict)

    def name_of(self, node: fx.Node) -> str:
        """What the user calls the module of a node: without the container of a single layer."""
        name = str(node.target)
        wrapped = dict(self.traced.root.named_children()).get("0") is self.traced.body
        return name.removeprefix("0").lstrip(".") if wrapped else name

    def add(self, step: Step, drawn: Drawn | None = None, *, has_weights: bool = False) -> int:
        """File a step; its index.

        Args:
            step: It.
            drawn: The numbers that it takes as draws.
            has_weights: Whether its units depend on weights of its own.
        """
        index, units = len(self.steps), step.units
        if has_weights:
            units = replace(units, sources=units.sources | {Source(index)})
        gates = units.gates.union(*(self.units(k).gates for k in step.inputs))
        if gates:  # never forgotten: fresh weights make the channels independent of all but them
            units = replace(units, gates=gates, is_gaussian=False)
        if units is not step.units:
            step = replace(step, units=units)
        if drawn is not None:
            self.drawn[index] = drawn
        self.steps.append(step)
        return index

    def take(self, features: Features) -> int:
        """File a tensor that a step takes from the points; its number."""
        self.features.append(features)
        return len(self.features) - 1

    def shape(self, node: fx.Node) -> torch.Size:
        """The shape of a node's tensor, batch first."""
        return self.sample[node]

    def layer(self, node: fx.Node) -> nn.Module:
        """The module that a node calls."""
        return self.traced.layer(node)

    def state(self, node: Any) -> int | None:
        """The step of an argument, if it depends on weights."""
        return self.states.get(node) if isinstance(node, fx.Node) else None

    def units(self, index: int) -> Units:
        """What is known of a step's units."""
        return self.steps[index].units

    def argument(self, value: Any) -> Any:
        """An argument with plain values in place of the nodes that compute them."""
        return map_arg(value, lambda node: self.sample[node])

    def constant(self, node: fx.Node) -> Any:
        """What a node is for all points: a plain value, a buffer or what is made of them.

        Raises:
            ValueError: It is a tensor that depends on the points.
        """
        value = self.sample[node]
        if not isinstance(value, torch.Size) or is_size(node):
            return value
        if node.op == "placeholder" or self.states.get(node) is not None:
            raise ValueError(f"`{node.name}` differs from point to point")
        args, kwargs = map_arg((node.args, node.kwargs), lambda n: _in_double(self.constant(n)))
        return _in_double(self.traced.call(node, args, kwargs))

    def only_state(self, node: fx.Node) -> int:
        """The step of the one argument that depends on weights."""
        found = [self.states[n] for n in node.all_input_nodes if self.states.get(n) is not None]
        if len(found) != 1 or found[0] is None:
            refuse(node, "it takes several results of layers, and only one has a rule here.")
        return found[0]

    def entered(
        self,
        node: fx.Node,
        channel_axis: int,
        *,
        like: torch.Size | None = None,
        through: tuple[str, Transform] | None = None,
    ) -> int:
        """The state of an argument, made from the points' features where it depends on no weights.

        Args:
            node: The argument.
            channel_axis: Where its channels are.
            like: The shape that its positions are broadcast to.
            through: A function of the features `[n, *positions, f]` to apply first, and its name.
        """
        index = self.states.get(node)
        if index is not None:
            return index
        while node.op == "call_module" and type(self.layer(node)) is nn.Identity:
            (node,) = node.all_input_nodes
        shape = self.shape(node) if like is None else like
        axis = channel_axis % len(shape)
        positions = tuple(s for k, s in enumerate(shape) if k not in {0, axis})
        key = (node, axis, positions, "" if through is None else through[0])
        if key in self.entries:
            return self.entries[key]

        def repeated(z: Tensor) -> Tensor:
            return z.expand(len(z), *positions, z.shape[-1])

        transform = None if like is None or self.shape(node) == like else repeated
        transform = transform if through is None else through[1]
        number = self.take(Features(node, axis, len(shape), transform))
        units = Units(axis, positions, False, False, False, frozenset())
        index = self.add(TakePoints(f"points ({node.name})", (), units, number))
        self.entries[key] = index
        return index

    def per_part(self, index: int, each: Callable[[int], int]) -> int:
        """Apply what acts on each unit alone: to each part of a concatenation by itself."""
        concat = self.concats.get(index)
        if concat is None:
            return each(index)
        return self.join(tuple(each(part) for part in concat.parts), concat.weights)

    def join(self, parts: tuple[int, ...], weights: tuple[float, ...]) -> int:
        """File a concatenation of features; flattened units beside others count by their means."""
        every = [self.units(part) for part in parts]
        first = every[0]
        is_ragged = any((v.is_flat, v.positions) != (first.is_flat, first.positions) for v in every)
        units = Units(
            first.channel_axis,
            () if is_ragged else first.positions,
            first.is_flat and not is_ragged,
            False,
            all(v.is_centred for v in every),
            frozenset().union(*(v.sources for v in every)),
            is_alike=False,
        )
        back = "each" if is_ragged else "same"
        op = Concatenate("concatenation", parts, units, weights, is_ragged, back=back)
        index = self.add(op)
        self.concats[index] = Concat(parts, weights)
        return index


def is_size(node: fx.Node) -> bool:
    """Whether a node is a shape itself, not a tensor that the sample holds the shape of."""
    return node.target == "size" or (node.target is getattr and node.args[1] == "shape")


def _in_double(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().double() if value.is_floating_point() else value
    is_float = isinstance(value, torch.dtype) and value.is_floating_point
    return torch.float64 if is_float else value


Read = Callable[[Reader, fx.Node], int | None]
R = TypeVar("R", bound=Read)


@dataclass(frozen=True)
class Reading(AbstractMeaning):
    """A call that the front end reads by a function of its own.

    Attributes:
        read: Files the steps of a call: `read(reader, node)`, the last of them; None where it depends on no weights.
        of_points: Whether it acts on the points as on units, when it has no parameters either.
    """

    read: Read
    of_points: bool = False

    what: ClassVar[str] = "reading of the call"


def reads(*targets: Hashable, of_points: bool = False) -> Callable[[R], R]:
    """A decorator that files how calls are read: of module types, functions, and methods of tensors by name."""

    def file(read: R) -> R:
        meanings.file(Reading(read, of_points), *targets)
        return read

    return file
