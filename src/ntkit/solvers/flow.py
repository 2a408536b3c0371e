"""What training does to a residual, for every kind of operator: `G(K) r` and `H(K) r`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import isinf

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit._core.registry import ExactTypeRegistry
from ntkit.operators.affine import affine
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.matrix_free import MatrixFreeOperator
from ntkit.operators.scaled import ScaledOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series
from ntkit.solvers.conjugate_gradients import chan_preconditioner, conjugate_gradients
from ntkit.solvers.lanczos import RitzPairs, lanczos
from ntkit.solvers.response import AbstractResponse, FlowResponse, Limit
from ntkit.solvers.slopes import responding
from ntkit.solvers.tracked import refusing, source_of, with_derivative

__all__ = ["AbstractPrepared", "Eigenbasis", "FlowSolution", "prepare", "solve_flow"]

LANCZOS_STEPS = 24
"""Products spent on the top of the spectrum: they give the bound and the modes to deflate."""


@dataclass(frozen=True)
class FlowSolution:
    """A residual after training, and the weights of the kernel expansion that did it.

    Attributes:
        decay: `G(K) r`, `[t, c, n]`; `exp(-tK) r` for gradient flow.
        weights: `H(K) r = K^-1 (1 - G(K)) r`, `[t, c, n]`: predictions elsewhere are
            `K(x, train) @ weights`.
        method: What was used: "eigh", "fft", "low-rank" or "chebyshev".
        products: Products with the operator (of all rows at once).
        error: Relative error of `decay`, truncation and rounding: twice what `decay + K weights = r`
            misses, measured, or the tolerance of a series; the relative residual of the linear
            solve where training has ended.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> found = ntkit.solvers.solve_flow(K, torch.ones(1, 2).double(), [1.0], tolerance=1e-8)
        >>> found.decay.shape, round(float(found.decay[0, 0, 0]), 3)
        (torch.Size([1, 1, 2]), 0.368)
    """

    decay: Float[Tensor, "t c n"]
    weights: Float[Tensor, "t c n"]
    method: str
    products: int
    error: float


class AbstractPrepared(ABC):
    """A residual in front of an operator, with all that its answers at all moments share.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> ready = ntkit.solvers.prepare(K, torch.ones(1, 2).double(), tolerance=1e-8)
        >>> isinstance(ready, AbstractPrepared)
        True
    """

    @abstractmethod
    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """`G(K) r` and `H(K) r` for every response."""

    @abstractmethod
    def largest(self) -> float:
        """The largest eigenvalue of the operator, from below and to a few digits at least."""


@dataclass(frozen=True)
class _Settings:
    tolerance: float
    dtype: torch.dtype
    on_step: Callable[[], None]


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

    Args:
        op: As in `prepare`.
        r: Residuals as rows.
        times: Gradient-flow times, any order, 0 and infinity included.
        tolerance: Bound on the relative error.
        dtype: As in `prepare`.
        on_step: Called once a product, for progress.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> found = solve_flow(K, torch.ones(1, 2).double(), [0.0, 1.0], tolerance=1e-8)
        >>> [round(float(left), 3) for left in found.decay[:, 0, 0]]
        [1.0, 0.368]
    """
    responses = [Limit() if isinf(t) else FlowResponse(t) for t in times]
    return prepare(op, r, tolerance=tolerance, dtype=dtype, on_step=on_step).solve(responses)


def prepare(
    op: AbstractOperator,
    r: Float[Tensor, "c n"],
    *,
    tolerance: float,
    dtype: torch.dtype = torch.float64,
    on_step: Callable[[], None] | None = None,
) -> AbstractPrepared:
    """Ready a residual for any number of moments, by the method that suits the operator.

    Dense: one `eigh`. Circulant: one FFT. Low rank: the eigenvectors of the small Gram matrix.
    Toeplitz, tiled, matrix-free: one Chebyshev recurrence for all moments, after the top eigenpairs are
    taken out by Lanczos (the degree grows with the square root of the largest eigenvalue left);
    conjugate gradients for the end of training, which raise `NumericalError` where they do not
    converge.

    Args:
        op: Symmetric positive semi-definite operator `[n, n]`, float64.
        r: Residuals as rows.
        tolerance: Bound on the relative error.
        dtype: Precision of the Chebyshev recurrence and of the eigenvectors of dense matrices;
            everything else is float64.
        on_step: Called once a product, for progress.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> ready = prepare(K, torch.ones(1, 2).double(), tolerance=1e-8)
        >>> type(ready).__name__
        'Eigenbasis'
    """
    settings = _Settings(tolerance, dtype, on_step or (lambda: None))
    method = _methods[op]
    r = r.to(op.dtype)
    is_tracked = torch.is_grad_enabled() and (r.requires_grad or source_of(op) is not None)
    if is_tracked and not isinstance(op, CirculantOperator):  # an FFT has derivatives by itself
        return _Tracked(op, r, settings)
    return method(op, r, settings)


