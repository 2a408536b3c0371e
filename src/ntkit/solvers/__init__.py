"""Solvers: functions of operators and linear solves."""

from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series
from ntkit.solvers.conjugate_gradients import (
    Solution,
    chan_circulant,
    chan_preconditioner,
    conjugate_gradients,
)
from ntkit.solvers.flow import AbstractPrepared, Eigenbasis, FlowSolution, prepare, solve_flow
from ntkit.solvers.lanczos import RitzPairs, lanczos
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky
from ntkit.solvers.response import (
    AbstractResponse,
    FlowResponse,
    Limit,
    Shifted,
    phi,
    with_ridge,
)

__all__ = [
    "AbstractPrepared",
    "AbstractResponse",
    "Eigenbasis",
    "Factor",
    "FlowResponse",
    "FlowSolution",
    "Limit",
    "RitzPairs",
    "Shifted",
    "Solution",
    "chan_circulant",
    "chan_preconditioner",
    "chebyshev_apply",
    "chebyshev_series",
    "conjugate_gradients",
    "lanczos",
    "phi",
    "pivoted_cholesky",
    "prepare",
    "solve_flow",
    "with_ridge",
]
