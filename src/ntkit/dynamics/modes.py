"""Training seen mode by mode: a residual in the eigenbasis of a kernel that splits into layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.solvers.response import phi

__all__ = ["Modes", "Trajectory", "bin_modes", "flow_trajectory"]

_NEGLIGIBLE = 1e-12  # eigenvalues below this share of the largest are taken as equal
_SINGLE_MODES = 64  # the largest eigenvalues keep a bin each: they carry most of a signal


@dataclass(frozen=True)
class Modes:
    """A training problem in a basis in which every layer's kernel is diagonal.

    Attributes:
        eigenvalues: `[g, k]`, of each layer's kernel matrix on the training points.
        energy: `[k]`, squared residual in each mode, summed over outputs.
        multiplicity: `[k]`, eigenvectors that share each entry (bins of modes).
        diagonal: `[g]`, each layer's `K(x, x)`.
        sizes: `[g]`, parameters of each layer.
        norms: `[g]`, squared norm of each layer's parameters at the start; of layers taken as one, the
            inverse of the sum of their inverses.
        n_samples: Training samples.
        n_outputs: Outputs.
        lost: Squared residual outside of all modes, which is never learned.
    """

    eigenvalues: Float[Tensor, "g k"]
    energy: Float[Tensor, " k"]
    multiplicity: Float[Tensor, " k"]
    diagonal: Float[Tensor, " g"]
    sizes: Float[Tensor, " g"]
    norms: Float[Tensor, " g"]
    n_samples: int
    n_outputs: int
    lost: float = 0.0

    def error(self, decay: Float[Tensor, "... k"]) -> Float[Tensor, "..."]:
        """Mean square error on the training points, once each mode is down to `decay`."""
        total = (self.energy * decay**2).sum(-1) + self.lost
        return total / (self.n_samples * self.n_outputs)


@dataclass(frozen=True)
class Trajectory:
    """What training has done to each mode by several moments.

    Attributes:
        decay: `[s, k]`, what is left of each mode's residual, 1 at the start.
        weights: `[s, g, k]`, weight of each layer's kernel in the function learned, per unit of
            the first residual: `f(x) = sum_g K_g(x, X) (weights_g * residual)`.
    """

    decay: Float[Tensor, "s k"]
    weights: Float[Tensor, "s g k"]


def bin_modes(eigenvalues: Float[Tensor, " n"], *, levels: int = 2000) -> Int[Tensor, " n"]:
    """Number the modes by bins of nearly the same eigenvalue, the largest first.

    The first 64 have a bin each; the rest share a bin where they fall into the same of `levels`
    equal steps of the logarithm, so that no bin straddles a gap in the spectrum.
    """
    n = len(eigenvalues)
    ordered, order = eigenvalues.sort(descending=True)
    singles = min(_SINGLE_MODES, n)
    depth = -(ordered / ordered[0].clamp_min(1e-300)).clamp_min(_NEGLIGIBLE).log()
    level = (depth * (levels / -log(_NEGLIGIBLE))).floor()
    starts = torch.ones(n, dtype=torch.long)
    starts[singles:] = (level[singles:] != level[singles - 1 : -1]).long()
    if n > singles:
        starts[singles] = 1
    bins = torch.empty(n, dtype=torch.long)
    bins[order] = starts.cumsum(0) - 1
    return bins


def flow_trajectory(modes: Modes, times: Sequence[float]) -> Trajectory:
    """Gradient flow on `1/2 * sum (f - y)^2`: every layer moves at the same rate."""
    total = modes.eigenvalues.sum(0)
    floor = total.max() * len(total) * torch.finfo(total.dtype).eps
    total = torch.where(total > floor, total, torch.zeros_like(total))
    learned = torch.stack([phi(total, t) for t in times])
    return Trajectory(
        decay=1 - total * learned,
        weights=learned[:, None].expand(-1, len(modes.eigenvalues), -1),
    )
