"""A network's end, dense layers `... act(z) W + b = y`: its gradients without a backward pass."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from ntkit.kernels.empirical.backward import one_hot
from ntkit.kernels.empirical.graph import Run, walk
from ntkit.kernels.empirical.rules import VIEWS

__all__ = ["ReadOut", "read_out"]

_DENSE = {"AddmmBackward0": 1, "MmBackward0": 0}
"""Nodes of a dense layer: the place of its inputs."""

_ENTRYWISE = {
    f"{name}Backward0"
    for name in [
        "Celu",
        "Elu",
        "Erf",
        "Exp",
        "Gelu",
        "Hardsigmoid",
        "Hardswish",
        "Hardtanh",
        "LeakyRelu",
        "LogSigmoid",
        "Mish",
        "Relu",
        "Sigmoid",
        "Silu",
        "Sin",
        "Cos",
        "Softplus",
        "Softshrink",
        "Hardshrink",
        "Tanh",
        "Threshold",
    ]
}
"""Nodes that act on each entry by itself, without parameters."""

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


@dataclass(frozen=True)
class Link:
    """A hidden layer: `d loss / d z = (d loss / d above) weight * slope`.

    Attributes:
        node: The node of `z`, `[n, c]`.
        weight: Of the layer above, `[outputs of that, c]`.
        slope: The derivative of the activation, `[n, c]`.
    """

    node: Any
    weight: Tensor
    slope: Tensor

    def below(self, g: Tensor) -> Tensor:
        """Gradients at `z`, `[k, n, c]`, from those at the layer above."""
        found = (g.flatten(0, 1) @ self.weight).unflatten(0, g.shape[:2])
        return found.mul_(self.slope)


@dataclass(frozen=True)
class ReadOut:
    """The dense layers at a network's end, and the hidden layers under them, from the top.

    Attributes:
        last: The node of `y`.
        links: The hidden layers, one at least.
    """

    last: Any
    links: tuple[Link, ...]

    @property
    def edge(self) -> GradientEdge:
        """Where a backward pass goes on below."""
        return GradientEdge(self.links[-1].node, 0)

    @property
    def nodes(self) -> list[Any]:
        """All layers whose gradients are known, from the top."""
        return [self.last, *(link.node for link in self.links)]

    def gradients(
        self, nodes: Sequence[Any], outputs: Sequence[int], alone: Sequence[bool]
    ) -> tuple[list[Tensor | None], Tensor]:
        """Gradients of some outputs at these nodes, `[outputs, n, c]`, None below the last link.

        Args:
            nodes: Places.
            outputs: Outputs.
            alone: Where one gradient `[1, n, c]` may stand for all outputs, if its Gram matrix is the
                sum of theirs: it does at `y` and at the first hidden layer.

        Returns:
            Those, and the gradients at the last link, if any node is below it (else at some layer).
        """
        layers = self.nodes
        places = [layers.index(node) if node in layers else None for node in nodes]
        short = [one and k in (0, 1) for one, k in zip(alone, places, strict=True)]
        asked = [k for k, is_short in zip(places, short, strict=True) if not is_short]
        depth = max((len(self.links) if k is None else k for k in asked), default=0)
        whole = self._whole(outputs, depth)
        once = self._summed(outputs) if any(short) else ()
        found = [
            None if k is None else once[k] if is_short else whole[k]
            for k, is_short in zip(places, short, strict=True)
        ]
        return found, whole[-1]

    def _whole(self, outputs: Sequence[int], depth: int) -> list[Tensor]:
        """At the first `1 + depth` layers."""
        top = self.links[0]
        found = [one_hot(top.weight.new_empty(len(top.slope), len(top.weight)), outputs)]
        if depth:
            found.append(top.weight[list(outputs), None] * top.slope)
        for link in self.links[1:depth]:
            found.append(link.below(found[-1]))
        return found

    def _summed(self, outputs: Sequence[int]) -> tuple[Tensor, Tensor]:
        """At `y` and the first hidden layer, in place of all: `sum_o (w_o s_i) . (w_o s_j)` takes
        only `sum_o w_o^2`, entry by entry.
        """
        top = self.links[0]
        here = top.weight.new_zeros(1, len(top.slope), len(top.weight))
        here[:, :, list(outputs)] = 1
        return here, (top.slope * top.weight[list(outputs)].square().sum(0).sqrt())[None]

    def explained(self, u: Tensor, found: dict[Any, Tensor]) -> int:
        """How many of the links have the gradients that a backward pass of `y @ u` found at them.

        A hook of the user's changes them, say.
        """
        g = u.expand(1, len(self.links[0].slope), -1)
        for k, link in enumerate(self.links):
            g, seen = link.below(g), found.get(link.node)
            if seen is None or seen.shape != g.shape[1:]:
                return k
            bound = _TOLERANCE.get(seen.dtype, 0.1) * float(seen.abs().max())
            if not float((g[0] - seen).abs().max()) <= bound:
                return k
        return len(self.links)


def read_out(run: Run, n_links: int | None = None) -> ReadOut | None:
    """The dense layers at the end of a run, None for a network that ends otherwise.

    Nothing but the layers' own parameters may come in above the last `z`, and no `z` may go elsewhere.

    Args:
        run: The run.
        n_links: How many hidden layers are known to be such, of a run of the same graph; they are
            looked for if left out.
    """
    last: Any = run.y.grad_fn
    while last is not None and last.name() in VIEWS:
        last = last.next_functions[0][0]
    if last is None or tuple(last._input_metadata[0].shape) != tuple(run.y.shape):
        return None
    users: Counter[Any] = Counter()
    if n_links is None:
        users.update(below for node in walk(run.y.grad_fn) for below, _ in node.next_functions)
    links: list[Link] = []
    above = last
    while n_links is None or len(links) < n_links:
        place = _DENSE.get(above.name())
        activation = None if place is None else above.next_functions[place][0]
        if activation is None or activation.name() not in _ENTRYWISE:
            break
        node, slot = activation.next_functions[0]
        if node is None or slot:
            break
        known = [last, *(link.node for link in links)]
        if n_links is None and not _is_alone(run, users, [*known, activation, node], known):
            break
        links.append(Link(node, _weight(above), _slope(activation, node, run.y)))
        above = node
    return ReadOut(last, tuple(links)) if links else None


def _is_alone(run: Run, users: Counter[Any], once: list[Any], known: list[Any]) -> bool:
    """Whether each of these nodes but the first is used once, and no other use of parameters is above."""
    if any(users[node] > 1 for node in once[1:]):
        return False
    below = set(walk(once[-1]))
    return all(use.node in below or use.node in known for use in run.uses)


def _weight(dense: Any) -> Tensor:
    """`[outputs, inputs]` of a dense layer, its scale included."""
    weight = dense._saved_mat2.detach().T
    scale = float(dense._saved_alpha) if dense.name() == "AddmmBackward0" else 1.0
    return weight if scale == 1 else scale * weight


def _slope(activation: Any, node: Any, like: Tensor) -> Tensor:
    meta = activation._input_metadata[0]
    (slope,) = torch.autograd.grad(
        [GradientEdge(activation, 0)],
        [GradientEdge(node, 0)],
        [torch.ones(tuple(meta.shape), dtype=meta.dtype, device=like.device)],
        retain_graph=True,
    )
    return slope.detach()
