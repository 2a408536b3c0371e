"""`exp(-tK) r` and `phi_t(K) r` for every kind of operator: what training does to a residual."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series, flow_degree
from ntkit.solvers.conjugate_gradients import chan_preconditioner, conjugate_gradients
from ntkit.solvers.lanczos import RitzPairs, lanczos

__all__ = ["FlowSolution", "phi", "solve_flow"]

LANCZOS_STEPS = 24
"""Products spent on the top of the spectrum: they give the bound and the modes to deflate."""


@dataclass(frozen=True)
class FlowSolution:
    """A residual after training, and the weights of the kernel expansion that did it.

    Attributes:
        decay: `exp(-tK) r`, `[t, c, n]`.
        weights: `phi_t(K) r = K^-1 (1 - exp(-tK)) r`, `[t, c, n]`: predictions elsewhere are
            `K(x, train) @ weights`.
        method: What was used: "eigh", "fft", "low-rank" or "chebyshev".
        products: Products with the operator (of all rows at once).
        error: Bound on the relative error of `decay` from truncation; the relative residual of
            the linear solve where `t` is infinite.
    """

    decay: Float[Tensor, "t c n"]
    weights: Float[Tensor, "t c n"]
    method: str
    products: int
    error: float


@dataclass(frozen=True)
class _Settings:
    tolerance: float
    dtype: torch.dtype
    on_step: Callable[[], None]


def phi(eigenvalues: Tensor, t: float) -> Tensor:
    """`(1 - exp(-t s)) / s`, with its limit `t` at zero eigenvalues; `1 / s` (or 0) at `t = inf`."""
    if isinf(t):
        return torch.where(eigenvalues > 0, 1 / eigenvalues, torch.zeros_like(eigenvalues))
    x = t * eigenvalues
    safe = torch.where(x > 0, x, torch.ones_like(x))
    return t * torch.where(x > 0, -torch.expm1(-safe) / safe, torch.ones_like(x))


def solve_flow(
    op: AbstractOperator,
    r: Float[Tensor, "c n"],
    times: Sequence[float],
    *,
    tolerance: float,
    dtype: torch.dtype = torch.float64,
    on_step: Callable[[], None] | None = None,
) -> FlowSolution:
    """`exp(-tK) r` and `phi_t(K) r` at all times, by the method that suits the operator.

    Dense: one `eigh`. Circulant: one FFT. Low rank: the eigenvectors of the small Gram matrix.
    Toeplitz and tiled: one Chebyshev recurrence for all finite times, after the top eigenpairs are
    taken out by Lanczos (the degree grows with the square root of the largest eigenvalue left);
    conjugate gradients for `t = inf`, which raise `NumericalError` where they do not converge.

    Args:
        op: Symmetric positive semi-definite operator `[n, n]`, float64.
        r: Residuals as rows.
        times: Gradient-flow times, any order, 0 and infinity included.
        tolerance: Bound on the relative error.
        dtype: Precision of the Chebyshev recurrence; everything else is float64.
        on_step: Called once a product, for progress.
    """
    settings = _Settings(tolerance, dtype, on_step or (lambda: None))
    return _solvers[op](op, r.to(op.dtype), list(times), settings)


_solvers: ExactTypeRegistry[Callable[..., FlowSolution]] = ExactTypeRegistry(
    "flow solver", TypeError
)


@_solvers.register(DenseOperator)
def _dense(op: DenseOperator, r: Tensor, times: list[float], settings: _Settings) -> FlowSolution:
    values, vectors = torch.linalg.eigh(op.matrix.double())
    floor = values.abs().max() * len(values) * torch.finfo(op.dtype).eps
    values = torch.where(values > floor, values, torch.zeros_like(values))
    return _diagonal(r, times, values, r.double() @ vectors, lambda x: x @ vectors.T, "eigh")


@_solvers.register(CirculantOperator)
def _circulant(
    op: CirculantOperator, r: Tensor, times: list[float], settings: _Settings
) -> FlowSolution:
    shape = op.grid_shape
    axes = list(range(1, len(shape) + 1))
    values = op.eigenvalues()
    floor = values.abs().max() * torch.finfo(op.dtype).eps
    values = torch.where(values > floor, values, torch.zeros_like(values))

    def back(spectrum: Tensor) -> Tensor:
        return torch.fft.irfftn(spectrum, shape, dim=axes).reshape(len(r), -1)

    return _diagonal(
        r, times, values, torch.fft.rfftn(r.reshape(-1, *shape), dim=axes), back, "fft"
    )


@_solvers.register(LowRankOperator)
def _low_rank(
    op: LowRankOperator, r: Tensor, times: list[float], settings: _Settings
) -> FlowSolution:
    values, rotation = torch.linalg.eigh((op.left.T @ op.left).double())
    kept = values > values.max() * 1e-14
    values = values[kept]
    vectors = ((op.left.double() @ rotation[:, kept]) / values.sqrt()).to(op.dtype)
    inside = r @ vectors
    outside = r - inside @ vectors.T
    decay, weights = [], []
    for t in times:
        decay.append(outside + (inside * _decayed(values, t)) @ vectors.T)
        rest = 0.0 if isinf(t) else t  # the limit on eigenvalues that are zero
        weights.append(rest * outside + (inside * phi(values, t)) @ vectors.T)
    return FlowSolution(torch.stack(decay), torch.stack(weights), "low-rank", 0, 1e-14)


@_solvers.register(ToeplitzOperator, TiledOperator)
def _by_products(
    op: AbstractOperator, r: Tensor, times: list[float], settings: _Settings
) -> FlowSolution:
    finite = [i for i, t in enumerate(times) if not isinf(t)]
    infinite = [i for i, t in enumerate(times) if isinf(t)]
    decay = r.new_zeros(len(times), *r.shape)
    weights = torch.zeros_like(decay)
    products, error, methods = 0, 0.0, []
    if finite:
        found = _chebyshev(op, r, [times[i] for i in finite], settings)
        decay[finite], weights[finite] = found.decay, found.weights
        products, error = found.products, found.error
        methods.append(found.method)
    if infinite:
        solution = conjugate_gradients(
            op,
            r,
            tolerance=settings.tolerance,
            max_iterations=2000,
            preconditioner=chan_preconditioner(op) if isinstance(op, ToeplitzOperator) else None,
            on_step=settings.on_step,
        )
        if not solution.converged:
            raise NumericalError(
                f"t = inf: conjugate gradients stopped at a relative residual of "
                f"{solution.residual:.2g} after {solution.iterations} products; "
                f"{settings.tolerance:.2g} was asked for. Ask for a finite time, or a larger "
                "`tolerance`."
            )
        weights[infinite] = solution.x
        products += solution.iterations
        error = max(error, solution.residual)
        methods.append("cg")
    return FlowSolution(decay, weights, "+".join(methods), products, error)


def _chebyshev(
    op: AbstractOperator, r: Tensor, times: list[float], settings: _Settings
) -> FlowSolution:
    """Deflate what Lanczos has settled; Chebyshev on the rest, with a bound that is checked.

    Raises:
        NumericalError: No bound holds, so the operator is not symmetric.
    """
    start = 1 + 0.1 * torch.cos(torch.arange(op.shape[0], device=op.device) * 1.7)  # no symmetry
    pairs = lanczos(op, steps=LANCZOS_STEPS, start=start.to(op.dtype))
    q = _modes_to_deflate(pairs)
    deflate = pairs.vectors(q)
    upper = float((pairs.values[q] + pairs.residuals[q]) * 1.02)
    inside = r @ deflate.T
    rest = _without(r - inside @ deflate, deflate)
    fast, modes = op.to(settings.dtype), deflate.to(settings.dtype)
    for _ in range(20):
        # phi is multiplied by the kernel afterwards, so its error counts `upper`-fold.
        series = chebyshev_series(
            [*[_decay_of(t) for t in times], *[_phi_of(t) for t in times]],
            upper=upper,
            tolerances=[settings.tolerance] * len(times)
            + [settings.tolerance / upper] * len(times),
            degree=flow_degree(max(times) * upper / 2, settings.tolerance * 1e-6),
        )
        try:
            out = chebyshev_apply(
                fast,
                rest.to(settings.dtype),
                series,
                upper=upper,
                deflate=modes,
                on_step=settings.on_step,
            )
            break
        except NumericalError:
            upper *= 1.3
    else:
        raise NumericalError("No bound on the spectrum was found: the operator is not symmetric.")
    out = _without(out.double(), deflate)
    decay, weights = out[: len(times)], out[len(times) :]
    for i, t in enumerate(times):
        decay[i] += (inside * _decayed(pairs.values[:q], t)) @ deflate
        weights[i] += (inside * phi(pairs.values[:q], t)) @ deflate
    products = len(pairs.values) + series.shape[1] - 1
    return FlowSolution(decay, weights, "chebyshev", products, settings.tolerance)


def _without(v: Tensor, modes: Tensor) -> Tensor:
    """`v` less its part along orthonormal rows, which in float32 would be amplified most."""
    return v - (v @ modes.T) @ modes


def _modes_to_deflate(pairs: RitzPairs) -> int:
    """The fewest settled modes that leave at most 1.2 times the bound of deflating all of them."""
    settled = pairs.residuals <= 200 * torch.finfo(pairs.basis.dtype).eps * pairs.values[0]
    q = min(int(settled.int().cumprod(0).sum()), len(settled) - 1)
    enough = pairs.values[: q + 1] <= 1.2 * pairs.values[q]
    return int(enough.int().argmax())


def _decay_of(t: float) -> Callable[[Tensor], Tensor]:
    return lambda s: torch.exp(-t * s)


def _phi_of(t: float) -> Callable[[Tensor], Tensor]:
    return lambda s: phi(s, t)


def _decayed(values: Tensor, t: float) -> Tensor:
    """`exp(-t s)`, with zero eigenvalues kept for ever, also at `t = inf`."""
    if isinf(t):
        return (values <= 0).to(values)
    return torch.exp(-t * values)


def _diagonal(
    r: Tensor,
    times: list[float],
    values: Tensor,
    spectrum: Tensor,
    back: Callable[[Tensor], Tensor],
    method: str,
) -> FlowSolution:
    """All times in a basis in which the operator is diagonal."""
    decay = torch.stack([back(spectrum * _decayed(values, t)) for t in times])
    weights = torch.stack([back(spectrum * phi(values, t)) for t in times])
    eps = torch.finfo(r.dtype).eps
    return FlowSolution(decay.to(r.dtype), weights.to(r.dtype), method, 0, eps)
