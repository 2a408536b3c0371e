"""The kernels of one infinitely wide layer of steps, rectifiers or their squares."""

from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.closed.points import each, pairs
from ntkit.kernels.infinite.activations import PiecewiseLinear, RectifiedMonomialActivation
from ntkit.kernels.infinite.moments.distances import state_of_features

__all__ = ["ArcCosine"]


class ArcCosine(AbstractKernel):
    """`k(x, x') = (|x||x'|)^n J_n(t) / pi` at the angle `t` of the points; `2 E[s(w.x) s(w.x')]`.

    `s(u) = max(0, u)^n` (the step at `n = 0`), with `w` standard normal:

        J_0 = pi - t
        J_1 = sin t + (pi - t) cos t
        J_2 = 3 sin t cos t + (pi - t) (1 + 2 cos^2 t)

    Every digit is kept at points nearly parallel or nearly opposite. Computes in float64 and returns
    the dtype of its input. Points with more axes are flattened; a zero vector counts as having no
    unit active, `k = 0`.

    Args:
        order: `n`: 0, 1 or 2.

    Raises:
        ValueError: `order` is another number.

    Source: Cho and Saul 2009, "Kernel methods for deep learning", eqs. 1-6.

    Example:
        >>> import torch
        >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
        >>> ArcCosine(1)(x) * torch.pi
        tensor([[ 3.1416,  2.0000],
                [ 2.0000, 12.5664]])
    """

    def __init__(self, order: int) -> None:
        if order not in {0, 1, 2}:
            raise ValueError(f"`order={order!r}` must be 0, 1 or 2.")
        self.order = order
        # The rectifier has formulas that are quicker than the integral, and keep every digit as well.
        self._unit = PiecewiseLinear(0.0, 1.0) if order == 1 else RectifiedMonomialActivation(order)

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The kernel of finite points."""
        return pairs(self._matrix, x1, x2)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """`(2n - 1)!! |x|^(2n)`."""
        return each(lambda u: 2 * self._unit.variance((u**2).sum(1)), x)

    def _matrix(self, u: Tensor, v: Tensor | None) -> Tensor:
        # Moments are means over the coordinates, and the kernel is homogeneous of degree 2n.
        state = state_of_features(
            u, u if v is None else v, "each", with_ntk=False, with_variances=True
        )
        return 2 * u.shape[1] ** self.order * self._unit.dual(state.pair, slope=False).cov

    def __repr__(self) -> str:
        return f"ArcCosine({self.order})"
