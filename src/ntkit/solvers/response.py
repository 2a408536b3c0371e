"""What training has done to a mode of a kernel by one moment, as a function of its eigenvalue."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import isinf

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.solvers.chebyshev import flow_degree

__all__ = ["AbstractResponse", "FlowResponse", "Limit", "Shifted", "phi", "with_ridge"]


_NEAR, _TERMS = 0.5, 13
"""Where `(1 - exp(-x)) / x` is summed by its Taylor series, whose rest is 1e-16 there."""


def phi(eigenvalues: Tensor, t: float) -> Tensor:
    """`(1 - exp(-t s)) / s`, with its limit `t` at zero eigenvalues; `1 / s` (or 0) at `t = inf`.

    Example:
        >>> phi(torch.tensor([0.0, 2.0]), 3.0)[0]
        tensor(3.)
        >>> phi(torch.tensor([4.0]), float("inf"))
        tensor([0.2500])
    """
    if isinf(t):
        alive = eigenvalues > 0
        return torch.where(alive, 1 / torch.where(alive, eigenvalues, 1), 0)
    x = t * eigenvalues  # infinite where even the product is beyond numbers: all is learned
    near = x.abs() < _NEAR
    inside = torch.where(near, x, 0)
    series = torch.zeros_like(x)
    for k in range(_TERMS, 0, -1):  # its derivative keeps all digits, which the quotient's loses
        series = 1 - series * inside / (k + 1)
    outside = -torch.expm1(-x) / torch.where(near, 1, eigenvalues)
    return torch.where(near, t * series, outside)


class AbstractResponse(ABC):
    """`G(s)`, the share of the residual that is left of a mode, and `H(s) = (1 - G(s)) / s`.

    Every method that moves along gradients, in continuous time or in steps, is one such pair a
    moment: the residual is `G(K) r`, and predictions elsewhere are `K(x, train) H(K) r`.

    Example:
        >>> import torch
        >>> from ntkit.solvers import FlowResponse, Limit
        >>> [round(float(r.left(torch.tensor(1.0))), 3) for r in (FlowResponse(1.0), Limit())]
        [0.368, 0.0]
    """

    @abstractmethod
    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`G(s)` for eigenvalues `s >= 0`; `G(0) = 1`."""

    @abstractmethod
    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`H(s) = (1 - G(s)) / s`, its limit at zero, and without cancellation near it."""

    @abstractmethod
    def degree(self, upper: float, tolerance: float) -> int:
        """A degree that is enough for a Chebyshev series of either on `[0, upper]`."""


@dataclass(frozen=True)
class FlowResponse(AbstractResponse):
    """Gradient flow: `G(s) = exp(-t s)`.

    Attributes:
        t: A finite time.

    Example:
        >>> import torch
        >>> response = FlowResponse(2.0)
        >>> bool(torch.isclose(response.left(torch.tensor(0.5)), torch.tensor(-1.0).exp()))
        True
    """

    t: float

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`exp(-t s)`."""
        return torch.exp(-self.t * s)

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`phi_t(s)`."""
        return phi(s, self.t)

    def degree(self, upper: float, tolerance: float) -> int:
        """Grows with the square root of `t upper`."""
        return flow_degree(self.t * upper / 2, tolerance)


@dataclass(frozen=True)
class Limit(AbstractResponse):
    """The end of training, of any method that gets there: `H(s) = 1 / (s + shift)`.

    Attributes:
        shift: A ridge, 0 or more; without one a mode of eigenvalue zero is never learned.

    Example:
        >>> import torch
        >>> Limit().learned(torch.tensor([2.0, 4.0]))
        tensor([0.5000, 0.2500])
    """

    shift: float = 0.0

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`shift / (s + shift)`; without a ridge 0, and 1 where the eigenvalue is zero."""
        return self.shift / (s + self.shift) if self.shift else (s <= 0).to(s)

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`1 / (s + shift)`; 0 where that is infinite."""
        return phi(s + self.shift, float("inf"))

    def degree(self, upper: float, tolerance: float) -> int:
        """There is none: solvers without eigenvectors take conjugate gradients.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("The end of training is a linear solve, not a series.")


@dataclass(frozen=True)
class Shifted(AbstractResponse):
    """A method with a ridge: it moves at `s + shift`, towards `s / (s + shift)` of the residual.

    Attributes:
        response: The method without a ridge, at a moment.
        shift: The ridge, above 0.

    Example:
        >>> import torch
        >>> from ntkit.solvers import FlowResponse
        >>> float(Shifted(FlowResponse(1e9), shift=1.0).learned(torch.tensor(1.0)))
        0.5
    """

    response: AbstractResponse
    shift: float

    def left(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`(shift + s G(s + shift)) / (s + shift)`."""
        moved = s + self.shift
        return (self.shift + s * self.response.left(moved)) / moved

    def learned(self, s: Float[Tensor, "*k"]) -> Float[Tensor, "*k"]:
        """`H(s + shift)`."""
        return self.response.learned(s + self.shift)

    def degree(self, upper: float, tolerance: float) -> int:
        """That of the method on the longer interval."""
        return self.response.degree(upper + self.shift, tolerance) + 32


def with_ridge(response: AbstractResponse, ridge: float) -> AbstractResponse:
    """The same method on `loss + ridge / 2 * |parameters - start|^2`.

    With `A = K + ridge`, the parameters move by `J^T H(A) r`, so the function learns `K H(A) r`.

    Example:
        >>> import torch
        >>> with_ridge(Limit(), 1.0)
        Limit(shift=1.0)
    """
    if ridge == 0:
        return response
    return Limit(ridge) if isinstance(response, Limit) else Shifted(response, ridge)
