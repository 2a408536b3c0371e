"""Any kernel at any points, by its largest modes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.modes import Modes, Trajectory
from ntkit.kernels.infinite import ntk
from ntkit.solvers.pivoted_cholesky import pivoted_cholesky
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.problems.base import AbstractProblem
from ntkit.tuning.problems.parts import inverse_sum, some

__all__ = ["LowRankProblem"]

_JUDGED = 16_384


@dataclass(frozen=True, init=False)
class LowRankProblem(AbstractProblem):
    """Any kernel at any points, by pivoted Cholesky: what the raw coordinates need.

    Judged on at most 16,384 held-out samples, drawn with a fixed seed; where nothing is held out, by
    generalised cross-validation.

    The layers' kernels share no eigenvectors here, so they are taken as one layer with the
    parameters of all.

    Args:
        network: Any network with infinite-width rules.
        task: What is trained on, and judged.
        tolerance: Share of the kernel's trace that may be left out.
        max_rank: Columns allowed.

    Source: Golub, Heath and Wahba 1979, eq. 1.4, for the cross-validation.
    """

    modes: Modes
    error: float
    _features: Tensor = field(repr=False)
    _judged: Tensor = field(repr=False)
    _coordinates: Tensor = field(repr=False)
    _at: Callable[[Tensor], Tensor] = field(repr=False)

    def __init__(
        self,
        network: nn.Module,
        task: AbstractSamples,
        *,
        tolerance: float = 1e-5,
        max_rank: int = 256,
    ) -> None:
        kernel = ntk(network, variances="default")
        x, y = task.training()
        factor = pivoted_cholesky(kernel, x, tolerance=tolerance, max_rank=max_rank)
        values, rotation = torch.linalg.eigh(factor.left.T @ factor.left)
        kept = values > values.max() * 1e-12
        values, rotation = values[kept], rotation[:, kept]
        inside = (rotation.T @ (factor.left.T @ y)) / values.sqrt()[:, None]  # [k, o]
        energy = (inside**2).sum(1)
        modes = Modes(
            eigenvalues=values[None],
            energy=energy,
            multiplicity=torch.ones_like(values),
            diagonal=kernel.diag(x).mean()[None],
            sizes=torch.tensor([float(sum(kernel.layer_sizes()))], dtype=torch.float64),
            norms=inverse_sum(kernel.layer_norms()),
            n_samples=len(x),
            n_outputs=y.shape[1],
            lost=max(0.0, float((y**2).sum() - energy.sum())),
        )
        points, judged = some(*task.judged(), _JUDGED)

        def at(points: Tensor) -> Tensor:
            """Features whose products with the coordinates of a residual are the kernel's with the residual."""
            return (factor.features(kernel, points) @ rotation) * values.sqrt()

        features = at(points) if len(points) else values.new_zeros(0, len(values))
        for name, value in {
            "modes": modes,
            "error": factor.error,
            "note": f"low-rank kernel of rank {len(energy)}, leaving out "
            f"{factor.error:.1e} of its trace; all layers share one learning rate.",
            "_features": features,
            "_judged": judged,
            "_coordinates": inside,
            "_at": at,
        }.items():
            object.__setattr__(self, name, value)

    def held_out_error(self, run: Trajectory) -> Float[Tensor, " s"]:
        """`K(x, X) = F V^T` with orthonormal `V`: one thin product a moment."""
        if not len(self._judged):
            freedom = (1 - run.decay).sum(1) / self.modes.n_samples
            return self.modes.error(run.decay) / (1 - freedom) ** 2
        errors = []
        for moment in run.weights[:, 0]:
            learned = self._features @ (moment[:, None] * self._coordinates)
            errors.append(float(((self._judged - learned) ** 2).mean()))
        return torch.tensor(errors, dtype=torch.float64)

    def learned(self, run: Trajectory, points: Float[Tensor, "n d"]) -> Float[Tensor, "s n o"]:
        """The function learned, at any points, at the moments of a trajectory of `modes`."""
        features = self._at(points)
        moments = [features @ (w[:, None] * self._coordinates) for w in run.weights[:, 0]]
        return torch.stack(moments)
