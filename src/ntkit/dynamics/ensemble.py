"""Networks trained from every initialisation at once: mean and covariance at any time."""

from collections.abc import Sequence
from functools import cached_property
from math import isinf

import torch
from torch import Tensor

from ntkit._core.checks import moments, non_negative, root_weights
from ntkit._core.copies import snapshot
from ntkit._core.pickling import Kept
from ntkit.dynamics.expansion import as_tensor
from ntkit.dynamics.normal import Normal
from ntkit.dynamics.targets import output_axes
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.response import FlowResponse, Limit, with_ridge

__all__ = ["Ensemble"]


class Ensemble(Kept):
    """The distribution over random initialisations of a wide network trained by gradient flow.

    It starts as a Gaussian process whose covariance is the NNGP kernel `K`, and stays one. With the
    tangent kernel `T` and `A_t = T(x, X) phi_t(T + ridge)`,

        mean_t = A_t y
        cov_t  = K(x, x) + A_t (K(X, X) + noise) A_t^T - A_t K(X, x) - K(x, X) A_t^T

    for the loss `1/2 * sum (f - y)^2`. A mode of eigenvalue zero (a point given twice) is never
    learned and keeps its prior spread; so the limits exist for singular kernels too.

    Args:
        nngp: Covariance at the start, `ntkit.nngp(module)`.
        ntk: Tangent kernel, `ntkit.ntk(module)`; the NNGP kernel again for a network of which the
            last layer alone is trained, which ends at the Bayesian posterior.
        points: Training points, `[n, ...]` or a `Grid`.
        y: Targets, `[n]` or `[n, o]`.
        ridge: Weight decay towards each member's own start.
        noise: Variance of noise on the targets, drawn for each member by itself. With as large a
            ridge, and the last layer trained alone, the ensemble then ends at the posterior given
            that noise.
        sample_weights: Of each sample in the loss, `1/2 * sum w (f - y)^2`, `[n]`, 0 or more; the noise
            on a target has the variance `noise / w`.

    Cost: one eigendecomposition `O(n^3)`, then `O(m n^2)` a time.

    Source: Lee et al. 2019 (arXiv:1902.06720), eqs. 13-16; Osband et al. 2018
    (arXiv:1806.03335), section 3, for targets with noise.

    Example:
        >>> import ntkit
        >>> net = ntkit.networks.mlp(ntkit.encodings.Identity(2), 1, width=64, depth=2)
        >>> x, y = torch.rand(8, 2), torch.rand(8)
        >>> ensemble = Ensemble(ntkit.nngp(net), ntkit.ntk(net), x, y)
        >>> start, end = ensemble.predict(x, [0.0, float("inf")]).deviation
        >>> bool((end < 1e-3 * start.max()).all())  # all members agree on the data
        True
    """

    def __init__(
        self,
        nngp: AbstractKernel,
        ntk: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        ridge: float = 0.0,
        noise: float = 0.0,
        sample_weights: Tensor | None = None,
    ) -> None:
        self._tail = output_axes(points, y)
        roots = torch.ones(len(points)).double()
        if sample_weights is not None:
            roots = root_weights(sample_weights, len(points))
        # of this moment, whatever becomes of the user's network and numbers
        nngp, ntk, points, y = snapshot((nngp, ntk, points, y))
        self._nngp, self._ntk = nngp, ntk
        self._points = as_tensor(ntk, points)
        self._y = y.double().reshape(len(points), -1).to(self._points.device)
        self._roots = roots.to(self._points.device)
        self._out_dtype = y.dtype
        self._ridge = non_negative("ridge", ridge)
        self._noise = non_negative("noise", noise)

    def predict(self, points: Grid | Tensor, times: Sequence[float] | Tensor) -> Normal:
        """Mean `[t, m]` or `[t, m, o]` and covariance `[t, m, m]` at `points`, at all `times`.

        Args:
            points: Where, `[m, ...]` or a `Grid`.
            times: Gradient-flow times, infinity included.
        """
        x = as_tensor(self._ntk, points)
        values, vectors, inside, target = self._basis
        roots = self._roots
        features = self._ntk(x, self._points).double() * roots @ vectors
        prior = self._nngp(x).double()
        cross = self._nngp(x, self._points).double() * roots @ vectors
        means, covariances = [], []
        for t in moments("times", times):
            response = with_ridge(Limit() if isinf(t) else FlowResponse(t), self._ridge)
            a = features * response.learned(values)
            mixed = a @ cross.T
            covariance = prior + a @ inside @ a.T - mixed - mixed.T
            means.append((a @ target).reshape(len(x), *self._tail))
            covariances.append((covariance + covariance.T) / 2)
        return Normal(
            torch.stack(means).to(self._out_dtype), torch.stack(covariances).to(self._out_dtype)
        )

    @cached_property
    def _basis(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Eigenvalues and vectors of the tangent kernel; NNGP kernel and targets in their basis.

        All of points that are scaled by the roots of their weights.
        """
        square = self._roots * self._roots[:, None]
        values, vectors = torch.linalg.eigh(self._ntk(self._points).double() * square)
        floor = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
        values = torch.where(values > floor, values, torch.zeros_like(values))
        noise = self._noise * (self._roots > 0).double().diag()
        inside = vectors.T @ (self._nngp(self._points).double() * square + noise) @ vectors
        return values, vectors, inside, vectors.T @ (self._roots[:, None] * self._y)