class Eigenbasis(AbstractPrepared):
    """A residual in a basis in which the operator is diagonal: all moments are scalings.

    Args:
        values: Eigenvalues of the basis.
        floor: What of them is zero up to rounding, which matters in the limit of all time alone.
        spectrum: `[c, ...]`, the residual in the basis.
        back: From the basis to points.
        outside: What of the residual lies in no vector of the basis, where it is not complete.
        method: Name of the way.
        into: From rows over points to rows over the basis, where `project` is to work.
        problem: The operator and the residual, as they were given.

    Example:
        >>> import ntkit, torch
        >>> K = ntkit.operators.DenseOperator(torch.eye(2).double())
        >>> isinstance(ntkit.solvers.prepare(K, torch.ones(1, 2).double(), tolerance=1e-8), Eigenbasis)
        True
    """

    def __init__(
        self,
        values: Tensor,
        floor: float,
        spectrum: Tensor,
        back: Callable[[Tensor], Tensor],
        outside: Tensor | None,
        method: str,
        into: Callable[[Tensor], Tensor] | None = None,
        *,
        problem: tuple[AbstractOperator, Tensor],
    ) -> None:
        self._operator, self._residual = problem
        self.into = into
        self.values = values.clamp_min(0)
        self._ended = torch.where(values > floor, values, torch.zeros_like(values))
        self.spectrum = spectrum
        self.back = back
        self._outside = outside
        self._method = method

    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """Two scalings and two changes of basis a moment."""
        decay = self._scaled(responses, lambda response, s: response.left(s))
        weights = self.weights(responses)
        error = _misfit(self._operator, self._residual, decay, weights)
        return FlowSolution(decay, weights, self._method, 0, error)

    def weights(self, responses: Sequence[AbstractResponse]) -> Float[Tensor, "t c n"]:
        """`H(K) r` alone: half the work."""
        return self._scaled(responses, lambda response, s: response.learned(s))

    def through(
        self, features: Float[Tensor, "m k"], responses: Sequence[AbstractResponse]
    ) -> Float[Tensor, "t c m"]:
        """`cross H(K) r` for the rows `features = into(cross)`: a thin product for all moments."""
        factors = self._factors(responses, lambda response, s: response.learned(s))
        every = self.spectrum * factors.to(self.spectrum)[:, None]
        return every @ features.T

    def largest(self) -> float:
        """The largest eigenvalue, to rounding."""
        return float(self.values.detach().max()) if self.values.numel() else 0.0

    def _scaled(
        self,
        responses: Sequence[AbstractResponse],
        factor: Callable[[AbstractResponse, Tensor], Tensor],
    ) -> Tensor:
        factors = self._factors(responses, factor)
        every = self.spectrum * factors.to(self.spectrum)[:, None]
        found = self.back(every.flatten(0, 1)).reshape(len(factors), len(self.spectrum), -1)
        if self._outside is not None:
            zero = self.values.new_zeros(1)
            found += torch.stack([factor(g, zero) * self._outside for g in responses])
        return found

    def _factors(
        self,
        responses: Sequence[AbstractResponse],
        factor: Callable[[AbstractResponse, Tensor], Tensor],
    ) -> Tensor:
        return torch.stack([
            responding(partial(factor, g), self._ended if isinstance(g, Limit) else self.values)
            for g in responses
        ])


_methods: ExactTypeRegistry[Callable[..., AbstractPrepared]] = ExactTypeRegistry(
    "flow solver", TypeError
)


@_methods.register(DenseOperator)
def _dense(op: DenseOperator, r: Tensor, settings: _Settings) -> Eigenbasis:
    values, vectors = torch.linalg.eigh(op.matrix.to(settings.dtype))
    floor = float(values.abs().max()) * len(values) * torch.finfo(settings.dtype).eps
    return Eigenbasis(
        values.double(),
        floor,
        r.to(settings.dtype) @ vectors,
        lambda x: (x @ vectors.T).to(op.dtype),
        None,
        "eigh",
        lambda x: x @ vectors,
        problem=(op, r),
    )


