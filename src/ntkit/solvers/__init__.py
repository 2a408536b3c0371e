"""Solvers: functions of operators and linear solves."""

from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series
from ntkit.solvers.cholesky import CholeskyFactor, cholesky
from ntkit.solvers.conjugate_gradients import (
    Solution,
    chan_circulant,
    chan_preconditioner,
    conjugate_gradients,
)
from ntkit.solvers.flow import FlowSolution, phi, solve_flow
from ntkit.solvers.lanczos import RitzPairs, lanczos
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky

__all__ = [
    "CholeskyFactor",
    "Factor",
    "FlowSolution",
    "RitzPairs",
    "Solution",
    "chan_circulant",
    "chan_preconditioner",
    "chebyshev_apply",
    "chebyshev_series",
    "cholesky",
    "conjugate_gradients",
    "lanczos",
    "phi",
    "pivoted_cholesky",
    "solve_flow",
]
