"""The choice between the methods."""

from dataclasses import dataclass, replace

from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.contraction import Contraction, jacobian_features
from ntkit.kernels.empirical.diagonal import diagonal
from ntkit.kernels.empirical.gram import gram
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.outputs import Outputs
from ntkit.kernels.empirical.plan import KernelPlan
from ntkit.kernels.empirical.target import Target

__all__ = ["Auto"]


@dataclass(frozen=True)
class Auto(AbstractGramMethod):
    """`Structured` unless rules hold for so little of the network that `Contraction` costs less.

    The plan reports the choice and the estimates behind it.

    Args:
        memory: Bytes for gradients and Jacobians, as in either method.

    Example:
        >>> import ntkit, torch
        >>> net = torch.nn.Linear(2, 1)
        >>> ntkit.empirical_ntk(net, method=Auto())(torch.eye(2)).tolist()  # x.x' + 1, whatever the weights
        [[2.0, 1.0], [1.0, 2.0]]
    """

    memory: int = 2**30

    def __post_init__(self) -> None:
        replace_fields(self, memory=positive_int("memory", self.memory))

    def gram(self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs) -> Tensor:
        """By the method of the smaller estimate."""
        job = NetworkRuns(target, x1, x2, outputs, self.memory)
        if _prefers_structure(job):
            return gram(job)
        return Contraction(self.memory).gram(target, x1, x2, outputs)

    def diag(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """By the same method as the matrix."""
        job = NetworkRuns(target, x, None, outputs, self.memory)
        if _prefers_structure(job):
            return diagonal(job)
        return Contraction(self.memory).diag(target, x, outputs)

    def features(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """The Jacobian itself, whole: `o P` numbers a sample."""
        return jacobian_features(target, x, outputs)

    def plan(self, target: Target, x: Batch, outputs: Outputs) -> KernelPlan:
        """The chosen method's plan, with the estimates."""
        job = NetworkRuns(target, x, None, outputs, self.memory)
        here, there = job.seconds()
        words = f"Estimates for the parameters with a rule: structured {here:.2g} s, "
        words += f"by the Jacobian {there:.2g} s."
        if _prefers_structure(job):
            return replace(job.plan(), reason=words)
        return replace(Contraction(self.memory).plan(target, x, outputs), reason=words)


def _prefers_structure(job: NetworkRuns) -> bool:
    if not job.left_out:
        return True
    here, there = job.seconds()
    return here < there
