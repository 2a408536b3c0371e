"""Training under an operator that is known by its products alone."""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.operators.affine import affine
from ntkit.operators.base import AbstractOperator
from ntkit.operators.toeplitz import ToeplitzOperator
from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series
from ntkit.solvers.conjugate_gradients import chan_preconditioner, conjugate_gradients
from ntkit.solvers.flow_solution import AbstractPrepared, FlowSettings, FlowSolution, misfit
from ntkit.solvers.lanczos import RitzPairs, lanczos
from ntkit.solvers.response import AbstractResponse, Limit

__all__ = ["LANCZOS_STEPS", "ByProducts"]

LANCZOS_STEPS = 24
"""Products spent on the top of the spectrum: they give the bound and the modes to deflate."""


class ByProducts(AbstractPrepared):
    """An operator that is known by its products alone."""

    def __init__(self, op: AbstractOperator, r: Tensor, settings: FlowSettings) -> None:
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
            error = max(error, misfit(self._op, self._r, decay, weights))
        return FlowSolution(decay, weights, "chebyshev", products, error)


def _linear_solve(
    op: AbstractOperator, r: Tensor, shift: float, settings: FlowSettings
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
