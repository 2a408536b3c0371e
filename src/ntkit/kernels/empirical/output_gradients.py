"""A network's end: gradients without a backward pass, as long as few positions have them."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from math import prod
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ntkit._core.torch_internals import metadata, number_of, shape_of
from ntkit.kernels.empirical.backward import Seed, gradients, one_hot
from ntkit.kernels.empirical.backward_steps import BackwardStep, Way, step_through
from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.graph import Run
from ntkit.kernels.empirical.rules import VIEWS
from ntkit.kernels.empirical.uses import AbstractUse

__all__ = ["Ending", "ending"]

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@dataclass(frozen=True)
class _Taken:
    """A step that is taken: the node that each way leads to, None where a pass goes on."""

    node: Any
    step: BackwardStep
    targets: list[Any]


@dataclass(frozen=True)
class _Exit:
    """Where a backward pass goes on.

    Attributes:
        edge: The edge.
        field: Where the gradient is.
        key: The node whose gradient it is, or the number of a step and the input it leads to.
        way: With a node: a way from its gradient that expands it.
    """

    edge: GradientEdge
    field: Field
    key: Any
    way: Way | None = None


class Ending:
    """The last nodes of a run, whose gradients are known from the weights and what was saved.

    That goes on while a sample has its gradients at one position (the hidden layers of a perceptron), or
    at few of many (behind the last attention of a network that reads one token).

    Attributes:
        fields: The nodes, and where their gradients may differ from zero.
        uses: For positions in `Run.uses`, those uses at their few places alone.
        edges: Where a backward pass goes on below: one for each tensor of its seed.
        short: The nodes where one gradient may stand for those of all outputs (`gradients`).
    """

    def __init__(
        self,
        run: Run,
        fields: dict[Any, Field],
        uses: dict[int, AbstractUse],
        taken: list[_Taken],
        exits: list[_Exit],
    ) -> None:
        self.fields = fields
        self.uses = uses
        self.edges: list[GradientEdge] = [each.edge for each in exits]
        self._y, self._taken, self._exits = run.y, taken, exits
        self._known = {use.node for use in run.uses if use.node in fields}
        self.short: list[Any] = self._alike()

    def gradients(
        self, nodes: Sequence[Any], outputs: Sequence[int], alone: Sequence[bool]
    ) -> tuple[list[Tensor | None], Seed | None]:
        """Gradients of some outputs at these nodes, None below the end.

        They are `[outputs, *shape]`, or `[outputs, rows, c]` where few rows have one (`uses`).

        Args:
            nodes: Nodes.
            outputs: Outputs.
            alone: Where one gradient, of 1 output, may stand for all of them, if its Gram matrix is the
                sum of theirs: it does at the nodes of `short`. Only where it does on both sides of a
                product: it is no gradient itself.

        Returns:
            Those, and what a backward pass starts with at `edges`, if any node is below the end.
        """
        once = [one and node in self.short for node, one in zip(nodes, alone, strict=True)]
        asked = {node for node, one in zip(nodes, once, strict=True) if not one}
        found, seed = self._passed(outputs, asked)
        short = self._summed(outputs) if any(once) else {}
        each = zip(nodes, once, strict=True)
        return [(short if one else found).get(node) for node, one in each], seed

    def explains(self, run: Run, u: Tensor, expected: Sequence[Tensor]) -> bool:
        """Whether a backward pass of `y @ u` found these gradients at the uses of the run.

        A hook of the user's changes them, say.
        """
        found, seed = self._passed([0], {use.node for use in run.uses}, u.expand(1, *run.y.shape))
        lower = [use for use in run.uses if use.node not in found]
        if lower and seed is not None:
            passed = gradients(self.edges, seed, run.edges(lower), 1, at_once=False)
            found.update(zip((use.node for use in lower), cast(list[Tensor], passed), strict=True))
        for use, seen in zip(run.uses, expected, strict=True):
            g, field = found[use.node], self.fields.get(use.node)
            if field is not None and field.places is not None:
                g = field.whole(g.flatten(1))
            bound = _TOLERANCE.get(seen.dtype, 0.1) * float(seen.abs().max())
            if g.shape[1:] != seen.shape or not float((g[0] - seen).abs().max()) <= bound:
                return False
        return True

    def _passed(
        self, outputs: Sequence[int], asked: Collection[Any], start: Tensor | None = None
    ) -> tuple[dict[Any, Tensor], Seed | None]:
        """As `gradients`; those at `y` may be given."""
        found: dict[Any, Tensor] = {}
        here: dict[Any, Tensor] = {}  # at nodes still to come, and what leads to exits
        own: set[Any] = set()  # those whose memory is no one else's
        left = set(asked)
        is_below = not left <= self._known
        first, *others = self._taken
        if start is None and first.step.weight is not None:  # a row of the weight for each output
            if first.node in left:
                found[first.node] = one_hot(self._y, outputs)
            rows = first.step.weight[list(outputs), None].expand(-1, len(self._y), -1)
            here[self._key(0, first, 0)] = rows
        else:
            here[first.node] = one_hot(self._y, outputs) if start is None else start
            others = self._taken
        offset = len(self._taken) - len(others)
        for k, taken in enumerate(others, start=offset):
            left -= found.keys()
            if not left:
                break
            g = here[taken.node]
            if taken.node in left:
                found[taken.node] = self._rows(taken.node, g)
            may_overwrite = taken.node in own and taken.node not in found
            for w, way in enumerate(taken.step.ways):
                if way.expands:
                    continue
                values = way.apply(g, may_overwrite).to(self._y.dtype)
                key = self._key(k, taken, w)
                is_sum = key in here
                here[key] = here[key] + values if is_sum else values
                if is_sum or taken.step.is_new:
                    own.add(key)
            if not any(way.expands for way in taken.step.ways):
                del here[taken.node]
        for node in left & here.keys():
            found[node] = self._rows(node, here[node])
        return found, partial(self._seed, here) if is_below else None

    def _key(self, k: int, taken: _Taken, w: int) -> Any:
        """Where the values go that a way of the step `k` finds: to its node, or to an exit (`_Exit.key`)."""
        target = taken.targets[w]
        return (k, taken.step.ways[w].slot) if target is None else target

    def _rows(self, node: Any, g: Tensor) -> Tensor:
        """The gradient at a use."""
        field = self.fields[node]
        return g if field.places is None else g.view(len(g), -1, field.shape[-1])

    def _seed(self, here: dict[Any, Tensor], some: slice) -> list[Tensor]:
        """What a backward pass of some outputs starts with at `edges`."""
        found = []
        for each in self._exits:
            g = here[each.key][some]
            found.append(each.field.whole(g if each.way is None else each.way.apply(g, False)))
        return found

    def _alike(self) -> list[Any]:
        """`short`: `y`, and the first use under the last layer with single entries between."""
        found = [self._taken[0].node]
        for k, taken in enumerate(self._taken):
            is_passed = taken.step.weight is not None if k == 0 else taken.step.is_entrywise
            target = taken.targets[0] if len(taken.targets) == 1 else None
            if not is_passed or target is None or self.fields[target].places is not None:
                break
            if target in self._known:
                return [*found, target]
        return found

    def _summed(self, outputs: Sequence[int]) -> dict[Any, Tensor]:
        """At `short`, in place of all: `sum_o (w_o s_i) . (w_o s_j)` takes only `sum_o w_o^2`, entry by
        entry.
        """
        one = self._y.new_zeros(1, *self._y.shape)
        one[:, :, list(outputs)] = 1
        found = {self._taken[0].node: one}
        weight = self._taken[0].step.weight
        if len(self.short) > 1 and weight is not None:
            wide = torch.promote_types(weight.dtype, torch.float32)
            norms = torch.linalg.vector_norm(weight[list(outputs)], dim=0, dtype=wide)
            g = norms.to(weight.dtype).expand(1, len(self._y), -1)
            for taken in self._taken[1:]:
                if taken.node in self.short:
                    break
                g = taken.step.ways[0].apply(g, False)
            found[self.short[1]] = g
        return found


def ending(run: Run) -> Ending | None:
    """The end of a run, None if it has no use of parameters."""
    top: Any = run.y.grad_fn
    while top is not None and top.name() in VIEWS:
        top = top.next_functions[0][0]
    if top is None or shape_of(top, 0) != tuple(run.y.shape):
        return None
    users = Counter(below for node in run.nodes for below, _ in node.next_functions)
    users[top] = 1
    places = {use.node: k for k, use in enumerate(run.uses)}
    fields: dict[Any, Field] = {}
    uses: dict[int, AbstractUse] = {}
    taken: list[_Taken] = []
    exits: list[_Exit] = []
    arrivals: dict[Any, list[tuple[Any, int, int, Field]]] = {
        top: [(None, 0, 0, Field(tuple(run.y.shape)))]
    }
    number = count()
    waiting = [(-number_of(top), next(number), top)]
    while waiting:  # what was computed last comes first: all users of a node before itself
        _, _, node = heappop(waiting)
        came = arrivals.pop(node)
        field = came[0][3]
        index, use = places.get(node), None
        is_known = (
            len(came) == users[node]
            and metadata(node)[0].dtype == run.y.dtype
            and all(output == 0 and field.same(f) for _, _, output, f in came)
            and _is_small(field, len(run.y))
        )
        if is_known and index is not None and field.places is not None:
            use = run.uses[index].at(field)
            is_known = use is not None
        if not is_known:
            for source, slot, output, f in came:
                exits.append(_Exit(GradientEdge(node, output), f, (source, slot)))
            continue
        fields[node] = field
        if index is not None and use is not None:
            uses[index] = use
        step = step_through(node, field)
        if step is None or not _goes_on(run, node, step):
            exits.append(_Exit(GradientEdge(node, 0), field, node))
            continue
        targets: list[Any] = []
        for way in step.ways:
            below, output = node.next_functions[way.slot]
            if way.expands:
                exits.append(_Exit(GradientEdge(below, output), way.field, node, way))
                targets.append(None)
                continue
            if below not in arrivals:
                heappush(waiting, (-number_of(below), next(number), below))
            arrivals.setdefault(below, []).append((len(taken), way.slot, output, way.field))
            targets.append(below)
        taken.append(_Taken(node, step, targets))
    if not taken or not fields.keys() & places.keys():
        return None
    for each in taken:
        each.targets[:] = [node if node in fields else None for node in each.targets]
    return Ending(run, fields, uses, taken, exits)


def _is_small(field: Field, n: int) -> bool:
    """Whether a sample has its gradient at one position, or at half of many at most."""
    if field.places is None:
        return len(field.shape) == 2 and field.shape[0] == n
    return 2 * len(field.places) <= prod(field.shape)


def _goes_on(run: Run, node: Any, step: BackwardStep) -> bool:
    """Whether a step leads to all inputs of a node that are no parameters, and to no parameter."""
    slots = {way.slot for way in step.ways}
    for slot, (below, _) in enumerate(node.next_functions):
        is_param = below is not None and run.operand(below) is not None
        if is_param if slot in slots else below is not None and not is_param:
            return False
    return True
