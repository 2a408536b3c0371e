"""The kernel at many lags: from the squared distance of features, by layers or by their angle."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.chunk_sizes import LAGS
from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.back.angle import AngleProfile, fit_profile, state_at_angle
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.moments.state import PairState

__all__ = ["layers_at_gaps", "values_at_gaps"]

_WORTH = 2**14
"""Entries from which a polynomial pays: its own making takes a few thousand of them."""

_LAYERS_REACH = (0.25,)
"""Cosine that most lags of random frequencies stay below; each reach more takes time for all layers."""


def values_at_gaps(
    executable: Executable, gap: Float[Tensor, "..."], variance: float, *, with_ntk: bool
) -> Float[Tensor, "..."]:
    """The kernel of inputs of one variance at squared distances `gap` (a feature), float64.

    Many of them are read off one polynomial of the angle, where the kernel has one and no gradients
    are wanted; the layers' own formulas are its oracle.
    """
    flat = gap.flatten()
    is_tracked = torch.is_grad_enabled() and (gap.requires_grad or executable.is_live)
    profile = None
    if len(flat) >= _WORTH and not is_tracked:
        profile = executable.profile(variance, torch.float64)
    if profile is not None:
        return _read_off(profile, flat, variance)[0].reshape(gap.shape)
    var = torch.tensor(variance, dtype=torch.float64, device=gap.device)
    ntk = torch.zeros_like(var) if with_ntk else None
    parts = [
        executable.of_state(PairState(var - g / 2, ntk, var, var, g, (4 * var - g).clamp_min(0)))
        for g in flat.split(LAGS.on(gap.device))
    ]
    return torch.cat(parts).reshape(gap.shape)


def layers_at_gaps(
    executable: Executable, gap: Float[Tensor, "..."], variance: float, *, tolerance: float
) -> Float[Tensor, "g ..."]:
    """The layers' parts of the tangent kernel, always by polynomials of the angle.

    Raises:
        NumericalError: None of degree up to 128 meets the tolerance.
    """
    profile = fit_profile(
        lambda angle: executable.layers_of_state(state_at_angle(angle, variance, with_ntk=True)),
        tolerance,
        _LAYERS_REACH,
    )
    if profile.by_angle.error > tolerance:
        raise NumericalError(
            f"The layers' kernels are no polynomials of the angle to {tolerance:.1g} "
            f"(reached {profile.by_angle.error:.1g}); pass a larger `tolerance`."
        )
    return _read_off(profile, gap.flatten(), variance).reshape(-1, *gap.shape)


def _read_off(profile: AngleProfile, gap: Float[Tensor, " k"], variance: float) -> Tensor:
    """`[g, k]`, a tile at a time."""
    functions = profile.by_angle.series.shape[1]
    out, size = gap.new_empty(functions, len(gap)), LAGS.on(gap.device) // functions
    for g, into in zip(gap.split(size), out.split(size, 1), strict=True):
        into.copy_(profile.at_distances(g / (4 * variance)))
    return out
