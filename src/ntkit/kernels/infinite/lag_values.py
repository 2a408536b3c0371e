"""The kernel at many lags: from the squared distance of features, by layers or by their angle."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.infinite.angle import AngleProfile
from ntkit.kernels.infinite.prepared import Prepared
from ntkit.kernels.infinite.state import PairState

__all__ = ["angle_of", "values_at_gaps"]

_TILE = 2**15
"""Entries whose tables stay in a core's cache while the steps walk over them."""

_WORTH = 2**14
"""Entries from which a polynomial pays: its own making takes a few thousand of them."""


_FEW = 0.05
"""Share of the entries that may be computed twice."""


def values_at_gaps(
    prepared: Prepared, gap: Float[Tensor, "..."], variance: float, *, with_ntk: bool
) -> Float[Tensor, "..."]:
    """The kernel of inputs of one variance at squared distances `gap` (a feature), float64.

    Many of them are read off one polynomial of the angle, where the kernel has one and no gradients
    are wanted; the layers' own formulas are its oracle.
    """
    flat = gap.flatten()
    is_tracked = torch.is_grad_enabled() and (gap.requires_grad or prepared.has_live_scales)
    profile = None
    if len(flat) >= _WORTH and not is_tracked and gap.device.type == "cpu":
        profile = prepared.profile(variance, torch.float64)
    if profile is not None:
        out = torch.empty_like(flat)
        for g, into in zip(flat.split(_TILE), out.split(_TILE), strict=True):
            into.copy_(_by_profile(profile, g / (4 * variance)))
        return out.reshape(gap.shape)
    var = torch.tensor(variance, device=gap.device).double()
    ntk = torch.zeros_like(var) if with_ntk else None
    parts = [
        prepared.of_state(PairState(var - g / 2, ntk, var, var, g, (4 * var - g).clamp_min(0)))
        for g in flat.split(_TILE)
    ]
    return torch.cat(parts).reshape(gap.shape)


def angle_of(share: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The angle of two vectors of one norm whose squared distance is that share of the largest."""
    return 2 * share.clamp(0, 1).sqrt().asin()


def _by_profile(profile: AngleProfile, share: Float[Tensor, " k"]) -> Float[Tensor, " k"]:
    """By the shortest polynomial of the cosine that serves most; the others by their angle."""
    cosine = 1 - 2 * share
    size = cosine.abs()
    for polynomial in profile.by_cosine:
        far = (size > polynomial.half).nonzero()[:, 0]
        if len(far) <= _FEW * len(size):
            return polynomial(cosine).index_copy(0, far, profile.by_angle(angle_of(share[far])))
    return profile.by_angle(angle_of(share))
