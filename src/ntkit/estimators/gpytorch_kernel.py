"""Kernels for GPyTorch's models, learned with the rest of the model."""

from collections.abc import Sequence
from typing import Any

import torch
from gpytorch.constraints import Positive
from gpytorch.kernels import Kernel
from torch import Tensor, nn

from ntkit.estimators.build import Build, made

__all__ = ["GPyTorchKernel"]


class GPyTorchKernel(Kernel):
    """An ntkit kernel as a `gpytorch.kernels.Kernel`, for an `ExactGP` of points `[n, d]`.

    Args:
        build: A function of the hyperparameters (0-d tensors) that returns a kernel; or a kernel that
            has none.
        values: Start of the hyperparameters, above 0; `raw_values` is the parameter that is trained.

    Example:
        >>> from ntkit.kernels import RBF
        >>> kernel = GPyTorchKernel(lambda scale: RBF(scale), values=[0.5])
        >>> x = torch.linspace(0, 1, 3)[:, None]
        >>> torch.allclose(kernel(x).to_dense(), RBF(0.5)(x)), kernel.values.shape
        (True, torch.Size([1]))
    """

    has_lengthscale = False

    def __init__(self, build: Build, values: Sequence[float] = ()) -> None:
        super().__init__()
        self.build = build
        start = torch.as_tensor(list(values), dtype=torch.float64)
        self.register_parameter("raw_values", nn.Parameter(torch.zeros_like(start)))
        self.register_constraint("raw_values", Positive())
        self.initialize(raw_values=self._positive.inverse_transform(start))

    @property
    def values(self) -> Tensor:
        """The hyperparameters as they are, `[k]`."""
        raw = self.raw_values
        assert isinstance(raw, Tensor)
        return self._positive.transform(raw)

    @property
    def _positive(self) -> Positive:
        found = self.constraint_for_parameter_name("raw_values")
        assert isinstance(found, Positive)
        return found

    def forward(
        self,
        x1: Tensor,
        x2: Tensor,
        diag: bool = False,
        last_dim_is_batch: bool = False,
        **_: Any,
    ) -> Tensor:
        """The Gram matrix, or its diagonal.

        Args:
            x1: Points of the rows, `[n, d]`.
            x2: Points of the columns, `[m, d]`.
            diag: Whether the diagonal alone is wanted.
            last_dim_is_batch: Refused.

        Raises:
            ValueError: The points have batch axes.
        """
        if last_dim_is_batch or x1.ndim != 2 or x2.ndim != 2:
            raise ValueError(
                f"`GPyTorchKernel` takes points [n, d] without batch axes, got {tuple(x1.shape)} and "
                f"{tuple(x2.shape)}. Make a model for each, or an independent multitask model."
            )
        kernel = made(self.build, self.values)
        same = x1.shape == x2.shape and torch.equal(x1, x2)
        if not diag:
            return kernel(x1) if same else kernel(x1, x2)
        if same:
            return kernel.diag(x1)
        pairs = zip(x1, x2, strict=True)
        return torch.cat([kernel(a[None], b[None]).flatten() for a, b in pairs])
