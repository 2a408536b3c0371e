"""How the eigenvalues of an operator are spread, where it is too large to decompose."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit import figures
from ntkit._core.checks import positive, positive_int
from ntkit._core.html_card import html_card
from ntkit.operators.base import AbstractOperator
from ntkit.solvers.lanczos_quadrature import gauss_rule, lanczos_coefficients, radau_coefficients

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Estimate", "SpectralDensity", "spectral_density"]

_SHARE = 1e-12
"""Nodes below this share of the largest are left out of the figure."""


@dataclass(frozen=True)
class Estimate:
    """A number from random probes, and how far off it may be.

    Attributes:
        value: The number.
        error: Its standard error over the probes, and what the products leave open: the change that
            the last fifth of them made, or that a node at zero makes, in quadrature.

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.tensor([1.0, 2.0, 3.0]).double()))
        >>> trace = ntkit.spectra.spectral_density(K, n_probes=4, steps=3).trace(lambda s: s)
        >>> round(trace.value, 6), trace.error < 1e-6  # three products hold all of three eigenvalues
        (6.0, True)
    """

    value: float
    error: float


@dataclass(frozen=True, eq=False, repr=False)
class SpectralDensity:
    """Eigenvalues as nodes and weights: `tr g(K) ~ mean over probes of sum_i weights_i g(nodes_i)`.

    Attributes:
        nodes: `[probes, steps]`, estimates of eigenvalues.
        weights: `[probes, steps]`, how many of the `n` eigenvalues each stands for.
        coarse_nodes: The same after four fifths of the products.
        coarse_weights: The same after four fifths of the products.
        low_nodes: The same of the rule that has a node at zero.
        low_weights: The same of the rule that has a node at zero.
        n_points: `n`.

    Example:
        >>> from ntkit import Grid, gram, spectrum
        >>> from ntkit.kernels import Matern
        >>> op = gram(Matern(0.5, 0.1), Grid(400))
        >>> density = spectral_density(op)
        >>> exact = spectrum(op).effective_dimension(1.0)
        >>> found = density.effective_dimension(1.0)
        >>> abs(found.value - exact) < 3 * found.error, found.error < 0.05 * exact
        (True, True)
    """

    nodes: Float[Tensor, "c k"]
    weights: Float[Tensor, "c k"]
    coarse_nodes: Float[Tensor, "c q"]
    coarse_weights: Float[Tensor, "c q"]
    low_nodes: Float[Tensor, "c k"]
    low_weights: Float[Tensor, "c k"]
    n_points: int

    def trace(self, g: Callable[[Tensor], Tensor]) -> Estimate:
        """`tr g(K)`, the sum of a function over all eigenvalues.

        Accurate for a smooth function; one with a jump is known to about a node.

        Args:
            g: Function of a tensor of eigenvalues, entry by entry.
        """
        found = (self.weights * g(self.nodes)).sum(1)
        coarse = (self.coarse_weights * g(self.coarse_nodes)).sum(1)
        low = (self.low_weights * g(self.low_nodes)).sum(1)
        spread = float(found.std()) / sqrt(len(found))
        drift = max(abs(float((found - other).mean())) for other in (coarse, low))
        return Estimate(float(found.mean()), (spread**2 + drift**2) ** 0.5)

    def effective_dimension(self, ridge: float) -> Estimate:
        """`tr K (K + ridge)^-1`, as in `Spectrum`.

        Args:
            ridge: In the unit of the eigenvalues, above 0.
        """
        shift = positive("ridge", ridge)
        return self.trace(lambda s: s.clamp_min(0) / (s.clamp_min(0) + shift))

    def count_above(self, threshold: float) -> Estimate:
        """How many eigenvalues exceed `threshold`: those learned faster than `1 / threshold`."""
        return self.trace(lambda s: (s > threshold).to(s))

    def density(
        self, eigenvalues: Float[Tensor, " q"], *, decades: float = 0.1
    ) -> Float[Tensor, " q"]:
        """Eigenvalues per decade at each of `eigenvalues`, smoothed over a Gaussian of some decades.

        Args:
            eigenvalues: Where, above 0.
            decades: Standard deviation of the smoothing, in decades.
        """
        width = positive("decades", decades)
        # Zero and what rounding made of it lie decades away from all that is asked for.
        places = self.nodes.clamp_min(1e-300).log10().flatten()
        distance = (eigenvalues.double().log10()[:, None] - places) / width
        bumps = torch.exp(-(distance**2) / 2) / (width * sqrt(2 * torch.pi))
        return bumps @ self.weights.flatten() / len(self.nodes)

    def figure(self) -> "Figure":
        """Eigenvalues per decade, and how many exceed each.

        Needs matplotlib (`pip install matplotlib`).
        """
        nodes = self.nodes[self.nodes > _SHARE * self.nodes.max()]
        ends = nodes.log10().aminmax()
        places = torch.logspace(float(ends.min) - 0.3, float(ends.max) + 0.3, 200).double()
        counts = [self.count_above(float(s)) for s in places]
        return figures.density_figure(
            places, self.density(places), [c.value for c in counts], [c.error for c in counts]
        )

    def __repr__(self) -> str:
        probes, steps = self.nodes.shape
        return f"<density of {self.n_points} eigenvalues, {probes} probes of {steps} products>"

    def _repr_html_(self) -> str:
        probes, steps = self.nodes.shape
        rows = (
            ("of", f"{self.n_points:,} eigenvalues"),
            ("estimated from", f"{probes} probes of {steps} products"),
        )
        return html_card("Spectral density", rows)


def spectral_density(
    op: AbstractOperator,
    *,
    n_probes: int = 16,
    steps: int = 50,
    generator: torch.Generator | None = None,
) -> SpectralDensity:
    """The spread of an operator's eigenvalues by stochastic Lanczos quadrature.

    A random vector of signs sees every eigenvector with the same weight on average, and Lanczos turns
    what it sees into nodes and weights. Errors fall as `1 / sqrt(n_probes n)` and, for smooth
    functions, exponentially in `steps`.

    Args:
        op: Symmetric positive semi-definite operator `[n, n]`: `ntkit.gram(kernel, points)`.
        n_probes: Random vectors, two or more: their spread is the error stated.
        steps: Products with the operator, of all probes at once.
        generator: Source of the signs; fixed if left out, so that results repeat.

    Raises:
        ValueError: The operator is not square, or there is one probe.

    Cost: `steps` products of `n_probes` vectors; `3 n_probes n` numbers of memory.

    Source: Ubaru, Chen and Saad 2017; Lin, Saad and Yang 2016 (densities); Hutchinson 1990 (signs).

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(torch.diag(torch.arange(1.0, 41.0).double()))
        >>> density = spectral_density(K, generator=torch.Generator().manual_seed(0))
        >>> abs(density.count_above(20.5).value - 20) < 5
        True
    """
    n, m = op.shape
    if n != m:
        raise ValueError(f"`op` must be square, got {op}.")
    if positive_int("n_probes", n_probes) < 2:
        raise ValueError("`n_probes=1` has no spread, and so no stated error; pass 2 or more.")
    draw = generator or torch.Generator().manual_seed(0)  # the same on any device
    signs = torch.randint(0, 2, (n_probes, n), generator=draw, device=draw.device).to(op.device)
    diagonal, beside = lanczos_coefficients(op.to(torch.float64), 2.0 * signs - 1.0, steps=steps)
    nodes, weights = gauss_rule(diagonal, beside)
    early = max(1, 4 * diagonal.shape[1] // 5)
    coarse_nodes, coarse_weights = gauss_rule(diagonal[:, :early], beside[:, : early - 1])
    low_nodes, low_weights = gauss_rule(radau_coefficients(diagonal, beside), beside)
    return SpectralDensity(
        nodes, n * weights, coarse_nodes, n * coarse_weights, low_nodes, n * low_weights, n
    )
