"""Training in a basis in which the operator is diagonal."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.operators.base import AbstractOperator
from ntkit.solvers.flow_solution import AbstractPrepared, FlowSolution, misfit
from ntkit.solvers.response import AbstractResponse, Limit
from ntkit.solvers.slopes import responding

__all__ = ["Eigenbasis"]


class Eigenbasis(AbstractPrepared):
    """A residual in a basis in which the operator is diagonal: all moments are scalings.

    Args:
        values: Eigenvalues of the basis.
        floor: What of them is zero up to rounding, which matters in the limit of all time alone.
        spectrum: `[c, ...]`, the residual in the basis.
        back: From the basis to points.
        outside: What of the residual lies in no vector of the basis, where it is not complete.
        method: Name of the way.
        into: From rows over points to rows over the basis, where `project` is to work.
        problem: The operator and the residual, as they were given.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> isinstance(ntkit.solvers.prepare(K, torch.ones(1, 2).double(), tolerance=1e-8), Eigenbasis)
        True
    """

    def __init__(
        self,
        values: Tensor,
        floor: float,
        spectrum: Tensor,
        back: Callable[[Tensor], Tensor],
        outside: Tensor | None,
        method: str,
        into: Callable[[Tensor], Tensor] | None = None,
        *,
        problem: tuple[AbstractOperator, Tensor],
    ) -> None:
        self._operator, self._residual = problem
        self.into = into
        self.values: Tensor = values.clamp_min(0)
        self._ended = torch.where(values > floor, values, torch.zeros_like(values))
        self.spectrum = spectrum
        self.back = back
        self._outside = outside
        self._method = method

    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """Two scalings and two changes of basis a moment."""
        decay = self._scaled(responses, lambda response, s: response.left(s))
        weights = self.weights(responses)
        error = misfit(self._operator, self._residual, decay, weights)
        return FlowSolution(decay, weights, self._method, 0, error)

    def weights(self, responses: Sequence[AbstractResponse]) -> Float[Tensor, "t c n"]:
        """`H(K) r` alone: half the work."""
        return self._scaled(responses, lambda response, s: response.learned(s))

    def through(
        self, features: Float[Tensor, "m k"], responses: Sequence[AbstractResponse]
    ) -> Float[Tensor, "t c m"]:
        """`cross H(K) r` for the rows `features = into(cross)`: a thin product for all moments."""
        factors = self._factors(responses, lambda response, s: response.learned(s))
        every = self.spectrum * factors.to(self.spectrum)[:, None]
        return every @ features.T

    def largest(self) -> float:
        """The largest eigenvalue, to rounding."""
        return float(self.values.detach().max()) if self.values.numel() else 0.0

    def _scaled(
        self,
        responses: Sequence[AbstractResponse],
        factor: Callable[[AbstractResponse, Tensor], Tensor],
    ) -> Tensor:
        factors = self._factors(responses, factor)
        every = self.spectrum * factors.to(self.spectrum)[:, None]
        found = self.back(every.flatten(0, 1)).reshape(len(factors), len(self.spectrum), -1)
        if self._outside is not None:
            zero = self.values.new_zeros(1)
            found += torch.stack([factor(g, zero) * self._outside for g in responses])
        return found

    def _factors(
        self,
        responses: Sequence[AbstractResponse],
        factor: Callable[[AbstractResponse, Tensor], Tensor],
    ) -> Tensor:
        return torch.stack([
            responding(partial(factor, g), self._ended if isinstance(g, Limit) else self.values)
            for g in responses
        ])
