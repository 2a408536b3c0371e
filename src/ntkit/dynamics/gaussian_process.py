"""Bayesian inference with a kernel as covariance: posterior, evidence, hyperparameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import positive, positive_int, root_weights
from ntkit._core.copies import snapshot
from ntkit._core.errors import NumericalError
from ntkit._core.pickling import Kept
from ntkit.dynamics.expansion import as_tensor
from ntkit.dynamics.normal import Normal
from ntkit.dynamics.targets import output_axes
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.hyperparameter import Hyperparameter, in_double, scalar
from ntkit.solvers.cholesky import CholeskyFactor, cholesky

__all__ = ["Fit", "GaussianProcess"]


@dataclass(frozen=True)
class Fit:
    """What learning hyperparameters came to.

    Attributes:
        log_marginal_likelihood: At the values found.
        converged: Whether the slope in the logarithms of all of them fell below the tolerance.
        evaluations: Likelihoods computed.

    Example:
        >>> import ntkit
        >>> noise = torch.tensor(1.0, requires_grad=True)
        >>> x, y = torch.zeros(2, 1), torch.tensor([[2.0], [-2.0]])
        >>> process = GaussianProcess(ntkit.kernels.Constant(1e-9), x, y, noise=noise)
        >>> process.fit([noise]).converged, round(noise.item(), 3)  # its variance is the mean of y^2
        (True, 4.0)
    """

    log_marginal_likelihood: float
    converged: bool
    evaluations: int


class GaussianProcess(Kept):
    """The posterior of a Gaussian process given noisy values; with `ntkit.nngp`, of an infinite network.

    `mean = K(x, X) (K + noise)^-1 y`, `cov = K(x, x) - K(x, X) (K + noise)^-1 K(X, x)`. Outputs are
    independent and share the covariance. The kernel is evaluated afresh at each call, so that
    hyperparameters may change between.

    Args:
        kernel: Prior covariance.
        points: Training points, `[n, ...]` or a `Grid`.
        y: Their values, `[n]` or `[n, o]`.
        noise: Variance of the noise on `y`, 0 or more; a 0-d tensor may ask for gradients. Without
            noise a singular kernel has its limit: directions of eigenvalue zero say nothing.
        sample_weights: How many values each of `y` stands for, `[n]`, 0 or more: the mean of `w` values
            has noise of variance `noise / w`.

    Cost: `O(n^3)` a call, by Cholesky; by eigenvectors where there is no noise.

    Source: Rasmussen and Williams 2006, algorithm 2.1; Lee et al. 2018 (arXiv:1711.00165).

    Example:
        >>> from ntkit.kernels import RBF
        >>> lengthscale = torch.tensor(1.0, requires_grad=True)
        >>> x = torch.linspace(0, 1, 20)[:, None]
        >>> process = GaussianProcess(RBF(lengthscale), x, torch.sin(9 * x[:, 0]), noise=1e-3)
        >>> fit = process.fit([lengthscale])
        >>> 0.1 < lengthscale.item() < 0.5, fit.converged
        (True, True)
        >>> process.predict(x).deviation.shape
        torch.Size([20])
    """

    def __init__(
        self,
        kernel: AbstractKernel,
        points: Grid | Tensor,
        y: Tensor,
        *,
        noise: Hyperparameter = 0.0,
        sample_weights: Tensor | None = None,
    ) -> None:
        self._tail = output_axes(points, y)
        roots = None if sample_weights is None else root_weights(sample_weights, len(points))
        self._kernel = kernel
        points, y = snapshot((points, y))
        self._points = as_tensor(kernel, points)
        self._y = y.double().reshape(len(points), -1).to(self._points.device)
        self._roots = None if roots is None else roots.to(self._points.device)
        if self._roots is not None:  # a value of weight zero says nothing
            said = self._roots > 0
            self._points, self._y = self._points[said], self._y[said]
            self._roots = self._roots[said]
        self._out_dtype = y.dtype
        self._noise = scalar("noise", noise, zero=True)

    @torch.no_grad()
    def predict(self, points: Grid | Tensor) -> Normal:
        """Posterior of the function, without noise, at `points`: mean `[m]` or `[m, o]`, cov `[m, m]`.

        Args:
            points: Where, `[m, ...]` or a `Grid`.
        """
        x = as_tensor(self._kernel, points)
        root = self._inverse_root()
        whitened = root @ self._kernel(self._points, x).double()
        mean = whitened.T @ (root @ self._y)
        covariance = self._kernel(x).double() - whitened.T @ whitened
        return Normal(
            mean.reshape(len(x), *self._tail).to(self._out_dtype), covariance.to(self._out_dtype)
        )

    def sample(
        self, points: Grid | Tensor, count: int, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Functions from the posterior, `[count, m]` or `[count, m, o]`.

        Args:
            points: Where, `[m, ...]` or a `Grid`.
            count: How many.
            generator: Source of randomness; torch's default one if left out.
        """
        count = positive_int("count", count)
        return self.predict(points).sample(count, generator=generator)

    def log_marginal_likelihood(self) -> Float[Tensor, ""]:
        """`log p(y)`, summed over outputs, with gradients in the hyperparameters.

        A singular covariance has none: `NumericalError` says so.
        """
        n, outputs = self._y.shape
        factor = _cholesky(self._noisy())
        fit = factor.whiten(self._y).square().sum()
        return -0.5 * (fit + outputs * factor.logdet() + n * outputs * log(2 * pi))

    def fit(
        self, parameters: Sequence[Tensor], *, max_steps: int = 200, tolerance: float = 1e-6
    ) -> Fit:
        """Learn hyperparameters by the marginal likelihood, in place: L-BFGS in their logarithms.

        Args:
            parameters: The tensors that kernel and noise were made with, all above 0.
            max_steps: Steps of L-BFGS.
            tolerance: Slope of the likelihood per sample, in any logarithm, at which to stop.

        Raises:
            ValueError: A parameter does not ask for gradients, or is not above 0.
        """
        for i, p in enumerate(parameters):
            if not p.requires_grad or not p.is_leaf or bool((p <= 0).any()):
                raise ValueError(
                    f"`parameters[{i}]` must be a leaf tensor above 0 that asks for gradients: "
                    "`torch.tensor(1.0, requires_grad=True)`."
                )
        search = _Search(self, list(parameters), positive("tolerance", tolerance))
        return search.run(positive_int("max_steps", max_steps))

    @property
    def n_samples(self) -> int:
        """Training samples."""
        return len(self._points)

    def _noisy(self) -> Tensor:
        matrix = self._kernel(self._points).double()
        noise = in_double(self._noise, matrix) * torch.ones(len(matrix)).to(matrix)
        return matrix + torch.diag(noise if self._roots is None else noise / self._roots**2)

    def _inverse_root(self) -> Tensor:
        """`R` with `R^T R = (K + noise)^-1`; the pseudo-inverse without noise."""
        if in_double(self._noise, self._points).detach() > 0:
            matrix = self._noisy()
            return _cholesky(matrix).whiten(torch.eye(len(matrix)).to(matrix))
        values, vectors = torch.linalg.eigh(self._kernel(self._points).double())
        floor = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
        kept = values > floor
        return (vectors[:, kept] / values[kept].sqrt()).T


