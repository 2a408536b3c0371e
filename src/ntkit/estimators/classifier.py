"""Classification by a trained, infinitely wide network, as a scikit-learn estimator."""

from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkit.estimators.base import AbstractNTKEstimator

__all__ = ["NTKClassifier"]


class NTKClassifier(ClassifierMixin, AbstractNTKEstimator):
    """The class whose output is largest once a wide network is trained on squares for a time `t`.

    The targets are one for the class and zero for the others, less their mean `1 / classes`.

    Args:
        module: As in `NTKRegressor`.
        kernel: As in `NTKRegressor`.
        t: Gradient-flow time, for the loss `1/2 * sum (f - y)^2`.
        ridge: Weight decay towards the start, added to the kernel's diagonal.
        tolerance: As in `NTKRegressor`.
        progress: As in `NTKRegressor`.

    Attributes:
        classes_: The labels, sorted.
        model_: The trained expansion.
        n_features_in_: Number of features.

    Source: Lee et al. 2019 (arXiv:1902.06720); Arora et al. 2020 (arXiv:1910.01663), small data.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> NTKClassifier(ridge=0.1).fit(X[::2], y[::2]).score(X[1::2], y[1::2]) > 0.9
        True
    """

    def fit(self, X: Any, y: Any) -> "NTKClassifier":
        """Train on `X [n, d]` and labels `y [n]`."""
        X, y = validate_data(self, X, y, dtype="float64")
        check_classification_targets(y)
        self.classes_, index = np.unique(y, return_inverse=True)
        codes = torch.nn.functional.one_hot(torch.as_tensor(index), len(self.classes_)).double()
        codes -= 1 / len(self.classes_)
        self._train(X, codes)
        return self

    def decision_function(self, X: Any) -> Any:
        """The outputs, `[m, classes]`; of two classes that of the second, `[m]`."""
        check_is_fitted(self)
        points = torch.tensor(validate_data(self, X, dtype="float64", reset=False))
        outputs = self.model_.predict(points).numpy()
        return outputs[:, 1] if len(self.classes_) == 2 else outputs

    def predict(self, X: Any) -> Any:
        """Labels, `[m]`."""
        outputs = self.decision_function(X)
        index = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(1)
        return self.classes_[index]
