"""A network's end `y = act(z) W (+ b)`: gradients at `y` and `z` without a backward pass."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

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
class ReadOut:
    """The last hidden layer: `d y[i, o] / d z[i, c] = weight[o, c] slope[i, c]`.

    Attributes:
        last: The node of `y`.
        hidden: The node of `z`, `[n, c]`.
        weight: `[o, c]`.
        slope: `[n, c]`, the derivative of the activation.
    """

    last: Any
    hidden: Any
    weight: Tensor
    slope: Tensor

    @property
    def edge(self) -> GradientEdge:
        """Where a backward pass goes on below."""
        return GradientEdge(self.hidden, 0)

    def at_hidden(self, outputs: Sequence[int]) -> Tensor:
        """Gradients at `z`, `[outputs, n, c]`."""
        return self.weight[list(outputs), None] * self.slope

    def gradient(self, node: Any, outputs: Sequence[int], *, summed: bool) -> Tensor | None:
        """Gradients at the output of a node, None below `z`.

        With `summed` they are `[1, n, c]`, of a Gram matrix that is the sum of those of all outputs:
        `sum_o (w_o s_i) . (w_o s_j)` takes only `sum_o w_o^2`, entry by entry.
        """
        if node is self.hidden:
            if not summed:
                return self.at_hidden(outputs)
            return (self.slope * self.weight[list(outputs)].square().sum(0).sqrt())[None]
        if node is not self.last:
            return None
        rows = 1 if summed else len(outputs)
        here = self.weight.new_zeros(rows, len(self.slope), len(self.weight))
        here[0 if summed else range(rows), :, list(outputs)] = 1
        return here

    def explains(self, u: Tensor, found: Tensor) -> bool:
        """Whether a backward pass of `y @ u` found the gradient at `z` that it should (no hook of the
        user's has changed it, say).
        """
        expected = (u @ self.weight) * self.slope
        bound = _TOLERANCE.get(found.dtype, 0.1) * float(found.abs().max())
        return found.shape == expected.shape and float((expected - found).abs().max()) <= bound


def read_out(run: Run, *, is_known: bool = False) -> ReadOut | None:
    """The read-out of a run, None for a network that ends otherwise.

    Nothing but the read-out's own parameters may come in above `z`, and `z` may go nowhere else;
    `is_known` says that this was seen to hold for a run of the same graph.
    """
    last: Any = run.y.grad_fn
    while last is not None and last.name() in VIEWS:
        last = last.next_functions[0][0]
    if last is None:
        return None
    place = _DENSE.get(last.name())
    if place is None or tuple(last._input_metadata[0].shape) != tuple(run.y.shape):
        return None
    activation = last.next_functions[place][0]
    if activation is None or activation.name() not in _ENTRYWISE:
        return None
    hidden, slot = activation.next_functions[0]
    if hidden is None or slot or not (is_known or _is_alone(run, last, activation, hidden)):
        return None
    shape, kind = activation._input_metadata[0].shape, activation._input_metadata[0].dtype
    (slope,) = torch.autograd.grad(
        [GradientEdge(activation, 0)],
        [GradientEdge(hidden, 0)],
        [torch.ones(tuple(shape), dtype=kind, device=run.y.device)],
        retain_graph=True,
    )
    weight = last._saved_mat2.detach().T
    if last.name() == "AddmmBackward0" and float(last._saved_alpha) != 1:
        weight = float(last._saved_alpha) * weight
    return ReadOut(last, hidden, weight, slope.detach())


def _is_alone(run: Run, last: Any, activation: Any, hidden: Any) -> bool:
    """Whether no other way leads from `y` to a use of parameters, or to `z`."""
    users = Counter(below for node in walk(run.y.grad_fn) for below, _ in node.next_functions)
    if users[hidden] > 1 or users[activation] > 1:
        return False
    below = set(walk(hidden))
    return all(use.node in below or use.node is last for use in run.uses)
