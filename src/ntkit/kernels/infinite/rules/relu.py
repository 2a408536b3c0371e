"""ReLU: the arc-cosine kernel of order one and its derivative."""

from math import pi

import torch
from torch import Tensor, nn

from ntkit.kernels.infinite.rules.registry import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Variances


@rules.register(nn.ReLU)
def relu(layer: nn.ReLU, state: PairState, variances: Variances) -> PairState:
    """`E[s s] = |u||v| (sin t + (pi - t) cos t) / 2 pi`, `E[s' s'] = (pi - t) / 2 pi`, angle `t`.

    The distance follows without cancellation from `1 - cos t` and `sin t - t cos t`:
    `E[(s(u) - s(v))^2] = gap / 2 - |u||v| (sin t - t cos t) / pi`.

    Source: Cho and Saul 2009, eqs. 3-6 with n = 0, 1, halved for weights that ReLU switches off.
    """
    norms = (state.var1 * state.var2).sqrt()
    radial = (state.var1.sqrt() - state.var2.sqrt()) ** 2
    apart = (state.gap - radial).clamp_min(0)  # 4 |u||v| sin^2(t / 2)
    together = (4 * norms - apart).clamp_min(0)  # 4 |u||v| cos^2(t / 2)
    rise, run = apart.sqrt(), together.sqrt()
    angle = 2 * torch.atan2(rise, run)
    cos = (together - apart) / 4  # |u||v| cos t
    sin = rise * run / 2
    return PairState(
        cov=(sin + (pi - angle) * cos) / (2 * pi),
        gap=(state.gap / 2 - _remainder(angle, norms, sin, cos) / pi).clamp_min(0),
        var1=state.var1 / 2,
        var2=state.var2 / 2,
        ntk=state.ntk * ((pi - angle) / (2 * pi)),
    )


def _remainder(angle: Tensor, norms: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
    """`|u||v| (sin t - t cos t)`, by its Taylor series where the difference would cancel."""
    square = angle * angle
    series = 1 - square / 10 * (1 - square / 28 * (1 - square / 54 * (1 - square / 88)))
    return torch.where(angle < 0.1, norms * angle * square / 3 * series, sin - angle * cos)
