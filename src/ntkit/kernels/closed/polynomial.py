"""Powers of the dot product, and their monomials."""

from itertools import combinations_with_replacement
from math import comb, factorial, prod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.closed.points import each, pairs, rows
from ntkit.kernels.hyperparameter import Hyperparameter, describe, in_double, scalar
from ntkit.kernels.infinite.activations.pair import safe_sqrt

__all__ = ["Polynomial"]


class Polynomial(AbstractKernel):
    """`k(x, x') = (x.x' + offset)^degree`.

    Its features are the monomials of the coordinates and `sqrt(offset)`, each times the root of its
    multinomial coefficient: `C(d + degree, degree)` numbers a point, or `C(d + degree - 1, degree)` at
    offset 0. The kernel takes `d` multiplications instead.

    Computes in float64 and returns the dtype of its input. Points with more axes are flattened.

    Args:
        degree: 1 or more.
        offset: 0 or more; a 0-d tensor may ask for gradients.

    Source: scikit-learn's `polynomial_kernel(degree=degree, coef0=offset, gamma=1)`, whose own default
    of `gamma` is `1 / d`; with `x * sqrt(gamma)` for `x` they agree at any.

    Example:
        >>> x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
        >>> kernel = Polynomial(2, offset=1.0)
        >>> kernel(x, y)  # (3 - 2 + 1)^2
        tensor([[4.]])
        >>> kernel.features(x)  # x1^2, sqrt(2) x1 x2, sqrt(2) x1, x2^2, sqrt(2) x2, 1
        tensor([[1.0000, 2.8284, 1.4142, 4.0000, 2.8284, 1.0000]])
    """

    def __init__(self, degree: int, offset: Hyperparameter = 1.0) -> None:
        self.degree: int = positive_int("degree", degree)
        self.offset: Hyperparameter = scalar("offset", offset, zero=True)

    def n_features(self, dim: int) -> int:
        """How many monomials a point of `dim` coordinates has.

        Example:
            >>> Polynomial(5, offset=1.0).n_features(784)
            2515874132157
        """
        symbols = positive_int("dim", dim) + (float(self.offset) > 0)
        return comb(symbols + self.degree - 1, self.degree)

    def feature_names(self, dim: int) -> list[str]:
        """The monomials in the order of `features`, without their coefficients.

        Example:
            >>> Polynomial(2, offset=1.0).feature_names(2)
            ['x1^2', 'x1 x2', 'x1', 'x2^2', 'x2', '1']
        """
        symbols = [f"x{i + 1}" for i in range(positive_int("dim", dim))]
        symbols += ["1"] if float(self.offset) > 0 else []
        return [_monomial(c) for c in combinations_with_replacement(symbols, self.degree)]

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """Powers of dot products of finite points."""
        return pairs(lambda u, v: self._power(u @ (u if v is None else v).T), x1, x2)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Powers of squared lengths."""
        return each(lambda u: self._power((u**2).sum(1)), x)

    def _power(self, dots: Tensor) -> Tensor:
        return (dots + in_double(self.offset, dots)) ** self.degree

    def _features(self, x: Tensor) -> Tensor:
        points = rows("x", x)
        if isinstance(self.offset, Tensor) or self.offset > 0:
            root = safe_sqrt(in_double(self.offset, points))
            points = torch.cat([points, root.repeat(len(points), 1)], 1)
        choices = list(combinations_with_replacement(range(points.shape[1]), self.degree))
        roots = torch.tensor([_multinomial(c) for c in choices], dtype=points.dtype).sqrt()
        columns = torch.tensor(choices, device=points.device).T
        features = roots.to(points.device).repeat(len(points), 1)
        for column in columns:
            features = features * points[:, column]
        return features.to(x.dtype)

    def __repr__(self) -> str:
        return f"Polynomial({self.degree}, offset={describe(self.offset)})"


def _multinomial(choice: tuple[int, ...]) -> int:
    """In how many orders the chosen coordinates can stand."""
    return factorial(len(choice)) // prod(factorial(choice.count(i)) for i in set(choice))


def _monomial(choice: tuple[str, ...]) -> str:
    powers = {s: choice.count(s) for s in dict.fromkeys(choice) if s != "1"}
    return " ".join(s if k == 1 else f"{s}^{k}" for s, k in powers.items()) or "1"
