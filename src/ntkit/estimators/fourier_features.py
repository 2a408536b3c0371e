"""Random Fourier features as a scikit-learn transformer, with the bandwidth in either unit."""

from math import pi, sqrt
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ntkit._core.checks import positive, positive_int
from ntkit.encodings.gaussian import Gaussian

__all__ = ["FourierFeatures"]


class FourierFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """`cos(2 pi b.x) / sqrt(m)` and `sin(2 pi b.x) / sqrt(m)` for `m` random frequencies `b`.

    Their dot products tend to `exp(-gamma |x - x'|^2)`, scikit-learn's RBF kernel, with
    `gamma = 2 pi^2 bandwidth^2`; the error falls as `m^-1/2`.

    Args:
        n_frequencies: `m`; there are `2 m` features.
        bandwidth: Standard deviation of the frequencies, in cycles per unit of `x`; 1 if `gamma` is left
            out too.
        gamma: The same in the unit of `RBFSampler` and `SVC`; one of the two. "scale" takes
            `1 / (d * X.var())` of the data of `fit`, as they do.
        random_state: Of the draw.

    Attributes:
        bandwidth_: As used.
        gamma_: As used.
        frequencies_: `[m, d]`, cycles per unit.
        n_features_in_: Number of features of the input.

    Source: Rahimi and Recht 2007; Tancik et al. 2020 (arXiv:2006.10739), eq. 5.

    Example:
        >>> FourierFeatures(gamma=0.5, random_state=0).fit([[0.0], [1.0]]).bandwidth_ * 2 * pi
        1.0
    """

    def __init__(
        self,
        n_frequencies: Any = 256,
        *,
        bandwidth: Any = None,
        gamma: Any = None,
        random_state: Any = None,
    ) -> None:
        self.n_frequencies = n_frequencies
        self.bandwidth = bandwidth
        self.gamma = gamma
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "FourierFeatures":
        """Draw the frequencies for the number of features of `X`.

        Raises:
            ValueError: Both `bandwidth` and `gamma` are given, or `gamma` is another word.
        """
        X = validate_data(self, X, dtype="float64")
        if self.bandwidth is not None and self.gamma is not None:
            raise ValueError(
                f"`bandwidth={self.bandwidth!r}, gamma={self.gamma!r}`: give one of them; "
                "`gamma = 2 pi^2 bandwidth^2`."
            )
        if self.gamma is None:
            self.bandwidth_ = (
                1.0 if self.bandwidth is None else positive("bandwidth", self.bandwidth)
            )
        else:
            self.bandwidth_: float = sqrt(self._gamma_for(X) / 2) / pi
        self.gamma_: float = 2 * pi**2 * self.bandwidth_**2
        count = positive_int("n_frequencies", self.n_frequencies)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        generator = torch.Generator().manual_seed(seed)
        encoding = Gaussian(X.shape[1], count, self.bandwidth_, generator)
        self.frequencies_: np.ndarray = encoding.frequencies.double().numpy()
        self._n_features_out = 2 * count
        return self

    def _gamma_for(self, X: Any) -> float:
        if not isinstance(self.gamma, str):
            return positive("gamma", self.gamma)
        if self.gamma != "scale":
            raise ValueError(f'`gamma={self.gamma!r}` must be a number above 0, or "scale".')
        return 1 / (
            X.shape[1] * (X.var() or 1.0)
        )  # of data that do not vary: 1 / d, as in RBFSampler

    def transform(self, X: Any) -> Any:
        """The features, `[n, 2 m]`: all cosines, then all sines."""
        check_is_fitted(self)
        X = torch.tensor(validate_data(self, X, dtype="float64", reset=False))
        phase = 2 * pi * X @ torch.as_tensor(self.frequencies_).T
        return (torch.cat([phase.cos(), phase.sin()], 1) / sqrt(phase.shape[1])).numpy()
