"""Any kernel at any points, by its largest modes."""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.modes import Modes, Trajectory
from ntkit.kernels.infinite import InfiniteKernel, ntk
from ntkit.solvers.pivoted_cholesky import Factor, pivoted_cholesky
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.problems.base import AbstractProblem
from ntkit.tuning.problems.parts import inverse_sum, some

__all__ = ["LowRankProblem"]

_JUDGED = 16_384  # held-out points at most: a mean of so many squares is known to 1 %
_AT_ONCE = 8192  # points of a field: 16 MB of features


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
    _kernel: InfiniteKernel = field(repr=False)
    _factor: Factor = field(repr=False)  # without its rows at the training points
    _rotation: Tensor = field(repr=False)

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
        features = values.new_zeros(0, len(values))
        if len(points):
            features = factor.features(kernel, points) @ rotation  # times sqrt(value)
        for name, value in {
            "modes": modes,
            "error": factor.error,
            "note": f"low-rank kernel of rank {len(energy)}, leaving out "
            f"{factor.error:.1e} of its trace; all layers share one learning rate.",
            "_features": features * values.sqrt(),
            "_judged": judged,
            "_coordinates": inside,
            "_kernel": kernel,
            "_factor": replace(factor, left=factor.left[:0].clone()),
            "_rotation": rotation * values.sqrt(),
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

    def learned(self, run: Trajectory, points: Float[Tensor, "m d"]) -> Float[Tensor, "s m o"]:
        """The function learned, anywhere, at the moments of a trajectory of `modes`.

        Cost: a kernel entry a point and column of the low rank.
        """
        parts = []
        for some_points in points.split(_AT_ONCE):
            features = self._factor.features(self._kernel, some_points) @ self._rotation
            gains = run.weights[:, 0, :, None] * self._coordinates  # [s, k, o]
            parts.append(torch.einsum("mk,sko->smo", features, gains))
        return torch.cat(parts, 1)
