"""The linear problem, the kernel alone: all ridges of one prior in one run."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.evidence import Covariance
from ntkit.reconstruction.system import System
from ntkit.solvers.multi_shift import multi_shift_cg

__all__ = ["LinearFields", "kernel_fields"]


@dataclass(frozen=True, eq=False)
class LinearFields:
    """Fields that the kernel alone gives, one a ridge.

    Attributes:
        fields: `[s, c, p, *shape]`.
        residuals: `[s]`, relative, of the equations of the data.
        iterations: Products with `A K A^H`.
    """

    fields: Float[Tensor, "..."]
    residuals: Float[Tensor, " s"]
    iterations: int


def kernel_fields(
    system: System,
    prior: Covariance,
    data: Float[Tensor, "c p m"],
    ridges: Sequence[float],
    *,
    tolerance: float = 1e-4,
    iterations: int = 1000,
) -> LinearFields:
    """`K A^H (A K A^H + ridge)^-1 d`, for several data and ridges at once.

    Args:
        system: The measurement.
        prior: The kernel.
        data: Less the mean's, weighted.
        ridges: Of the kernel over the noise.
        tolerance: Relative residual.
        iterations: At most.

    Cost: a product with `A`, `A^H` and `K` an iteration, for all ridges together.
    """
    shape = data.shape[1:]

    def product(rows: Tensor) -> Tensor:
        field = system.adjoint(rows.unflatten(1, shape))
        return system.forward(prior.covariance(field)).flatten(1)

    found = multi_shift_cg(
        product, data.flatten(1), ridges, tolerance=tolerance, max_iterations=iterations
    )
    weights = found.values.unflatten(-1, shape)
    fields = prior.covariance(system.adjoint(weights.flatten(0, 1)))
    return LinearFields(fields.unflatten(0, weights.shape[:2]), found.residuals, found.iterations)