@_methods.register(CirculantOperator)
def _circulant(op: CirculantOperator, r: Tensor, settings: _Settings) -> Eigenbasis:
    shape = op.grid_shape
    axes = list(range(1, len(shape) + 1))
    values = op.eigenvalues()
    floor = float(values.detach().abs().max()) * torch.finfo(op.dtype).eps

    def back(spectrum: Tensor) -> Tensor:
        return torch.fft.irfftn(spectrum, shape, dim=axes).reshape(len(spectrum), -1)

    spectrum = torch.fft.rfftn(r.reshape(-1, *shape), dim=axes)
    return Eigenbasis(values, floor, spectrum, back, None, "fft", problem=(op, r))


@_methods.register(LowRankOperator)
def _low_rank(op: LowRankOperator, r: Tensor, settings: _Settings) -> Eigenbasis:
    values, rotation = torch.linalg.eigh((op.left.T @ op.left).double())
    kept = values > values.abs().amax() * 1e-14 if len(values) else values > 0
    values = values[kept]
    vectors = ((op.left.double() @ rotation[:, kept]) / values.sqrt()).to(op.dtype)
    inside = r @ vectors
    outside = r - inside @ vectors.T
    return Eigenbasis(
        values, 0.0, inside, lambda x: x @ vectors.T, outside, "low-rank", problem=(op, r)
    )


