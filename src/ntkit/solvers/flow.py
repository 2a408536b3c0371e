"""What training does to a residual, for every kind of operator: `G(K) r` and `H(K) r`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from math import isinf

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.registry import ExactTypeRegistry
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.matrix_free import MatrixFreeOperator
from ntkit.operators.scaled import ScaledOperator
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator
from ntkit.solvers.eigenbasis import Eigenbasis
from ntkit.solvers.eigenvectors import eigenvectors
from ntkit.solvers.flow_by_products import ByProducts
from ntkit.solvers.flow_solution import AbstractPrepared, FlowSettings, FlowSolution
from ntkit.solvers.response import AbstractResponse, FlowResponse, Limit
from ntkit.solvers.tracked import refusing, source_of, with_derivative

__all__ = ["prepare", "solve_flow"]


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

    Dense: one `eigh` (`eigenvectors`). Circulant: one FFT. Low rank: the eigenvectors of the small Gram matrix.
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
    settings = FlowSettings(tolerance, dtype, on_step or (lambda: None))
    method = _methods[op]
    r = r.to(op.dtype)
    is_tracked = torch.is_grad_enabled() and (r.requires_grad or source_of(op) is not None)
    if is_tracked and not isinstance(op, CirculantOperator):  # an FFT has derivatives by itself
        return _Tracked(op, r, settings)
    return method(op, r, settings)


_methods: ExactTypeRegistry[Callable[..., AbstractPrepared]] = ExactTypeRegistry(
    "flow solver", TypeError
)


@_methods.register(DenseOperator)
def _dense(op: DenseOperator, r: Tensor, settings: FlowSettings) -> Eigenbasis:
    basis = eigenvectors(op.matrix.to(settings.dtype))
    floor = float(basis.values.abs().max()) * len(r.T) * torch.finfo(settings.dtype).eps
    return Eigenbasis(
        basis.values.double(),
        floor,
        basis.into(r.to(settings.dtype)),
        lambda x: basis.back(x).to(op.dtype),
        None,
        "eigh",
        basis.into,
        problem=(op, r),
    )


@_methods.register(CirculantOperator)
def _circulant(op: CirculantOperator, r: Tensor, settings: FlowSettings) -> Eigenbasis:
    shape = op.grid_shape
    axes = list(range(1, len(shape) + 1))
    values = op.eigenvalues()
    floor = float(values.detach().abs().max()) * torch.finfo(op.dtype).eps

    def back(spectrum: Tensor) -> Tensor:
        return torch.fft.irfftn(spectrum, shape, dim=axes).reshape(len(spectrum), -1)

    spectrum = torch.fft.rfftn(r.reshape(-1, *shape), dim=axes)
    return Eigenbasis(values, floor, spectrum, back, None, "fft", problem=(op, r))


@_methods.register(LowRankOperator)
def _low_rank(op: LowRankOperator, r: Tensor, settings: FlowSettings) -> Eigenbasis:
    values, rotation = torch.linalg.eigh((op.left.T @ op.left).double())
    kept = values > values.abs().amax() * 1e-14 if len(values) else values > 0
    values = values[kept]
    vectors = ((op.left.double() @ rotation[:, kept]) / values.sqrt()).to(op.dtype)
    inside = r @ vectors
    outside = r - inside @ vectors.T
    return Eigenbasis(
        values, 0.0, inside, lambda x: x @ vectors.T, outside, "low-rank", problem=(op, r)
    )


_methods.register(ToeplitzOperator, TiledOperator, ScaledOperator, MatrixFreeOperator)(ByProducts)


class _Tracked(AbstractPrepared):
    """An operator, or a residual, that asks for gradients."""

    def __init__(self, op: AbstractOperator, r: Tensor, settings: FlowSettings) -> None:
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
