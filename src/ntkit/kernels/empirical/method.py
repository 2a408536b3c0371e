"""What a method of computing an empirical kernel offers."""

from abc import ABC, abstractmethod

from torch import Tensor

from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.outputs import Outputs
from ntkit.kernels.empirical.plan import KernelPlan
from ntkit.kernels.empirical.target import Target

__all__ = ["AbstractGramMethod"]


class AbstractGramMethod(ABC):
    """A way to the Gram matrix; called within `target.evaluation()`, on batches that were probed."""

    @abstractmethod
    def gram(self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs) -> Tensor:
        """`[n, m]`, or `[n, m, o, o]` for all pairs of outputs, in the accumulation dtype."""

    @abstractmethod
    def diag(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """`[n]`, or `[n, o, o]`."""

    @abstractmethod
    def features(self, target: Target, x: Batch, outputs: Outputs) -> Tensor:
        """What the kernel takes dot products of: `[n, f]`, or `[n, o, f]` with all outputs."""

    @abstractmethod
    def plan(self, target: Target, x: Batch, outputs: Outputs) -> KernelPlan:
        """What `gram(target, x, None, outputs)` would do."""