class _Search:
    """L-BFGS on the logarithms of hyperparameters; the best point seen is kept."""

    def __init__(
        self, process: GaussianProcess, parameters: list[Tensor], tolerance: float
    ) -> None:
        self._process, self._parameters, self._tolerance = process, parameters, tolerance
        self._logs = [p.detach().double().log().requires_grad_() for p in parameters]
        self._best, self._slope = float("inf"), float("inf")
        self._best_logs = [u.detach().clone() for u in self._logs]
        self._evaluations = 0

    def run(self, max_steps: int) -> Fit:
        optimiser = torch.optim.LBFGS(
            self._logs,
            max_iter=max_steps,
            tolerance_grad=self._tolerance,
            tolerance_change=1e-12,
            line_search_fn="strong_wolfe",
        )
        optimiser.step(self._loss)
        self._write(self._best_logs)
        n = self._process.n_samples
        return Fit(-self._best * n, self._slope <= 10 * self._tolerance, self._evaluations)

    def _loss(self) -> Tensor:
        self._write(self._logs)
        self._evaluations += 1
        try:
            value = -self._process.log_marginal_likelihood() / self._process.n_samples
        except NumericalError:  # a step too far: the line search comes back from a high wall
            for u in self._logs:
                u.grad = torch.zeros_like(u)
            return torch.tensor(self._best + 1e3, dtype=torch.float64)
        slopes = torch.autograd.grad(value, self._parameters)
        for u, p, slope in zip(self._logs, self._parameters, slopes, strict=True):
            u.grad = (p.detach() * slope).double()
        if value.item() <= self._best:
            self._best = value.item()
            self._slope = max(float(u.grad.abs().max()) for u in self._logs if u.grad is not None)
            self._best_logs = [u.detach().clone() for u in self._logs]
        return value.detach()

    @torch.no_grad()
    def _write(self, logs: Sequence[Tensor]) -> None:
        for p, u in zip(self._parameters, logs, strict=True):
            p.copy_(u.exp())


def _cholesky(matrix: Tensor) -> CholeskyFactor:
    """The factor of the matrix as it is.

    Raises:
        NumericalError: There is none to working precision.
    """
    factor = cholesky(matrix)
    if factor.jitter:
        raise NumericalError(
            "The covariance of the values is singular to working precision: points given twice, or a "
            f"kernel of low rank. Give a larger `noise`, at least {factor.jitter:.2g}."
        )
    return factor
