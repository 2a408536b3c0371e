"""What a kernel is: Gram matrices of points, tables of lags where it is stationary, sums, products."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add, mul
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import floating_tensor
from ntkit._core.copies import Copier
from ntkit._core.html_card import html_card
from ntkit._core.pickling import Kept
from ntkit.grids import Grid
from ntkit.kernels.hyperparameter import Hyperparameter, describe, in_double, scalar

__all__ = [
    "AbstractKernel",
    "AbstractLagKernel",
    "Constant",
    "Product",
    "Sum",
    "as_stationary",
    "points_of",
]


class AbstractKernel(Kept, ABC):
    """A positive semi-definite function of pairs of points.

    Kernels add and multiply, with each other and with numbers of 0 or more: `2 * k1 + k2 * k3 + 1`.

    Example:
        >>> import ntkit, torch
        >>> kernel = 2 * ntkit.kernels.RBF(1.0) + ntkit.kernels.Linear()
        >>> x = torch.rand(3, 2).double()
        >>> isinstance(kernel, AbstractKernel), kernel(x).shape, kernel.diag(x).shape
        (True, torch.Size([3, 3]), torch.Size([3]))
    """

    @abstractmethod
    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The Gram matrix of `x1` against `x2` (itself if left out)."""

    @abstractmethod
    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """`k(x_i, x_i)`, without the rest of the matrix."""

    @property
    def device(self) -> torch.device | None:
        """Where the points and lags of a `Grid` are made for it; None where that is the CPU."""
        return None

    def features(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n f"]:
        """What the kernel takes dot products of, where that is finite.

        `features(x1) @ features(x2).T == kernel(x1, x2)`.

        Raises:
            ValueError: None exists.
        """
        found = self._features(x)
        if found is None:
            raise ValueError(
                f"`{self!r}` has no finite feature map to write out. Use its values, "
                "`kernel(x1, x2)`: the dot products of its features, without the features."
            )
        return found

    def copied_by(self, copier: Copier) -> "AbstractKernel":
        """The kernel as it is now, of copies of the tensors and modules that it is made of."""
        return copier.fields(self)

    def _features(self, x: Tensor) -> Tensor | None:
        """What `features` returns; None, unless a kernel says otherwise."""
        return None

    def _repr_html_(self) -> str:
        rows = (("kernel", repr(self)), ("class", type(self).__name__), ("device", self.device))
        return html_card("Kernel", rows)

    def __add__(self, other: "AbstractKernel | Hyperparameter") -> "Sum":
        return Sum(*_parts(Sum, self), *_parts(Sum, other))

    def __radd__(self, other: Hyperparameter) -> "Sum":
        return Sum(*_parts(Sum, other), *_parts(Sum, self))

    def __mul__(self, other: "AbstractKernel | Hyperparameter") -> "Product":
        return Product(*_parts(Product, self), *_parts(Product, other))

    def __rmul__(self, other: Hyperparameter) -> "Product":
        return Product(*_parts(Product, other), *_parts(Product, self))


class AbstractLagKernel(AbstractKernel):
    """A kernel that may be stationary, and then has a table of lags: the door to the grid engine.

    Example:
        >>> import ntkit
        >>> isinstance(ntkit.kernels.RBF(1.0), AbstractLagKernel)
        True
    """

    @property
    @abstractmethod
    def is_stationary(self) -> bool:
        """Whether the kernel depends on the difference of the points alone."""

    @property
    @abstractmethod
    def has_unit_period(self) -> bool:
        """Whether the kernel is stationary and has period 1 along each axis."""

    @abstractmethod
    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The kernel at every combination of lags, one 1-D tensor an axis, float64.

        Raises:
            ValueError: The kernel is not stationary.
        """


class Constant(AbstractLagKernel):
    """`k(x, x') = value`: what a number means in `kernel + 1` and `2 * kernel`.

    Args:
        value: 0 or more; a 0-d tensor may ask for gradients.

    Source: scikit-learn's `ConstantKernel`.

    Example:
        >>> Constant(2.0)(torch.zeros(1, 3), torch.ones(2, 3))
        tensor([[2., 2.]])
    """

    def __init__(self, value: Hyperparameter) -> None:
        self.value: Hyperparameter = scalar("value", value, zero=True)

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The value `n m` times."""
        floating_tensor("x1", x1)
        m = len(x1) if x2 is None else len(x2)
        return in_double(self.value, x1).to(x1.dtype).repeat(len(x1), m)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """The value `n` times."""
        return in_double(self.value, x).to(floating_tensor("x", x).dtype).repeat(len(x))

    @property
    def is_stationary(self) -> bool:
        """True."""
        return True

    @property
    def has_unit_period(self) -> bool:
        """True: it has every period."""
        return True

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The value at each lag."""
        return in_double(self.value, lags[0]).repeat([len(lag) for lag in lags])

    def _features(self, x: Tensor) -> Tensor:
        return in_double(self.value, x).sqrt().to(x.dtype).repeat(len(x), 1)

    def __repr__(self) -> str:
        return f"Constant({describe(self.value)})"


class AbstractComposite(AbstractLagKernel):
    """Kernels joined entry by entry; stationary if all parts are.

    A part must give one matrix `[n, m]` for one tensor of points.

    Attributes:
        parts: The kernels.
    """

    combine: Callable[[Tensor, Tensor], Tensor]

    def __init__(self, *parts: AbstractKernel) -> None:
        if not parts:
            raise ValueError(f"`{type(self).__name__}()` needs one kernel or more.")
        self.parts = parts

    @property
    def device(self) -> torch.device | None:
        """That of the first part that has one."""
        return next((p.device for p in self.parts if p.device is not None), None)

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """The parts' matrices, joined in float64 and rounded once."""
        first = floating_tensor("x1", x1).double()
        second = None if x2 is None else floating_tensor("x2", x2).double()
        shape = (len(x1), len(x1) if x2 is None else len(x2))
        tables = [_one(part, part(first, second), shape) for part in self.parts]
        return reduce(self.combine, tables).to(x1.dtype)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """The parts' diagonals, joined."""
        points = floating_tensor("x", x).double()
        tables = [_one(part, part.diag(points), (len(x),)) for part in self.parts]
        return reduce(self.combine, tables).to(x.dtype)

    @property
    def is_stationary(self) -> bool:
        """Whether every part is."""
        return all(as_stationary(part) for part in self.parts)

    @property
    def has_unit_period(self) -> bool:
        """Whether every part has."""
        return all(isinstance(p, AbstractLagKernel) and p.has_unit_period for p in self.parts)

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The parts' tables, joined.

        Raises:
            ValueError: A part is not stationary.
        """
        tables = []
        for part in self.parts:
            stationary = as_stationary(part)
            if stationary is None:
                raise ValueError(
                    f"A table of lags needs stationary parts, and `{part!r}` is not. "
                    "Use `kernel(x1, x2)` on the points instead."
                )
            tables.append(stationary.lag_table(lags))
        return reduce(self.combine, tables)


class Sum(AbstractComposite):
    """`k_1 + k_2 + ...`, written with `+`; its features are those of its parts, side by side.

    Args:
        parts: Kernels, one or more.

    Example:
        >>> from ntkit.kernels import RBF, Linear
        >>> Linear() + RBF(0.5) + 1
        Linear() + RBF(lengthscale=0.5) + Constant(1)
    """

    combine: Callable[[Tensor, Tensor], Tensor] = staticmethod(add)

    def _features(self, x: Tensor) -> Tensor:
        return torch.cat([part.features(x) for part in self.parts], 1)

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))


class Product(AbstractComposite):
    """`k_1 k_2 ...`, written with `*`; its features are the products of one of each part.

    Args:
        parts: Kernels, one or more.

    Source: Schur's product theorem; the Kronecker product of the feature vectors.

    Example:
        >>> from ntkit.kernels import RBF, Linear
        >>> 2 * RBF(0.5) * (Linear() + 1)
        Constant(2) * RBF(lengthscale=0.5) * (Linear() + Constant(1))
    """

    combine: Callable[[Tensor, Tensor], Tensor] = staticmethod(mul)

    def _features(self, x: Tensor) -> Tensor:
        columns = [part.features(x) for part in self.parts]
        return reduce(lambda a, b: (a[:, :, None] * b[:, None, :]).flatten(1), columns)

    def __repr__(self) -> str:
        names = [f"({part!r})" if isinstance(part, Sum) else repr(part) for part in self.parts]
        return " * ".join(names)


def points_of(kernel: AbstractKernel, points: Any) -> Any:
    """Points as a kernel takes them: those of a `Grid` written out, float64, where it computes."""
    return points.points().to(device=kernel.device) if isinstance(points, Grid) else points


def as_stationary(kernel: AbstractKernel) -> AbstractLagKernel | None:
    """The kernel itself where it is stationary, else None."""
    return kernel if isinstance(kernel, AbstractLagKernel) and kernel.is_stationary else None


def _parts(
    kind: type[Sum] | type[Product], term: AbstractKernel | Hyperparameter
) -> tuple[AbstractKernel, ...]:
    """The terms that a term adds to a flat sum or product."""
    if isinstance(term, kind):
        return term.parts
    return (term,) if isinstance(term, AbstractKernel) else (Constant(term),)


def _one(part: AbstractKernel, table: object, shape: tuple[int, ...]) -> Tensor:
    """What a part gave, refused unless it is one table of the shape of the others'.

    Raises:
        ValueError: It is not.
    """
    if isinstance(table, Tensor) and table.shape == shape:
        return table
    got = f"shape {tuple(table.shape)}" if isinstance(table, Tensor) else f"{type(table).__name__}"
    raise ValueError(
        f"A sum or product needs parts that give one table of shape {shape}; `{part!r}` gave {got}. "
        "Kernels of networks with several outputs or positions do not add; combine the networks."
    )
