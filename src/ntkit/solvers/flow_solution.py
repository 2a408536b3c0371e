"""What is asked of training as a function of an operator, and what is answered."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.solvers.response import AbstractResponse

__all__ = ["AbstractPrepared", "FlowSettings", "FlowSolution", "misfit"]


@dataclass(frozen=True)
class FlowSolution:
    """A residual after training, and the weights of the kernel expansion that did it.

    Attributes:
        decay: `G(K) r`, `[t, c, n]`; `exp(-tK) r` for gradient flow.
        weights: `H(K) r = K^-1 (1 - G(K)) r`, `[t, c, n]`: predictions elsewhere are
            `K(x, train) @ weights`.
        method: What was used: "eigh", "fft", "low-rank" or "chebyshev".
        products: Products with the operator (of all rows at once).
        error: Relative error of `decay`, truncation and rounding: twice what `decay + K weights = r`
            misses, measured, or the tolerance of a series; the relative residual of the linear
            solve where training has ended.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> found = ntkit.solvers.solve_flow(K, torch.ones(1, 2).double(), [1.0], tolerance=1e-8)
        >>> found.decay.shape, round(float(found.decay[0, 0, 0]), 3)
        (torch.Size([1, 1, 2]), 0.368)
    """

    decay: Float[Tensor, "t c n"]
    weights: Float[Tensor, "t c n"]
    method: str
    products: int
    error: float


class AbstractPrepared(ABC):
    """A residual in front of an operator, with all that its answers at all moments share.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> ready = ntkit.solvers.prepare(K, torch.ones(1, 2).double(), tolerance=1e-8)
        >>> isinstance(ready, AbstractPrepared)
        True
    """

    @abstractmethod
    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """`G(K) r` and `H(K) r` for every response."""

    @abstractmethod
    def largest(self) -> float:
        """The largest eigenvalue of the operator, from below and to a few digits at least."""


@dataclass(frozen=True)
class FlowSettings:
    """How exactly, and in which precision; `on_step` is called once a product."""

    tolerance: float
    dtype: torch.dtype
    on_step: Callable[[], None]


@torch.no_grad()
def misfit(op: AbstractOperator, r: Tensor, decay: Tensor, weights: Tensor) -> float:
    """Twice the relative size of `r - decay - K weights`, which exact answers leave zero.

    Wrong eigenvalues and rounding move `decay` and `K weights` by about as much; measured over all
    structures, moments and rules, twice their sum is above the error of `decay`.
    """
    back = op.rows(weights.flatten(0, 1).to(op.dtype)).reshape(decay.shape)
    rest = (r - decay.to(r.dtype) - back.to(r.dtype)).norm(dim=2)
    scale = r.norm(dim=1).clamp_min(torch.finfo(r.dtype).tiny)
    # The answers themselves are no better than a few roundings, even where those cancel.
    return 2 * float((rest / scale).max()) + 16 * torch.finfo(r.dtype).eps
