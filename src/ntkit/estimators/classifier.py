"""Classification by a trained, infinitely wide network, as a scikit-learn estimator."""

from math import inf
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkit.estimators.base import AbstractNTKEstimator, checked_weights

__all__ = ["NTKClassifier"]


class NTKClassifier(ClassifierMixin, AbstractNTKEstimator):
    """The class whose output is largest once a wide network is trained on squares for a time `t`.

    The targets are one for the class and zero for the others, less their mean `1 / classes`. So the
    outputs, with that mean, estimate the probabilities of the classes, the best ones by the square of
    the error (Brier's score); `predict_proba` takes the nearest that are none below zero and sum to one.

    Args:
        module: As in `NTKRegressor`.
        kernel: As in `NTKRegressor`.
        t: Gradient-flow time, for the loss `1/2 * sum (f - y)^2`.
        ridge: Weight decay towards the start, added to the kernel's diagonal. Where it is small beside
            that, every label is fitted, and weights of samples and classes make no difference.
        tolerance: As in `NTKRegressor`.
        progress: As in `NTKRegressor`.
        method: As in `NTKRegressor`.
        class_weight: Factors of the samples' weights by class, as a dict; "balanced" gives all classes
            the same weight together; None takes samples as they are.

    Attributes:
        classes_: The labels, sorted.
        model_: The trained expansion.
        n_features_in_: Number of features.

    Source: Lee et al. 2019 (arXiv:1902.06720); Arora et al. 2020 (arXiv:1910.01663), small data; Brier
    1950 for the score; Duchi et al. 2008 for the nearest probabilities.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> model = NTKClassifier().fit(X[::2], y[::2])
        >>> model.score(X[1::2], y[1::2]) > 0.9, model.predict_proba(X[:4]).shape
        (True, (4, 3))
    """

    def __init__(
        self,
        module: Any = None,
        *,
        kernel: Any = "ntk",
        t: Any = inf,
        ridge: Any = 0.1,
        tolerance: Any = None,
        progress: Any = None,
        method: Any = None,
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            module,
            kernel=kernel,
            t=t,
            ridge=ridge,
            tolerance=tolerance,
            progress=progress,
            method=method,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NTKClassifier":
        """Train on `X [n, d]` and labels `y [n]`.

        Args:
            X: Points.
            y: Labels.
            sample_weight: How many samples each stands for, `[n]`, 0 or more.
        """
        X, y = validate_data(self, X, y, dtype="float64")
        check_classification_targets(y)
        labels, index = np.unique(y, return_inverse=True)
        self.classes_: np.ndarray = labels
        codes = torch.nn.functional.one_hot(torch.as_tensor(index), len(self.classes_)).double()
        codes -= 1 / len(self.classes_)
        weights = checked_weights(sample_weight, len(X))
        self._train(X, codes, self._with_classes(index, weights))
        return self

    def _with_classes(self, index: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Weights of samples, times those of their classes.

        Raises:
            ValueError: `class_weight` is no choice, or names a class that there is not.
        """
        if self.class_weight is None:
            return weights
        weights = np.ones(len(index)) if weights is None else weights
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise ValueError(
                    f'`class_weight={self.class_weight!r}` must be "balanced", a dict of classes, or None.'
                )
            totals = np.bincount(index, weights, len(self.classes_))
            share = weights.sum() / (totals > 0).sum()
            factors = np.divide(share, totals, out=np.zeros_like(totals), where=totals > 0)
        else:
            unknown = set(self.class_weight) - set(self.classes_.tolist())
            if unknown:
                raise ValueError(
                    f"`class_weight` names {sorted(unknown, key=repr)}, and the classes are "
                    f"{self.classes_.tolist()}."
                )
            factors = np.array([self.class_weight.get(c, 1.0) for c in self.classes_.tolist()])
        return checked_weights(weights * factors[index], len(index))

    def decision_function(self, X: Any) -> Any:
        """The outputs, `[m, classes]`; of two classes that of the second, `[m]`."""
        check_is_fitted(self)
        points = torch.tensor(validate_data(self, X, dtype="float64", reset=False))
        outputs = self.model_.predict(points).numpy()
        return outputs[:, 1] if len(self.classes_) == 2 else outputs

    def predict_proba(self, X: Any) -> Any:
        """Probabilities of the classes, `[m, classes]`: the nearest to the outputs."""
        outputs = self.decision_function(X)
        if outputs.ndim == 1:
            outputs = np.stack([-outputs, outputs], 1)
        return _nearest_probabilities(outputs + 1 / len(self.classes_))

    def predict(self, X: Any) -> Any:
        """Labels, `[m]`."""
        outputs = self.decision_function(X)
        index = (outputs > 0).astype(int) if outputs.ndim == 1 else outputs.argmax(1)
        return self.classes_[index]


def _nearest_probabilities(rows: np.ndarray) -> np.ndarray:
    """The nearest point of each row with entries of 0 or more that sum to one: `max(0, row - excess)`."""
    descending = -np.sort(-rows, axis=1)
    excess = (descending.cumsum(1) - 1) / np.arange(1, rows.shape[1] + 1)
    last = (descending > excess).sum(1, keepdims=True) - 1  # of the entries that stay above zero
    found = np.maximum(rows - np.take_along_axis(excess, last, 1), 0)
    return found / found.sum(1, keepdims=True)
