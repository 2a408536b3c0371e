"""How much of a turn each view stands for, and each ray where lines are seen twice."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["divergent_shares", "shares"]

_GAP = 3.0  # of the median gap between angles: a view stands for no more, so that a missing wedge stays one


def shares(angles: Float[Tensor, " views"], turn: float) -> Float[Tensor, " views"]:
    """The part of a turn that each view stands for: half of the gaps to its neighbours, of no more than three steps.

    Example:
        >>> shares(torch.tensor([0.0, 0.25, 0.5, 1.0]), 2.0)
        tensor([0.5000, 0.2500, 0.3750, 0.6250])
    """
    order = (angles % turn).argsort()
    gaps = _gaps((angles % turn)[order], turn).clamp_max(_GAP * _step(angles, turn))
    found = torch.empty_like(gaps)
    found[order] = (gaps + gaps.roll(1)) / 2
    return found


def divergent_shares(
    angles: Float[Tensor, " views"], fan: Float[Tensor, "..."], widest: float
) -> tuple[Float[Tensor, " views"], Float[Tensor, "views ..."]]:
    """Those of the views of a fan or cone, and of the rays within each; every line counts once in all.

    Args:
        angles: Of the views.
        fan: Of each detector, the angle of its ray to that of the middle, in radians.
        widest: Such an angle beyond which there is no field.

    Raises:
        ValueError: Some lines through the field are not seen: half a turn and the angle of the fan are needed.

    Source: Parker 1982, Medical Physics 9, for less than a turn.
    """
    whole = 2 * pi
    order = (angles % whole).argsort()
    sorted_ = (angles % whole)[order]
    gaps, step = _gaps(sorted_, whole), _step(angles, whole)
    views = shares(angles, whole)
    ones = torch.ones(len(angles), *fan.shape, dtype=views.dtype, device=views.device)
    if float(gaps.max()) <= _GAP * step:
        return views / 2, ones  # every line is seen from both ends
    last = int(gaps.argmax())
    first = sorted_[(last + 1) % len(sorted_)]
    views[order[last]] -= (_GAP - 1) * step / 2
    views[order[(last + 1) % len(order)]] -= (_GAP - 1) * step / 2
    covered = whole - float(gaps.max()) + step
    fan = fan.clamp(-widest, widest)
    needed = pi + 2 * float(fan.abs().max())
    if covered < needed - step:
        raise ValueError(
            f"`A` has views over {covered * 180 / pi:.0f} degrees; filtered back-projection of this fan or cone needs "
            f"{needed * 180 / pi:.0f}, half a turn and the angle of the fan. `reconstruct` does not."
        )
    place = ((angles - first) % whole + step / 2).reshape(-1, *[1] * fan.ndim)
    return views, _parker(place, -fan.to(views), max(covered, needed))


def _parker(
    place: Float[Tensor, "views ..."], fan: Float[Tensor, "..."], covered: float
) -> Float[Tensor, "views ..."]:
    """Smooth weights of which the two of a line that is seen twice sum to one."""
    spare = (covered - pi) / 2  # half of the angle over which lines are seen twice
    begin = (place / (spare - fan).clamp_min(1e-9)).clamp(0, 2)
    end = ((covered - place) / (spare + fan).clamp_min(1e-9)).clamp(0, 2)
    return ((pi / 4 * begin).sin() * (pi / 4 * end).sin()).square()


def _gaps(ordered: Float[Tensor, " views"], turn: float) -> Float[Tensor, " views"]:
    """From each angle to the next one, around the turn."""
    return torch.cat([ordered[1:], ordered[:1] + turn]) - ordered


def _step(angles: Float[Tensor, " views"], turn: float) -> float:
    """The median of the gaps that are any."""
    gaps = _gaps((angles % turn).sort().values, turn)
    return float(gaps[gaps > 0].median())
