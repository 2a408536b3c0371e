"""Kernel ridge regression on the kernel functions of a few centres."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit._core.checks import positive_int, replace_fields
from ntkit._core.errors import NumericalError
from ntkit._core.executor import Executor
from ntkit._core.fingerprint import of_tensors
from ntkit.kernels.base import AbstractKernel
from ntkit.solvers.checkpoint import Checkpoint, problem_of
from ntkit.solvers.checkpoint_folder import SOLVE, checked_folder
from ntkit.solvers.conjugate_gradients_method import ConjugateGradients
from ntkit.solvers.inducing_system import InducingSystem
from ntkit.solvers.normal_equations import NormalMatrix, normal_equations, rows_that_pay
from ntkit.solvers.pivoted_cholesky import pivoted_cholesky
from ntkit.solvers.solution import Solution
from ntkit.solvers.solve import solve

__all__ = ["InducingPoints"]

_TOLERANCE = 1e-6
"""Of the residual, by default: far below what a few centres leave out, and above what rounding leaves of centres that
lie close together."""

_DRAW_BYTES = 2**29
"""For the thin factor from whose pivots centres are taken."""

_FILE = "normal.pt"
"""Where the sums of the first pass are kept, in the folder of a checkpoint."""


@dataclass(frozen=True, eq=False)
class InducingPoints:
    """The best function `sum_j a_j K(x, c_j)` of `m` centres, in place of one of all `n` points.

    Minimises `|y - K(x, c) a|^2 + ridge a^T K(c, c) a`: with every point a centre this is
    `(K + ridge I)^-1 y`. Up to 4,000 centres the matrix of its normal equations is summed in one pass over the points;
    conjugate gradients with its factor then need one to three passes more. With more centres the factor is of a sample of
    the points, and some ten to fifty passes follow. `K(x, c)` is computed tile by tile in each pass and never stored. It is
    no solver of a square system: `ntkit.solvers.kernel_ridge` takes it.

    Args:
        centres: The centres, `[m, ...]`; or their number, and they are drawn from the points by randomly pivoted
            Cholesky, among as many as a factor of 512 MiB allows. To draw them evenly pass
            `x[torch.randperm(len(x))[:m]]`.
        max_iterations: Passes of conjugate gradients over the points.
        checkpoint: A folder, as in `ConjugateGradients`, which the first pass writes to, too: `m^2` numbers.

    The residual of the solution is that of the normal equations, `|Phi^T (y - Phi b) - ridge b| / |Phi^T y|` with the
    features `Phi = K(x, c) L^-T` and `K(c, c) = L L^T`, measured by one more pass; 1e-6 is asked of it by
    default. A jitter that `K(c, c)` needed is reported, and is part of its matrix.

    Cost: `n m` kernel entries a pass; `1.1 n m^2` multiply-adds once (`9 m^3` of a sample), and `2^26 m` for the draw of
    many centres; `5 m^2` numbers beside the points.

    Source: Rudi, Carratino and Rosasco 2017 (arXiv:1705.10958), eqs. 8 and 13, with a preconditioner from all rows, or
    from sampled ones, that holds for centres drawn in any way; centres as in Chen, Epperly, Tropp and Webber 2022
    (arXiv:2207.06503).

    Example:
        >>> import ntkit
        >>> x = torch.linspace(0, 1, 500).double()[:, None]
        >>> fit = ntkit.solvers.kernel_ridge(
        ...     ntkit.kernels.RBF(0.2), x, (6 * x[:, 0]).sin(), ridge=1e-3, method=InducingPoints(12)
        ... )
        >>> len(fit.points), fit.solution.converged, bool((fit.predict(x) - (6 * x[:, 0]).sin()).abs().max() < 0.01)
        (12, True, True)
    """

    centres: Shaped[Tensor, "m ..."] | int
    max_iterations: int = 200
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        replace_fields(self, max_iterations=positive_int("max_iterations", self.max_iterations))
        if not isinstance(self.centres, Tensor):
            replace_fields(self, centres=positive_int("centres", self.centres))
        elif not len(self.centres):
            raise ValueError(
                "`centres` has no point, got shape "
                f"{tuple(self.centres.shape)}. Pass some, or how many to draw."
            )

    def regress(
        self,
        kernel: AbstractKernel,
        x: Shaped[Tensor, "n ..."],
        y: Float[Tensor, "n o"],
        *,
        ridge: float,
        sample_weights: Float[Tensor, " n"] | None,
        tolerance: float | None,
        executor: Executor,
        progress: bool | None,
    ) -> tuple[Shaped[Tensor, "m ..."], Solution]:
        """The centres, and the weights of their kernel functions, `[m, o]`.

        Args:
            kernel: Of two points a number.
            x: Training points.
            y: Their values, float64.
            ridge: 0 or more.
            sample_weights: How many samples each stands for.
            tolerance: Relative residual of the normal equations; 1e-6 by default.
            executor: Where tiles are computed.
            progress: As in `solve`.

        Raises:
            ValueError: There are no points, or the centres are points of another shape.
            TypeError: The centres are fractions, and the points whole numbers.
        """
        checked_folder(self.checkpoint, _FILE, SOLVE)  # before centres are drawn
        if not len(x):
            raise ValueError(f"`points` is empty: shape {tuple(x.shape)}. Pass at least one point.")
        if isinstance(self.centres, Tensor) and self.centres.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"`centres` are points of shape {tuple(self.centres.shape[1:])}, and those to train on of "
                f"{tuple(x.shape[1:])}."
            )
        if isinstance(self.centres, Tensor) and not torch.can_cast(self.centres.dtype, x.dtype):
            raise TypeError(
                f"`centres` are of {self.centres.dtype}, and the points to train on of {x.dtype}, which cannot hold them. "
                "Pass both in one dtype."
            )
        centres, words = self._drawn(kernel, x)
        system = InducingSystem(
            kernel, x, centres, sample_weights=sample_weights, executor=executor
        )
        kept = Checkpoint(
            self.checkpoint,
            lambda: (
                problem_of(system, ridge, "normal equations")
                | {"right-hand sides": of_tensors([("", y)])}
            ),
            y[:0],
            file=_FILE,
        )
        with kept:
            preconditioner, targets = _prepared(system, y.T.contiguous(), kept, progress)
            found = solve(
                system,
                targets.T,
                ridge=ridge,
                tolerance=_TOLERANCE if tolerance is None else tolerance,
                method=ConjugateGradients(
                    preconditioner,
                    max_iterations=self.max_iterations,
                    checkpoint=self.checkpoint,
                ),
                progress=progress,
            )
        kept.end(found.converged)
        jitter = system.factor.jitter
        words += f", {found.why}, " + (f"jitter {jitter:.1e}" if jitter else "no jitter")
        weights = system.weights(found.x.T).T
        return centres, replace(found, x=weights, method="inducing points", why=words)

    def _drawn(self, kernel: AbstractKernel, x: Tensor) -> tuple[Tensor, str]:
        """The centres, and where they are from.

        Raises:
            NumericalError: No point has a kernel function.
        """
        if isinstance(self.centres, Tensor):
            return self.centres.to(x), f"{len(self.centres):,} centres as given"
        n, wanted = len(x), min(self.centres, len(x))
        among = min(n, max(wanted, _DRAW_BYTES // (8 * wanted)))
        draw = torch.Generator().manual_seed(0)  # the same points, the same centres
        index = torch.randperm(n, generator=draw)[:among].to(x.device)
        factor = pivoted_cholesky(
            kernel, x[index], tolerance=torch.finfo(torch.float64).eps, max_rank=wanted
        )
        if not len(factor.pivots):
            raise NumericalError(
                "`kernel` is zero at all points: it has no function to fit with. Check the kernel and the points."
            )
        words = f"{len(factor.pivots):,} centres by randomly pivoted Cholesky"
        words += "" if among == n else f" among {among:,} points"
        return factor.pivots, f"{words}, which leave out {factor.error:.1%} of the trace"


def _prepared(
    system: InducingSystem, y: Float[Tensor, "c n"], kept: Checkpoint, progress: bool | None
) -> tuple[NormalMatrix, Float[Tensor, "c m"]]:
    """The preconditioner and the right-hand sides: by one pass over all rows, or of a sample and by a pass."""
    n, m = len(system.x), system.shape[0]
    count = rows_that_pay(n, m)
    if count == n:
        matrix, targets = normal_equations(system, y, kept=kept, progress=progress)
        return NormalMatrix(matrix, n, n), targets
    draw = torch.Generator().manual_seed(0)  # the same points, the same preconditioner
    index = torch.randperm(n, generator=draw)[:count].to(system.device)
    matrix, _ = normal_equations(system.of(index), y[:0, :count], kept=kept, progress=progress)
    return NormalMatrix(matrix, count, n), system.targets(y)
