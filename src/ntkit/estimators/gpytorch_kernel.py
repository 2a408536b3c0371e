"""Kernels for GPyTorch's models, learned with the rest of the model."""

from collections.abc import Sequence
from typing import Any

import torch
from gpytorch.constraints import Interval, Positive
from gpytorch.kernels import Kernel
from gpytorch.priors import Prior
from torch import Tensor, nn

from ntkit.estimators.build import Build, made
from ntkit.kernels.base import AbstractKernel

__all__ = ["GPyTorchKernel"]


class GPyTorchKernel(Kernel):
    """An ntkit kernel as a `gpytorch.kernels.Kernel`: adds, multiplies and is trained as they are.

    Args:
        build: A function of the hyperparameters (0-d tensors) that returns a kernel; or a kernel that
            has none.
        values: Start of the hyperparameters, above 0, `[k]` or `[*batch_shape, k]`; `raw_values` is the
            parameter that is trained. `kernel.initialize(values=...)` sets them again.
        batch_shape: Axes of kernels with hyperparameters of their own, as of any kernel of GPyTorch.
        active_dims: Which features of the points the kernel sees; all of them if left out.
        values_constraint: Of all hyperparameters; `Positive()` if left out.
        values_prior: Of all hyperparameters, for the marginal likelihood.

    Example:
        >>> from ntkit.kernels import RBF
        >>> kernel = GPyTorchKernel(lambda scale: RBF(scale), values=[0.5])
        >>> x = torch.linspace(0, 1, 3)[:, None]
        >>> torch.allclose(kernel(x).to_dense(), RBF(0.5)(x)), kernel.values.shape
        (True, torch.Size([1]))
    """

    has_lengthscale = False

    def __init__(
        self,
        build: Build,
        values: Sequence[Any] | Tensor = (),
        *,
        batch_shape: Sequence[int] = (),
        active_dims: Sequence[int] | None = None,
        values_constraint: Interval | None = None,
        values_prior: Prior | None = None,
    ) -> None:
        axes = torch.Size(batch_shape)
        super().__init__(
            batch_shape=axes, active_dims=None if active_dims is None else tuple(active_dims)
        )
        self.build = build
        start = torch.as_tensor(values, dtype=torch.float64).detach()
        raw = torch.zeros(*axes, start.shape[-1], dtype=torch.float64)
        self.register_parameter("raw_values", nn.Parameter(raw))
        self.register_constraint("raw_values", values_constraint or Positive())
        if values_prior is not None:
            self.register_prior("values_prior", values_prior, _read, _write)
        self.values = start.expand_as(raw)

    @property
    def values(self) -> Tensor:
        """The hyperparameters as they are, `[*batch_shape, k]`."""
        return self._constraint.transform(self._raw)

    @values.setter
    def values(self, values: Any) -> None:
        found = torch.as_tensor(values).to(self._raw)
        self.initialize(raw_values=self._constraint.inverse_transform(found))

    @property
    def _raw(self) -> Tensor:
        raw = self.raw_values
        assert isinstance(raw, Tensor)
        return raw

    @property
    def _constraint(self) -> Interval:
        found = self.constraint_for_parameter_name("raw_values")
        assert isinstance(found, Interval)
        return found

    def forward(
        self,
        x1: Tensor,
        x2: Tensor,
        diag: bool = False,
        last_dim_is_batch: bool = False,
        **_: Any,
    ) -> Tensor:
        """The Gram matrix, or its diagonal; batch axes of points and of hyperparameters are matched.

        Args:
            x1: Points of the rows, `[*b, n, d]`.
            x2: Points of the columns, `[*b, m, d]`.
            diag: Whether the diagonal alone is wanted.
            last_dim_is_batch: Refused.

        Raises:
            ValueError: Each feature is to be a batch of its own.

        Cost: one Gram matrix a member of the batch, one after the other.
        """
        if last_dim_is_batch:
            raise ValueError(
                "`GPyTorchKernel` takes no `last_dim_is_batch=True`. Sum or multiply kernels that have "
                "`active_dims` of their own."
            )
        values = self.values
        axes = torch.broadcast_shapes(x1.shape[:-2], x2.shape[:-2], values.shape[:-1])
        if not axes:
            return _table(made(self.build, values), x1, x2, diag)
        members = zip(
            values.expand(*axes, -1).flatten(0, -2),
            x1.expand(*axes, -1, -1).flatten(0, -3),
            x2.expand(*axes, -1, -1).flatten(0, -3),
            strict=True,
        )
        found = torch.stack([_table(made(self.build, v), a, b, diag) for v, a, b in members])
        return found.unflatten(0, axes)


def _table(kernel: AbstractKernel, x1: Tensor, x2: Tensor, diag: bool) -> Tensor:
    """`[n, m]`, or `[n]`: entries of the same place."""
    same = x1.shape == x2.shape and torch.equal(x1, x2)
    if not diag:
        return kernel(x1) if same else kernel(x1, x2)
    if same:
        return kernel.diag(x1)
    return torch.cat([kernel(a[None], b[None]).flatten() for a, b in zip(x1, x2, strict=True)])


def _read(kernel: GPyTorchKernel) -> Tensor:
    return kernel.values


def _write(kernel: GPyTorchKernel, values: Tensor | float) -> None:
    kernel.values = values
