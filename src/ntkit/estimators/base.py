"""The parameters that the estimators of trained networks share."""

from math import inf
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array
from torch import Tensor

from ntkit.estimators.model import KernelModel

__all__ = ["AbstractNTKEstimator", "checked_weights"]


class AbstractNTKEstimator(BaseEstimator):
    """A network trained on squares from zero: see `NTKRegressor` for what the parameters mean."""

    def __init__(
        self,
        module: Any = None,
        *,
        kernel: Any = "ntk",
        t: Any = inf,
        ridge: Any = 1e-3,
        tolerance: Any = None,
        progress: Any = None,
        method: Any = None,
    ) -> None:
        self.module = module
        self.kernel = kernel
        self.t = t
        self.ridge = ridge
        self.tolerance = tolerance
        self.progress = progress
        self.method = method

    def _train(self, X: Any, targets: Tensor, weights: np.ndarray | None) -> None:
        """Keep the expansion trained on checked points `[n, d]`, targets `[n, o]` and weights `[n]`."""
        points = torch.tensor(X)
        self.model_: KernelModel = KernelModel(
            self.module,
            self.kernel,
            self.t,
            self.ridge,
            points,
            targets,
            tolerance=self.tolerance,
            progress=self.progress,
            method=self.method,
            sample_weights=None if weights is None else torch.tensor(weights),
        )


def checked_weights(sample_weight: Any, n_samples: int) -> np.ndarray | None:
    """Sample weights as scikit-learn takes them: none, one number for all, or one a sample.

    Raises:
        ValueError: They are not one a sample, negative, or all zero.
    """
    if sample_weight is None:
        return None
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, float(sample_weight))
    found = check_array(sample_weight, ensure_2d=False, dtype="float64", input_name="sample_weight")
    if found.shape != (n_samples,):
        raise ValueError(
            f"`sample_weight` must be {n_samples} numbers, one a sample, got shape {found.shape}."
        )
    if (found < 0).any():
        raise ValueError(
            f"`sample_weight` has a negative weight, {found.min():g}. Weights say how many samples one "
            "stands for."
        )
    if not (found > 0).any():
        raise ValueError("`sample_weight` is zero for all samples: there is nothing to learn from.")
    return found
