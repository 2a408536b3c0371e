"""Solvers: linear systems, and functions of operators."""

from ntkit.solvers.auto_method import Auto
from ntkit.solvers.block_descent import BlockDescent
from ntkit.solvers.block_lanczos import EigenPairs, block_lanczos
from ntkit.solvers.chebyshev import chebyshev_apply, chebyshev_series
from ntkit.solvers.cholesky import CholeskyFactor, cholesky
from ntkit.solvers.cholesky_method import Cholesky
from ntkit.solvers.conjugate_gradients import (
    chan_circulant,
    chan_preconditioner,
    conjugate_gradients,
)
from ntkit.solvers.conjugate_gradients_method import ConjugateGradients
from ntkit.solvers.eigenbasis import Eigenbasis
from ntkit.solvers.flow import prepare, solve_flow
from ntkit.solvers.flow_solution import AbstractPrepared, FlowSolution
from ntkit.solvers.inducing_points import InducingPoints
from ntkit.solvers.kernel_ridge import RidgeFit, kernel_ridge
from ntkit.solvers.lanczos import RitzPairs, lanczos
from ntkit.solvers.lanczos_quadrature import (
    gauss_rule,
    lanczos_coefficients,
    radau_coefficients,
)
from ntkit.solvers.method import AbstractMethod
from ntkit.solvers.multi_shift import ShiftedSolutions, multi_shift_cg
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky
from ntkit.solvers.preconditioners import (
    AbstractPreconditioner,
    Circulant,
    Nystrom,
    PivotedCholesky,
)
from ntkit.solvers.response import (
    AbstractResponse,
    FlowResponse,
    Limit,
    Shifted,
    phi,
    with_ridge,
)
from ntkit.solvers.solution import Solution
from ntkit.solvers.solve import solve

__all__ = [
    "AbstractMethod",
    "AbstractPreconditioner",
    "AbstractPrepared",
    "AbstractResponse",
    "Auto",
    "BlockDescent",
    "Cholesky",
    "CholeskyFactor",
    "Circulant",
    "ConjugateGradients",
    "EigenPairs",
    "Eigenbasis",
    "Factor",
    "FlowResponse",
    "FlowSolution",
    "InducingPoints",
    "Limit",
    "Nystrom",
    "PivotedCholesky",
    "RidgeFit",
    "RitzPairs",
    "Shifted",
    "ShiftedSolutions",
    "Solution",
    "block_lanczos",
    "chan_circulant",
    "chan_preconditioner",
    "chebyshev_apply",
    "chebyshev_series",
    "cholesky",
    "conjugate_gradients",
    "gauss_rule",
    "kernel_ridge",
    "lanczos",
    "lanczos_coefficients",
    "multi_shift_cg",
    "phi",
    "pivoted_cholesky",
    "prepare",
    "radau_coefficients",
    "solve",
    "solve_flow",
    "with_ridge",
]
