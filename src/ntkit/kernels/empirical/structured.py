"""Layer by layer: Gram matrices of inputs and of gradients, never the whole Jacobian."""

from dataclasses import dataclass

from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.contraction import jacobian_features
from ntkit.kernels.empirical.diagonal import diagonal
from ntkit.kernels.empirical.gram import gram
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.outputs import Outputs
from ntkit.kernels.empirical.plan import KernelPlan
from ntkit.kernels.empirical.target import Target

__all__ = ["Structured"]


@dataclass(frozen=True)
class Structured(AbstractGramMethod):
    """For each layer the products of its inputs and of the gradients at its output.

    One backward pass an output gives all gradients; they are found on the autograd graph of an
    ordinary run, so that weights used twice, by functions, or within attention are seen. Parameters
    with a use that no rule holds for go through gradients of single samples, those alone; the plan
    names them.

    Args:
        memory: Bytes for the gradients inside the network, and for Jacobians where they are needed.
            Above it, layers and outputs are taken in groups, each with backward passes of its own.

    Example:
        >>> import ntkit, torch
        >>> net = torch.nn.Linear(2, 1)
        >>> ntkit.empirical_ntk(net, method=Structured())(torch.eye(2)).tolist()  # x.x' + 1, whatever the weights
        [[2.0, 1.0], [1.0, 2.0]]
    """

    memory: int = 2**30

    def __post_init__(self) -> None:
        replace_fields(self, memory=positive_int("memory", self.memory))

    def gram(self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs) -> Tensor:
        """Each part in its best order, added up."""
        return gram(NetworkRuns(target, x1, x2, outputs, self.memory))

    def diag(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """Each sample with itself."""
        return diagonal(NetworkRuns(target, x, None, outputs, self.memory))

    def features(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """The Jacobian itself, whole: `o P` numbers a sample."""
        return jacobian_features(target, x, outputs)

    def plan(self, target: Target, x: Batch, outputs: Outputs) -> KernelPlan:
        """The order of each part, and what no rule holds for."""
        return NetworkRuns(target, x, None, outputs, self.memory).plan()