@_methods.register(ToeplitzOperator, TiledOperator, ScaledOperator, MatrixFreeOperator)
class _ByProducts(AbstractPrepared):
    """An operator that is known by its products alone."""

    def __init__(self, op: AbstractOperator, r: Tensor, settings: _Settings) -> None:
        self._op, self._r, self._settings = op, r, settings

    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """Chebyshev for what is on its way, conjugate gradients for what has arrived."""
        ended = [i for i, response in enumerate(responses) if isinstance(response, Limit)]
        moving = [i for i, response in enumerate(responses) if not isinstance(response, Limit)]
        decay = self._r.new_zeros(len(responses), *self._r.shape)
        weights = torch.zeros_like(decay)
        products, error, methods = 0, 0.0, []
        if moving:
            found = self._chebyshev([responses[i] for i in moving])
            decay[moving], weights[moving] = found.decay, found.weights
            products, error = found.products, found.error
            methods.append(found.method)
        for i in ended:
            limit = responses[i]
            assert isinstance(limit, Limit)
            found = _linear_solve(self._op, self._r, limit.shift, self._settings)
            decay[i], weights[i] = found.decay[0], found.weights[0]
            products += found.products
            error = max(error, found.error)
        if ended:
            methods.append("cg")
        return FlowSolution(decay, weights, "+".join(methods), products, error)

    def largest(self) -> float:
        """The largest Ritz value."""
        return float(self._top.values[0])

    @cached_property
    def _top(self) -> RitzPairs:
        op = self._op
        start = 1 + 0.1 * torch.cos(torch.arange(op.shape[0], device=op.device) * 1.7)
        return lanczos(op, steps=LANCZOS_STEPS, start=start.to(op.dtype))  # has no symmetry

    def _chebyshev(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """Deflate what Lanczos has settled; Chebyshev on the rest, with a bound that is checked.

        Raises:
            NumericalError: No bound holds, so the operator is not symmetric.
        """
        settings, pairs, count = self._settings, self._top, len(responses)
        q = _modes_to_deflate(pairs)
        deflate = pairs.vectors(q)
        upper = float((pairs.values[q] + pairs.residuals[q]) * 1.02)
        if upper <= 0 and not q:  # a zero operator: every mode does as that of eigenvalue zero
            return _of_zero(self._r, responses, "chebyshev")
        inside = self._r @ deflate.T
        rest = _without(self._r - inside @ deflate, deflate)
        fast, modes = self._op.to(settings.dtype), deflate.to(settings.dtype)
        for _ in range(20):
            # H is multiplied by the kernel afterwards, so its error counts `upper`-fold.
            series = chebyshev_series(
                [*[g.left for g in responses], *[h.learned for h in responses]],
                upper=upper,
                tolerances=[settings.tolerance] * count + [settings.tolerance / upper] * count,
                degree=max(g.degree(upper, settings.tolerance * 1e-6) for g in responses),
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
            raise NumericalError(
                "No bound on the spectrum was found: the operator is not symmetric."
            )
        out = _without(out.double(), deflate)
        decay, weights = out[:count], out[count:]
        top = pairs.values[:q]
        for i, response in enumerate(responses):
            decay[i] += (inside * response.left(top)) @ deflate
            weights[i] += (inside * response.learned(top)) @ deflate
        products = len(pairs.values) + series.shape[1] - 1
        error = settings.tolerance
        if settings.dtype == torch.float32:  # its rounding grows with the degree
            error = max(error, _misfit(self._op, self._r, decay, weights))
        return FlowSolution(decay, weights, "chebyshev", products, error)


class _Tracked(AbstractPrepared):
    """An operator, or a residual, that asks for gradients."""

    def __init__(self, op: AbstractOperator, r: Tensor, settings: _Settings) -> None:
        self._op, self._r, self._settings = op, r, settings

    def solve(self, responses: Sequence[AbstractResponse]) -> FlowSolution:
        """With derivatives where the matrix is dense; else each says that it has none."""
        if isinstance(self._op, DenseOperator):
            matrix = self._op.matrix
            decay, weights = with_derivative(matrix, self._r, responses)
            return FlowSolution(decay, weights, "eigh", 0, torch.finfo(matrix.dtype).eps)
        with torch.no_grad():
            found = self._plain.solve(responses)
        decay, weights = (refusing(t, self._op, self._r) for t in (found.decay, found.weights))
        return replace(found, decay=decay, weights=weights)

    def largest(self) -> float:
        """Without a derivative."""
        with torch.no_grad():
            if isinstance(self._op, DenseOperator):
                return float(torch.linalg.eigvalsh(self._op.matrix)[-1].clamp_min(0))
            return self._plain.largest()

    @cached_property
    def _plain(self) -> AbstractPrepared:
        """Without gradients."""
        with torch.no_grad():
            return _methods[self._op](self._op, self._r.detach(), self._settings)


def _linear_solve(
    op: AbstractOperator, r: Tensor, shift: float, settings: _Settings
) -> FlowSolution:
    """`(K + shift)^-1 r`, and the share of the residual that a ridge keeps.

    Raises:
        NumericalError: Conjugate gradients did not get there.
    """
    solution = conjugate_gradients(
        affine(op, 1.0, shift) if shift else op,
        r,
        tolerance=settings.tolerance,
        max_iterations=2000,
        preconditioner=(
            chan_preconditioner(op, ridge=shift) if isinstance(op, ToeplitzOperator) else None
        ),
        on_step=settings.on_step,
    )
    if not solution.converged and not shift and not bool(op.rows(r).any()):
        return _of_zero(r, [Limit()], "cg")
    if not solution.converged:
        raise NumericalError(
            f"t = inf: conjugate gradients stopped at a relative residual of "
            f"{solution.residual:.2g} after {solution.iterations} products; "
            f"{settings.tolerance:.2g} was asked for. Ask for a finite time, or a larger "
            "`tolerance`."
        )
    weights = solution.x[None]
    return FlowSolution(shift * weights, weights, "cg", solution.iterations, solution.residual)


@torch.no_grad()
def _misfit(op: AbstractOperator, r: Tensor, decay: Tensor, weights: Tensor) -> float:
    """Twice the relative size of `r - decay - K weights`, which exact answers leave zero.

    Wrong eigenvalues and rounding move `decay` and `K weights` by about as much; measured over all
    structures, moments and rules, twice their sum is above the error of `decay`.
    """
    back = op.rows(weights.flatten(0, 1).to(op.dtype)).reshape(decay.shape)
    rest = (r - decay.to(r.dtype) - back.to(r.dtype)).norm(dim=2)
    scale = r.norm(dim=1).clamp_min(torch.finfo(r.dtype).tiny)
    # The answers themselves are no better than a few roundings, even where those cancel.
    return 2 * float((rest / scale).max()) + 16 * torch.finfo(r.dtype).eps


def _of_zero(r: Tensor, responses: Sequence[AbstractResponse], method: str) -> FlowSolution:
    """For an operator that makes zero of all that is there."""
    zero = r.new_zeros(1)
    decay = torch.stack([response.left(zero) * r for response in responses])
    weights = torch.stack([response.learned(zero) * r for response in responses])
    return FlowSolution(decay, weights, method, 1, 0.0)


def _without(v: Tensor, modes: Tensor) -> Tensor:
    """`v` less its part along orthonormal rows, which in float32 would be amplified most."""
    return v - (v @ modes.T) @ modes


def _modes_to_deflate(pairs: RitzPairs) -> int:
    """The fewest settled modes that leave at most 1.2 times the bound of deflating all of them."""
    settled = pairs.residuals <= 200 * torch.finfo(pairs.basis.dtype).eps * pairs.values[0]
    q = min(int(settled.int().cumprod(0).sum()), len(settled) - 1)
    enough = pairs.values[: q + 1] <= 1.2 * pairs.values[q]
    return int(enough.int().argmax())
