"""The parameters that the estimators of trained networks share."""

from math import inf
from typing import Any

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from ntkit.estimators.model import KernelModel

__all__ = ["AbstractNTKEstimator"]


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
    ) -> None:
        self.module = module
        self.kernel = kernel
        self.t = t
        self.ridge = ridge
        self.tolerance = tolerance
        self.progress = progress

    def _train(self, X: Any, targets: Tensor) -> None:
        """Keep the expansion trained on checked points `[n, d]` and targets `[n, o]`."""
        points = torch.tensor(X)
        self.model_ = KernelModel(
            self.module,
            self.kernel,
            self.t,
            self.ridge,
            points,
            targets,
            tolerance=self.tolerance,
            progress=self.progress,
        )
