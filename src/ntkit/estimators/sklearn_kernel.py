"""Kernels for scikit-learn's Gaussian processes, with analytic gradients."""

from typing import Any

import numpy as np
import torch
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel
from torch import Tensor

from ntkit.estimators.build import Build, made, slopes
from ntkit.kernels.base import AbstractKernel

__all__ = ["SklearnKernel"]


class SklearnKernel(Kernel):
    """An ntkit kernel as one of `sklearn.gaussian_process.kernels`: adds and multiplies with them.

    The gradients that `GaussianProcessRegressor` asks for are those of automatic differentiation, in
    the logarithms of the hyperparameters, as scikit-learn has it.

    Args:
        build: A function of the hyperparameters (0-d tensors) that returns a kernel, defined at the top
            of a module where it is to be pickled; or a kernel that has none.
        values: Start of the hyperparameters, above 0.
        values_bounds: Of the search, for all of them (or a pair each); "fixed" to keep them.

    Example:
        >>> from sklearn.gaussian_process import GaussianProcessRegressor
        >>> from ntkit.kernels import RBF
        >>> X = np.linspace(0, 1, 20)[:, None]
        >>> kernel = SklearnKernel(lambda size, scale: size * RBF(scale), values=(1.0, 0.3))
        >>> process = GaussianProcessRegressor(kernel, alpha=1e-4).fit(X, np.sin(9 * X[:, 0]))
        >>> bool(0.25 < process.kernel_.values[1] < 0.3)
        True
    """

    def __init__(
        self,
        build: Build,
        values: Any = (),
        values_bounds: Any = (1e-5, 1e5),
    ) -> None:
        self.build = build
        self.values = values
        self.values_bounds = values_bounds

    @property
    def hyperparameter_values(self) -> Hyperparameter:
        """How scikit-learn sees `values`: one hyperparameter of as many elements."""
        return Hyperparameter("values", "numeric", self.values_bounds, max(1, np.size(self.values)))

    @property
    def hyperparameters(self) -> list[Hyperparameter]:
        """None where the kernel has none."""
        return [self.hyperparameter_values] if np.size(self.values) else []

    def __call__(self, X: Any, Y: Any = None, eval_gradient: bool = False) -> Any:
        """The Gram matrix; with `eval_gradient` also its derivatives in `theta`, `[n, n, k]`.

        Args:
            X: Points of the rows.
            Y: Points of the columns; `X` if left out.
            eval_gradient: Whether derivatives are wanted.

        Raises:
            ValueError: Derivatives are wanted, and `Y` is given.
        """
        x = torch.tensor(np.asarray(X, dtype=np.float64))
        if not eval_gradient:
            y = None if Y is None else torch.tensor(np.asarray(Y, dtype=np.float64))
            with torch.no_grad():
                return made(self.build, self._tensor())(x, y).numpy()
        if Y is not None:
            raise ValueError("`eval_gradient=True` is for `Y=None` alone, as in scikit-learn.")

        def table(kernel: AbstractKernel) -> Tensor:
            return kernel(x)

        if not self.n_dims:
            return self(X), np.empty((len(x), len(x), 0))
        matrix, gradient = slopes(table, self.build, self._tensor())
        return matrix.numpy(), gradient.movedim(0, -1).numpy()

    def diag(self, X: Any) -> Any:
        """The diagonal alone."""
        x = torch.tensor(np.asarray(X, dtype=np.float64))
        with torch.no_grad():
            return made(self.build, self._tensor()).diag(x).numpy()

    def is_stationary(self) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        """False: nothing is claimed."""
        return False

    def _tensor(self) -> Tensor:
        return torch.as_tensor(np.atleast_1d(np.asarray(self.values, dtype=np.float64)))

    def __repr__(self) -> str:
        name = getattr(self.build, "__name__", repr(self.build))
        return f"SklearnKernel({name}, values=[{', '.join(f'{v:.3g}' for v in self._tensor())}])"
