"""A kernel of a module on the features of a table, and the expansion that training gives: no scikit-learn."""

from collections.abc import Callable
from copy import deepcopy
from functools import cached_property
from math import isinf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import non_negative, positive
from ntkit._core.copies import snapshot
from ntkit.dynamics.ensemble import Ensemble
from ntkit.dynamics.gaussian_process import GaussianProcess
from ntkit.dynamics.gradient_flow import GradientFlow
from ntkit.dynamics.normal import Normal
from ntkit.encodings.identity import Identity
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.empirical.kernel import empirical_ntk
from ntkit.kernels.infinite import nngp, ntk
from ntkit.networks.mlp import mlp
from ntkit.solvers.auto_method import Auto
from ntkit.solvers.inducing_points import InducingPoints
from ntkit.solvers.kernel_ridge import kernel_ridge
from ntkit.solvers.method import AbstractMethod

__all__ = ["KERNELS", "KernelModel", "relu_network"]

KERNELS: dict[str, Callable[[nn.Module], AbstractKernel]] = {
    "ntk": ntk,
    "nngp": nngp,
    "empirical": empirical_ntk,
}
"""Kernels of a module, by name."""

_ROWS = 2048
"""Test points at a time: their kernel with the training points is not kept."""


def relu_network(in_dim: int) -> nn.Module:
    """The default: three hidden ReLU layers in the NTK parametrisation, `b_std = 0.1`.

    Args:
        in_dim: Number of features.

    Example:
        >>> len(relu_network(4))
        8
    """
    generator = torch.Generator().manual_seed(0)
    return mlp(Identity(in_dim), 1, width=64, depth=3, parametrisation="ntk", generator=generator)


class KernelModel:
    """A function `K(x, X) weights` trained on squares, and its spread; pickles by its module.

    Args:
        module: A `torch.nn.Module`, a function of the number of features that makes one, or None for
            `relu_network`.
        kernel: A key of `KERNELS`, or a kernel of its own.
        t: Gradient-flow time.
        ridge: Added to the diagonal of the kernel matrix.
        x: Training points, float64.
        y: Targets.
        tolerance: Relative residual of the linear system, or relative error of the series in time; 1e-8
            by default.
        progress: Whether to show a bar; None for long solves at a terminal.
        method: Of the linear system at `t = inf`; what suits it by default.
        sample_weights: How many samples each stands for, `[n]`; those of weight zero are left out.

    Raises:
        TypeError: `module` is no choice.
        ValueError: `kernel` is no choice, or `method` does not serve `t` and `ridge`.
    """

    def __init__(
        self,
        module: Any,
        kernel: Any,
        t: float,
        ridge: float,
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n o"],
        *,
        tolerance: float | None = None,
        progress: bool | None = None,
        method: AbstractMethod | InducingPoints | None = None,
        sample_weights: Float[Tensor, " n"] | None = None,
    ) -> None:
        if not isinstance(kernel, AbstractKernel) and kernel not in list(KERNELS):
            raise ValueError(
                f'`kernel={kernel!r}` must be "ntk", "nngp", "empirical" or a kernel of '
                "`ntkit.kernels`."
            )
        if module is not None and not callable(module):
            raise TypeError(
                f"`module={module!r}` must be a `torch.nn.Module`, a function of the number of "
                "features that makes one, or None."
            )
        self._which = snapshot(kernel)  # of this moment, as the copy of the module
        self._t = non_negative("t", t)
        self._ridge = non_negative("ridge", ridge)
        self._tolerance = None if tolerance is None else positive("tolerance", tolerance)
        self._progress, self._method = progress, method
        if sample_weights is not None:
            counts = sample_weights > 0
            x, y, sample_weights = x[counts], y[counts], sample_weights[counts]
        self._x, self._y, self._sample_weights = x, y, sample_weights
        if isinstance(module, nn.Module):
            module = deepcopy(module)
        else:
            module = (module or relu_network)(x.shape[1])
        self._module = module.double().eval()
        self._points, self._weights = self._trained()

    def __getstate__(self) -> dict[str, Any]:
        made = {"_kernel", "_nngp"}  # traced graphs: made again where they are needed
        return {name: value for name, value in self.__dict__.items() if name not in made}

    @torch.no_grad()
    def predict(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m o"]:
        """`K(x, points) weights`, a few rows at a time."""
        parts = [self._kernel(rows, self._points) @ self._weights for rows in x.split(_ROWS)]
        return torch.cat(parts)

    @torch.no_grad()
    def distribution(self, x: Float[Tensor, "m d"]) -> Normal:
        """Mean and covariance of the function at `x`: over initialisations, or a posterior.

        Raises:
            ValueError: The time is finite, and the kernel has no distribution then; or the function is one of
                inducing points.
        """
        if isinstance(self._method, InducingPoints):
            raise ValueError(
                "A spread is that of the exact posterior of all points, and `method=InducingPoints(...)` takes a few "
                "for them. Leave `method` out, or ask for the prediction alone."
            )
        if self._which == "ntk":
            ensemble = Ensemble(
                self._nngp,
                self._kernel,
                self._x,
                self._y,
                ridge=self._ridge,
                sample_weights=self._sample_weights,
            )
            found = ensemble.predict(x, [self._t])
            return Normal(found.mean[0], found.covariance[0])
        if not isinf(self._t):
            raise ValueError(
                f"`t={self._t:g}`: a spread at a finite time is that of networks from random starts, "
                'which needs `kernel="ntk"`. With another kernel pass `t=inf` (the posterior of a '
                "Gaussian process)."
            )
        process = GaussianProcess(
            self._kernel,
            self._x,
            self._y,
            noise=self._ridge,
            sample_weights=self._sample_weights,
        )
        return process.predict(x)

    @torch.no_grad()
    def _trained(self) -> tuple[Tensor, Tensor]:
        """Points and weights of the expansion: `(K + ridge)^-1 (1 - exp(-t (K + ridge))) y`.

        Without a ridge at `t = inf` its limit.

        Raises:
            ValueError: `method` was passed, and there is no linear system.
        """
        if isinf(self._t) and self._ridge > 0:
            fit = kernel_ridge(
                self._kernel,
                self._x,
                self._y,
                ridge=self._ridge,
                sample_weights=self._sample_weights,
                method=self._method or Auto(),
                tolerance=self._tolerance,
                progress=self._progress,
            )
            if not isinstance(self._method, InducingPoints):
                return self._x, fit.solution.x
            assert isinstance(fit.points, Tensor)
            return fit.points, fit.solution.x
        if self._method is not None:
            raise ValueError(
                f"`method={self._method!r}` solves a linear system, and training for `t={self._t:g}` with "
                f"`ridge={self._ridge:g}` is none. Pass `t=inf` and a ridge above 0, or leave `method` out."
            )
        flow = GradientFlow(
            self._kernel,
            self._x,
            self._y,
            ridge=self._ridge,
            tolerance=self._tolerance,
            sample_weights=self._sample_weights,
        )
        found = flow.solution([self._t]).weights[0].T.double()
        weights = self._sample_weights
        return self._x, found if weights is None else found * weights.sqrt()[:, None]

    @cached_property
    def _kernel(self) -> AbstractKernel:
        if isinstance(self._which, AbstractKernel):
            return self._which
        return KERNELS[self._which](self._module)

    @cached_property
    def _nngp(self) -> AbstractKernel:
        return nngp(self._module)
