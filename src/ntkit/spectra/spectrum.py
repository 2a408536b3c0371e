"""What the eigenvalues of a kernel say about training: the result of `ntkit.spectrum`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, log10, sqrt
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit import figures
from ntkit._core.checks import finite, floating_tensor, moments, positive
from ntkit._core.html_card import curve, html_card
from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.gram import gram
from ntkit.spectra.bases import AbstractBasis, FourierBasis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Spectrum"]

_DRAWN = 60
"""Eigenvalues that the curve of a notebook goes through."""


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """Eigenvalues and eigenvectors of a Gram matrix `K`, and what follows from them.

    Gradient flow on `1/2 * sum (f - y)^2` from `f = 0` multiplies what is missing of mode `i` by
    `exp(-eigenvalues[i] t)`, `t = lr * steps`. Where only the largest modes are known, what a target has
    outside of them counts as never learned.

    Attributes:
        eigenvalues: `[k]`, of `K` itself, descending, 0 where they are rounding; over `n` they
            estimate those of the kernel's integral operator.
        residuals: `[k]`, `|K v - eigenvalue v|`: an eigenvalue lies within that distance.
        converged: Whether the residuals are as small as was asked.
        trace: Of `K`: the sum of all `n` eigenvalues, known or not.
        n_points: `n`.
        method: How they were found: "dense", "low-rank", "top-k" or "grid".
        products: Products with the operator, for "top-k".
        basis: The eigenvectors.
        kernel: The kernel, if the spectrum is one of a kernel on points.
        points: Its points.

    Example:
        >>> import ntkit
        >>> circle = ntkit.encodings.Basic(1)
        >>> net = ntkit.networks.mlp(circle, 1, depth=2, parametrisation="ntk")
        >>> grid = ntkit.Grid(64)
        >>> spectrum = ntkit.spectrum(ntkit.ntk(net), grid)
        >>> spectrum
        <64 of 64 eigenvalues, method grid, 36.3 to 0.0237>
        >>> y = torch.sin(2 * torch.pi * 5 * grid.points()[:, 0])
        >>> spectrum.wave_vectors[spectrum.power(y).argmax()]
        tensor([-5.], dtype=torch.float64)
        >>> spectrum.loss(y, [0.0, 1.0, 2.0])
        tensor([16.0000,  6.8367,  2.9213], dtype=torch.float64)
    """

    eigenvalues: Float[Tensor, " k"]
    residuals: Float[Tensor, " k"]
    converged: bool
    trace: float
    n_points: int
    method: str
    products: int
    basis: AbstractBasis
    kernel: AbstractKernel | None
    points: Grid | Tensor | None

    @property
    def wave_vectors(self) -> Float[Tensor, "k d"] | None:
        """Signed cycles per period of each mode on a grid (its minus sign: the sine); else None."""
        return self.basis.wave_vectors if isinstance(self.basis, FourierBasis) else None

    def eigenfunctions(
        self, points: Grid | Tensor | None = None, *, count: int | None = None
    ) -> Float[Tensor, "m q"]:
        """Eigenfunctions as columns, of mean square 1 over the points of the spectrum.

        Elsewhere they are extended by the kernel: `phi_i(x) = sqrt(n) / s_i * K(x, X) v_i`.

        Args:
            points: Where; the points of the spectrum if left out.
            count: How many, the largest eigenvalues first; all that have a positive one by default.

        Raises:
            ValueError: An eigenvalue asked for is zero, or the kernel is not known.

        Source: Williams and Seeger 2001 (the Nystroem method), eq. 5.
        """
        positives = int((self.eigenvalues > 0).sum())
        count = (len(self.eigenvalues) if points is None else positives) if count is None else count
        if not 1 <= count <= len(self.eigenvalues):
            raise ValueError(f"`count={count}` must be from 1 to {len(self.eigenvalues)}.")
        vectors = sqrt(self.n_points) * self.basis.columns(count)
        if points is None:
            return vectors
        if self.kernel is None or self.points is None:
            raise ValueError(
                "`points`: the spectrum of a bare operator cannot be extended to other points. "
                "Use `ntkit.spectrum(kernel, points)`."
            )
        if count > positives:
            raise ValueError(
                f"`count={count}`: only {positives} eigenvalues are above 0, and the others have no "
                f"extension. Ask for `count={positives}` or fewer."
            )
        cross = gram(self.kernel, points, self.points)
        return cross.rows((vectors / self.eigenvalues[:count]).T).T

    def coefficients(self, y: Float[Tensor, "n ..."]) -> Float[Tensor, "k o"]:
        """Dot products of a target with the orthonormal eigenvectors.

        Args:
            y: On the points: `[n]`, `[n, o]`, or in the shape of the grid.
        """
        return self.basis.coefficients(self._columns(y))

    def power(self, y: Float[Tensor, "n ..."]) -> Float[Tensor, " k"]:
        """Squared coefficients of a target, summed over outputs; `|y|^2` in all if `k = n`."""
        return self.coefficients(y).square().sum(1)

    def time_to_learn(self, tolerance: float) -> Float[Tensor, " k"]:
        """Gradient-flow time until a share `tolerance` of each mode is left: `log(1/tolerance) / s`.

        In `t = lr * steps` of the loss `1/2 * sum`; infinite where the eigenvalue is zero.

        Args:
            tolerance: Between 0 and 1, of the amplitude (the loss falls with its square).

        Raises:
            ValueError: `tolerance` is not below 1.
        """
        if positive("tolerance", tolerance) >= 1:
            raise ValueError(
                f"`tolerance={tolerance!r}` must be below 1: the share that may remain."
            )
        return -log(tolerance) / self.eigenvalues

    def loss(self, y: Float[Tensor, "n ..."], times: Sequence[float] | Tensor) -> Tensor:
        """`1/2 * sum (f_t - y)^2` over the points under gradient flow from zero, one number a time.

        `1/2 sum_i c_i^2 exp(-2 s_i t)`, and half of what lies outside of the known modes: an upper
        bound where `k < n`. For a network that starts at `f_0` pass `y - f_0`.

        Args:
            y: Target on the points.
            times: Gradient-flow times, infinity included.
        """
        power = self.power(y)
        at = power.new_tensor(moments("times", times))
        rest = (self._columns(y).square().sum() - power.sum()).clamp_min(0)
        exponents = at[:, None] * self.eigenvalues
        # A zero eigenvalue is never learned, also at t = inf, where 0 * inf would be NaN.
        exponents = torch.where(self.eigenvalues > 0, exponents, 0.0)
        return 0.5 * (torch.exp(-2 * exponents) @ power + rest)

    def effective_dimension(self, ridge: float) -> float:
        """Modes that a ridge penalty leaves free: `sum s / (s + ridge) = tr K (K + ridge)^-1`.

        Args:
            ridge: In the unit of the eigenvalues, above 0; `1 / t` for early stopping at time `t`.

        Returns:
            From 0 to `n`; where `k < n`, less than the full sum by at most
            `(trace - sum s) / ridge`.

        Source: Zhang 2005; Caponnetto and De Vito 2007.
        """
        return float((self.eigenvalues / (self.eigenvalues + positive("ridge", ridge))).sum())

    def alignment(self, y: Float[Tensor, "n ..."]) -> float:
        """Kernel-target alignment `<K, y y^T> / (|K| |y y^T|)` in the Frobenius norm.

        1 for a kernel that learns the target and nothing else. Over the known modes where `k < n`.

        Raises:
            ValueError: The target, or the kernel, is zero everywhere.

        Source: Cristianini et al. 2001, definition 1.
        """
        target = self._columns(y)
        norm = float((target.T @ target).norm())
        if not bool(self.eigenvalues.any()):
            raise ValueError("The kernel is zero everywhere: it is aligned with no target.")
        if norm == 0:
            raise ValueError("`y` is zero everywhere: no kernel is aligned with it.")
        return float(self.eigenvalues @ self.power(y) / (self.eigenvalues.norm() * norm))

    def figure(self, y: Float[Tensor, "n ..."] | None = None) -> "Figure":
        """The eigenvalues over frequency or rank; with a target, its power and its loss over time.

        Needs matplotlib (`pip install matplotlib`).
        """
        waves, power, loss = self.wave_vectors, None, None
        if waves is None:
            place, xlabel = torch.arange(1, len(self.eigenvalues) + 1), "rank"
        else:
            place, xlabel = waves.norm(dim=1), "cycles per period"
        if y is not None:
            power = self.power(y)
            times = self._telling_times(power)
            loss = times, self.loss(y, times)
        return figures.spectrum_figure(
            place, self.eigenvalues, xlabel=xlabel, power=power, loss=loss
        )

    def _telling_times(self, power: Float[Tensor, " k"]) -> Float[Tensor, " q"]:
        """From before the fastest mode moves until the slowest that matters is learned."""
        matters = (power > 1e-6 * power.sum()) & (self.eigenvalues > 0)
        exponents = self.eigenvalues[matters].log10()
        start, end = -1.5 - float(exponents.max()), 0.7 - float(exponents.min())
        return torch.logspace(start, end, 200).double()

    def _columns(self, y: Tensor) -> Tensor:
        """`y` as `[n, o]`, checked.

        Raises:
            ValueError: Its leading axes do not count the points.
        """
        floating_tensor("y", y)
        shapes: list[tuple[int, ...]] = [(self.n_points,)]
        if isinstance(self.points, Grid):
            shapes.append(self.points.shape)
        for shape in shapes:
            if tuple(y.shape[: len(shape)]) == shape and y.ndim <= len(shape) + 1:
                return finite("y", y).to(self.eigenvalues).reshape(self.n_points, -1)
        raise ValueError(
            f"`y` has shape {tuple(y.shape)}, but the spectrum is over "
            f"{' or '.join(map(str, shapes))} points; one more axis may follow, for outputs."
        )

    def __repr__(self) -> str:
        k = len(self.eigenvalues)
        ends = f"{float(self.eigenvalues[0]):.3g} to {float(self.eigenvalues[-1]):.3g}"
        state = "" if self.converged else ", not converged"
        return f"<{k} of {self.n_points} eigenvalues, method {self.method}, {ends}{state}>"

    def _repr_html_(self) -> str:
        found = self.eigenvalues.detach().cpu()
        rows = (
            ("kernel", None if self.kernel is None else repr(self.kernel)),
            ("known", f"{len(found):,} of {self.n_points:,} eigenvalues"),
            ("largest, smallest", f"{float(found[0]):.4g}, {float(found[-1]):.4g}"),
            ("trace", f"{self.trace:.4g}"),
            ("method", self.method),
            ("converged", "yes" if self.converged else "no: see `residuals`"),
        )
        ranks = torch.logspace(0, log10(len(found)), _DRAWN).long().clamp_max(len(found)) - 1
        picture = curve(found[ranks].log10().tolist(), "eigenvalues over rank, both logarithmic")
        return html_card("Spectrum", rows, picture)
