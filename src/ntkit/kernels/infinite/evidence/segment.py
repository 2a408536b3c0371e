"""What the units of first layers go through up to fresh weights, run as the module's own forward does."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_arg

from ntkit._core.chance import seeded
from ntkit._core.copies import Copier
from ntkit.kernels.infinite.evidence.first_layers import CONVOLUTIONS, FirstLayer
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.program import demands
from ntkit.kernels.infinite.program.units import Demand
from ntkit.kernels.infinite.rules.normalisation import keeps_units

__all__ = ["End", "Segment", "segment"]

_ROWS = 64
"""Points and positions between which moments are looked at."""

_PRODUCTS = frozenset({"matmul", "bmm", "einsum", "scaled_dot_product_attention"})


@dataclass(frozen=True)
class End:
    """Units that layers with fresh weights take: of them only the second moments count.

    Attributes:
        node: Which.
        axis: Of their channels.
        keeps_pairs: Whether moments of different positions count as well.
        firsts: The first layers that they come from.
    """

    node: fx.Node
    axis: int
    keeps_pairs: bool
    firsts: tuple[FirstLayer, ...]

    def moments(self, units: Tensor, count: int) -> Tensor:
        """Second moments of the units `[n * networks, ...]` of some networks, `[groups, rows, rows]`.

        Rows are points, and groups some of their positions; or rows are both.
        """
        units = units.movedim(self.axis, -1)
        units = units.reshape(len(units) // count, count, -1, units.shape[-1])
        n, _, positions, _ = units.shape
        few = min(positions, max(1, _ROWS // n if self.keeps_pairs else _ROWS))
        spread = torch.linspace(0, positions - 1, few).long()  # no column of an image alone
        table = units[:, :, spread].double().transpose(1, 2).flatten(2)
        table = table.flatten(0, 1)[None] if self.keeps_pairs else table.transpose(0, 1)
        return table @ table.mT / table.shape[-1]


@dataclass(frozen=True)
class Segment:
    """The calls between first layers and fresh weights.

    Attributes:
        traced: The module.
        firsts: The layers.
        nodes: The calls, in order; the first layers among them.
        ends: What comes out.
    """

    traced: Traced
    firsts: tuple[FirstLayer, ...]
    nodes: tuple[fx.Node, ...]
    ends: tuple[End, ...]

    def copied(self) -> "Segment":
        """The same of a copy of the module, whose buffers and attributes its runs may write into."""
        copier = Copier(lambda t: t if isinstance(t, nn.Parameter) else t.clone())
        traced = replace(self.traced, root=copier(self.traced.root), body=self.traced.body)
        return replace(self, traced=traced)

    def moments(self, inputs: Sequence[Tensor], tables: Mapping[str, Tensor]) -> list[Tensor]:
        """The second moments of the units at each end, over many networks (see `End.moments`).

        Each network is a point of its own to all calls but the first layers: points do not mix. The
        random state is left as it was; masks of dropout are the same at every call.

        Args:
            inputs: Points, one tensor an input, `[n, ...]`.
            tables: By the name of a first layer, its draws (see `FirstLayer.drawn`).
        """
        with torch.no_grad(), seeded(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._moments(inputs, tables)

    def _moments(self, inputs: Sequence[Tensor], tables: Mapping[str, Tensor]) -> list[Tensor]:
        first = self.firsts[0]
        count = len(tables[first.name]) // first.units
        values = self._before([x.repeat_interleave(count, 0) for x in inputs])
        firsts = {f.node: f for f in self.firsts}
        found: dict[int, Tensor] = {}
        for node in self.nodes:
            if node in firsts:
                features = values[node.all_input_nodes[0]][::count]
                values[node] = firsts[node].drawn(features, tables[firsts[node].name])
            else:
                values[node] = self._call(node, values)
            for k, end in enumerate(self.ends):
                if end.node is node:  # now, before a later call writes over it
                    found[k] = end.moments(values[node], count)
        return [found[k] for k in range(len(self.ends))]

    def _before(self, inputs: Sequence[Tensor]) -> dict[fx.Node, Any]:
        """What the calls need that comes from no first layer."""
        needed = _behind([n for node in self.nodes for n in node.all_input_nodes], set(self.nodes))
        values, waiting = {}, list(inputs)
        for node in self.traced.graph.nodes:
            if node.op == "placeholder":
                values[node] = waiting.pop(0)
            elif node in needed:
                values[node] = self._call(node, values)
        return values

    def _call(self, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
        args, kwargs = map_arg((node.args, node.kwargs), lambda n: values[n])
        return self.traced.call(node, args, kwargs)


def segment(traced: Traced, lowered: Lowered, firsts: Sequence[FirstLayer]) -> Segment | None:
    """The calls from first layers to fresh weights; None if fresh weights follow at once."""
    by_node = {first.node: first for first in firsts}
    sources: dict[fx.Node, frozenset[fx.Node]] = {}
    ends: dict[tuple[fx.Node, int, bool], frozenset[fx.Node]] = {}
    pairs, fresh = _keepers_of_pairs(lowered), set()
    for node in traced.graph.nodes:
        before = [n for n in node.all_input_nodes if n in sources]
        if node in by_node:
            sources[node] = frozenset({node})
        elif before and node.op != "output" and _mixes(traced, node, before):
            axis, keeps_pairs = _taken(traced, node, pairs)
            ends |= {(n, axis, keeps_pairs): sources[n] for n in before if n not in by_node}
            fresh.add(node)
        elif fresh.intersection(node.all_input_nodes):  # a way past the layer is not followed
            fresh.add(node)
        elif before and node.op != "output":
            sources[node] = frozenset().union(*(sources[n] for n in before))
    if not ends:
        return None
    needed = _behind([n for n, _, _ in ends], set())
    nodes = tuple(n for n in traced.graph.nodes if n in sources and n in needed)
    made = [End(*key, tuple(by_node[n] for n in found)) for key, found in ends.items()]
    return Segment(traced, tuple(f for f in firsts if f.node in nodes), nodes, tuple(made))


def _mixes(traced: Traced, node: fx.Node, before: list[fx.Node]) -> bool:
    """Whether a call makes new units of all channels: by weights, or as products of units."""
    if node.op == "call_module":
        layer = traced.layer(node)
        return any(True for _ in layer.parameters()) and not keeps_units(layer)
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return name.strip("_") in _PRODUCTS and len(before) > 1


def _taken(traced: Traced, node: fx.Node, pairs: Mapping[int, bool]) -> tuple[int, bool]:
    """The channel axis that a call takes, and whether it needs pairs of positions."""
    if node.op != "call_module":
        return -1, True
    layer = traced.layer(node)
    return 1 if isinstance(layer, CONVOLUTIONS) else -1, pairs.get(id(layer), True)


def _keepers_of_pairs(lowered: Lowered) -> dict[int, bool]:
    """By the identity of a layer, whether moments of different positions count in its inputs."""
    wanted = demands(lowered.steps, lowered.outputs, Demand())
    found = {}
    for place, drawn in lowered.drawn.items():
        asked = [wanted[k] for k in lowered.steps[place].inputs]
        if drawn.kind == "layer":
            found[id(drawn.owner)] = any(d is not None and d.layout == "pairs" for d in asked)
    return found


def _behind(nodes: Sequence[fx.Node], known: set[fx.Node]) -> set[fx.Node]:
    """The nodes and all that they depend on, but for what is known."""
    found: set[fx.Node] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in found and node not in known:
            found.add(node)
            waiting += node.all_input_nodes
    return found
