"""Regression by a trained, infinitely wide network, as a scikit-learn estimator."""

from typing import Any

import torch
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkit.estimators.base import AbstractNTKEstimator, checked_weights

__all__ = ["NTKRegressor"]


class NTKRegressor(MultiOutputMixin, RegressorMixin, AbstractNTKEstimator):
    """What a wide network predicts after training on squares for a time `t`; zero before it.

    `f_t(x) = K(x, X) (K + ridge)^-1 (1 - exp(-t (K + ridge))) y`: kernel regression at `t = inf`,
    early stopping before. Scale the features first (`StandardScaler`), and the targets
    (`TransformedTargetRegressor`) where their mean is far from zero.

    Args:
        module: A module that takes `[n, d]`; or a function of `d` that makes one; three hidden ReLU
            layers by default.
        kernel: "ntk" or "nngp" of the module at infinite width, "empirical" for its tangent kernel as
            it stands, or a kernel of `ntkit.kernels`, which needs no module.
        t: Gradient-flow time, for the loss `1/2 * sum (f - y)^2`.
        ridge: Weight decay towards the start, added to the kernel's diagonal; as a Gaussian process,
            the variance of the noise.
        tolerance: Relative residual of the linear system at `t = inf`, of the series in time before;
            1e-8 if None. Where the matrix is not stored, 1e-4 takes float32 and a fraction of the time.
        progress: Whether to show a bar of the digits reached; if None, long solves show one at a
            terminal.
        method: How the linear system at `t = inf` is solved: an `ntkit.solvers.AbstractMethod`, or
            `InducingPoints(2000)` for a million points; what suits it if None.

    Attributes:
        model_: The trained expansion.
        n_features_in_: Number of features.

    Cost: Cholesky `n^3 / 3` at `t = inf`, one eigendecomposition before. Beyond 1 GiB of matrix the
    quicker of Cholesky and preconditioned conjugate gradients, by measured cost, in half of the
    memory that is free (`ntkit.solvers.Auto`).

    Source: Jacot et al. 2018 (arXiv:1806.07572), section 5; Lee et al. 2019 (arXiv:1902.06720),
    eqs. 10-16.

    Example:
        >>> import numpy as np
        >>> X = np.linspace(-2, 2, 30)[:, None]
        >>> model = NTKRegressor(ridge=1e-2).fit(X, np.sin(3 * X[:, 0]))
        >>> mean, std = model.predict([[0.5], [6.0]], return_std=True)
        >>> bool(std[0] < std[1])  # far from the data the networks of an ensemble disagree
        True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NTKRegressor":
        """Train on `X [n, d]` and `y [n]` or `[n, o]`.

        Args:
            X: Points.
            y: Targets.
            sample_weight: How many samples each stands for, `[n]`, 0 or more: the factor of its square
                in the loss.
        """
        X, y = validate_data(self, X, y, dtype="float64", multi_output=True, y_numeric=True)
        targets = torch.tensor(y, dtype=torch.float64)
        self._tail = tuple(targets.shape[1:])
        weights = checked_weights(sample_weight, len(X))
        self._train(X, targets.reshape(len(targets), -1), weights)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The trained function, `[m]` or `[m, o]`, and with `return_std` its standard deviation.

        The deviation of `kernel="ntk"` is over networks trained from random starts, that of others
        the posterior of a Gaussian process; both of the function, without noise.

        Args:
            X: Points, `[m, d]`.
            return_std: Whether to return the deviation too, in the shape of the prediction.
        """
        check_is_fitted(self)
        points = torch.tensor(validate_data(self, X, dtype="float64", reset=False))
        if not return_std:
            return self.model_.predict(points).reshape(len(points), *self._tail).numpy()
        found = self.model_.distribution(points)
        mean = found.mean.reshape(len(points), *self._tail)
        return mean.numpy(), found.deviation.reshape(mean.shape).numpy()
