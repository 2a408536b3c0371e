"""What a product of points in TF32, which keeps 10 bits of each factor, would do to an infinite-width kernel.

Emulated: entries of unit vectors are rounded to 10 bits, and summed in float32. For 2,000 pairs at each angle in 256 dimensions:
the largest error of the angle that their cosine tells, and that of the ReLU NTK of depth 3 computed from this cosine, over its
largest value. In float32 the same with all of its 23 bits. ntkit computes in neither of these ways: its products are in full
float32 whatever is set, and pairs whose cosine is above 0.95 are computed again in float64, from their difference.
"""

from math import pi

import torch
from torch import Tensor

from benchmarks.report import Row

PAIRS, DIMENSIONS, DEPTH = 2_000, 256, 3
ANGLES = {"0": 0.0, "1e-3": 1e-3, "1e-2": 1e-2, "0.1": 0.1, "1": 1.0, "pi / 2": pi / 2, "pi": pi}


def rounded(x: Tensor, bits: int) -> Tensor:
    """Float32 to the nearest number with that many bits behind the first one."""
    lost = 23 - bits
    if not lost:
        return x
    whole = x.view(torch.int32)
    half = (1 << (lost - 1)) - 1 + ((whole >> lost) & 1)  # ties to even
    return ((whole + half) & -(1 << lost)).view(torch.float32)


def ntk(cosine: Tensor) -> Tensor:
    """Of unit vectors, by the formula layer by layer; the weights of each layer keep the norm."""
    moment = tangent = cosine
    for _ in range(DEPTH):
        c = moment.clamp(-1, 1)
        far = pi - c.acos()
        moment = ((1 - c * c).sqrt() + far * c) / pi
        tangent = tangent * far / pi + moment
    return tangent


def errors(angle: float, bits: int) -> tuple[float, float]:
    """Of the angle, and of the kernel."""
    draw = torch.Generator().manual_seed(0)
    pair = torch.randn(2, PAIRS, DIMENSIONS, generator=draw, dtype=torch.float64)
    u = pair[0] / pair[0].norm(dim=1, keepdim=True)
    across = pair[1] - (pair[1] * u).sum(1, keepdim=True) * u
    v = torch.tensor(angle).double().cos() * u
    v = v + torch.tensor(angle).double().sin() * across / across.norm(dim=1, keepdim=True)
    a, b = rounded(u.float(), bits), rounded(v.float(), bits)
    cosine = torch.bmm(a[:, None], b[:, :, None]).flatten().double()
    exact = torch.tensor(angle, dtype=torch.float64)
    of_angle = (cosine.clamp(-1, 1).acos() - exact).abs().max()
    of_kernel = (ntk(cosine) - ntk(exact.cos())).abs().max() / ntk(torch.ones(1).double())
    return float(of_angle), float(of_kernel)


def measure() -> list[Row]:
    rows = []
    for name, angle in ANGLES.items():
        for precision, bits in (("TF32", 10), ("float32", 23)):
            of_angle, of_kernel = errors(angle, bits)
            rows.append(Row(f"angle {name}, {precision}: error of the angle", of_angle, "rad"))
            rows.append(Row(f"angle {name}, {precision}: error of the NTK", of_kernel))
    return rows
