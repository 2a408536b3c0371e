"""Spherical harmonics: the Fourier features of directions."""

from math import pi, sqrt

import torch
from jaxtyping import Float, Real
from torch import Tensor

from ntkit._core.checks import whole
from ntkit.encodings.base import AbstractEncoding

__all__ = ["SphericalHarmonics"]

_HIGHEST = 40  # what is tested; the recurrence itself goes on


class SphericalHarmonics(AbstractEncoding):
    """Real orthonormal spherical harmonics `Y_lm` of a direction, `l = 0..L`, `m = -l..l`.

    `Y_lm(v) = sqrt(2) N_lm P_l^m(z) cos(m phi)` for `m > 0`, `sin(|m| phi)` for `m < 0`, and
    `N_l0 P_l(z)` for `m = 0`; `z` is the polar axis and `phi` the angle from `x` towards `y`. The integral
    of `Y_lm^2` over the sphere is 1, without the Condon-Shortley phase: `Y_1 = sqrt(3 / 4 pi) (y, z, x)`.
    Feature `l^2 + l + m` is `Y_lm`.

    Only the direction counts: a vector is divided by its length. The zero vector has none; its features
    are NaN, but for the constant one. The features are polynomials in `x, y, z`, smooth at the poles too, and computed in
    float64 whatever the dtype of the points.

    The norm is constant, and dot products depend on the angle alone, so any dot-product kernel on top is
    the same after a rotation (`correlation`). It is not a function of the difference of two vectors
    of any length, so `is_stationary` is False: the engines for grids need that.

    Args:
        max_degree: `L`, 0 to 40; the output has `(L + 1)^2` features. The finest details are about
            `180 / L` degrees wide.
        condon_shortley: Whether odd `m` have the other sign, as in tiny-cuda-nn.
        in_unit_cube: Whether points are given as `(v + 1) / 2`, as tiny-cuda-nn takes them.

    Raises:
        ValueError: `max_degree` is below 0 or above 40.

    Source: Holmes and Featherstone 2002 (J. Geodesy 76), eq. 11 and 12, the recurrence in degree at fixed
        order, of the functions divided by `sin^m`; Sloan 2013 (JCGT 2, 2).

    Example:
        >>> import torch
        >>> SphericalHarmonics(1)(torch.tensor([[0.0, 0.0, 2.0]]))
        tensor([[0.2821, 0.0000, 0.4886, 0.0000]])
    """

    def __init__(
        self, max_degree: int, *, condon_shortley: bool = False, in_unit_cube: bool = False
    ) -> None:
        super().__init__()
        self.max_degree: int = whole("max_degree", max_degree)
        if not 0 <= self.max_degree <= _HIGHEST:
            raise ValueError(f"`max_degree={max_degree}` must be 0 to {_HIGHEST}.")
        self.condon_shortley = condon_shortley
        self.in_unit_cube = in_unit_cube
        self.in_dim: int = 3
        self.out_dim: int = (self.max_degree + 1) ** 2

    @property
    def is_stationary(self) -> bool:
        """False: dot products depend on the angle, which is no function of a difference of vectors."""
        return False

    @property
    def energy(self) -> float:
        """The squared norm of the features of any direction, `(L + 1)^2 / 4 pi`."""
        return self.out_dim / (4 * pi)

    def forward(self, x: Real[Tensor, "*batch 3"]) -> Float[Tensor, "*batch f"]:
        """`Y_lm` in the order of `l`, then `m`; in the dtype of `x`."""
        self.check_input(x)
        v = x.double()
        if self.in_unit_cube:
            v = 2 * v - 1
        v = v / v.square().sum(-1, keepdim=True).sqrt()
        blocks = _blocks(v[..., 0:1], v[..., 1:2], v[..., 2:3], self.max_degree)
        if self.condon_shortley:
            blocks = [block * _signs(block) for block in blocks]
        out = torch.cat(blocks, -1)
        return out.to(x.dtype if x.is_floating_point() else torch.get_default_dtype())

    def correlation(self, cosine: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """Cosine of the angle between the features of directions whose own angle has this cosine.

        `sum_l (2 l + 1) P_l(cosine) / (L + 1)^2`, by the addition theorem.
        """
        z = cosine.double()
        below, legendre = torch.zeros_like(z), torch.ones_like(z)
        total = legendre
        for n in range(1, self.max_degree + 1):
            below, legendre = legendre, ((2 * n - 1) * z * legendre - (n - 1) * below) / n
            total = total + (2 * n + 1) * legendre
        return (total / self.out_dim).to(cosine)

    def extra_repr(self) -> str:
        """Degree and conventions, for `repr`."""
        notes = [name for name in ("condon_shortley", "in_unit_cube") if getattr(self, name)]
        return ", ".join([f"max_degree={self.max_degree}", *[f"{name}=True" for name in notes]])


def _blocks(x: Tensor, y: Tensor, z: Tensor, top: int) -> list[Tensor]:
    """`Y_lm` of the unit vectors `x, y, z` (`[..., 1]` each), one block `[..., 2 l + 1]` a degree."""
    one = torch.ones_like(z)
    cosines, sines = one, torch.zeros_like(z)  # sin^m(theta) cos(m phi), sin(m phi), m = 0..l
    blocks, below, level = [], one[..., :0], one * sqrt(1 / (4 * pi))  # P_l^m / sin^m, normalised
    for n in range(top + 1):
        if n > 0:
            c, s = cosines[..., -1:], sines[..., -1:]
            cosines = torch.cat([cosines, x * c - y * s], -1)
            sines = torch.cat([sines, x * s + y * c], -1)
            below, level = level, _next(level, below, z, n)
        blocks.append(torch.cat([(level * sines)[..., 1:].flip(-1), level * cosines], -1))
    return blocks


def _next(level: Tensor, below: Tensor, z: Tensor, n: int) -> Tensor:
    """Degree `n` from `n - 1` (orders 0 to `n - 1`) and `n - 2`, each with its new highest order."""
    m = torch.arange(n, dtype=z.dtype, device=z.device)
    up = ((4 * n * n - 1) / (n * n - m * m)).sqrt()
    new = up * z * level
    if n > 1:
        m = m[:-1]
        down = ((2 * n + 1) * ((n - 1) ** 2 - m * m) / ((2 * n - 3) * (n * n - m * m))).sqrt()
        new = torch.cat([new[..., :-1] - down * below, new[..., -1:]], -1)
    # The first order has the factor sqrt(2) that all but m = 0 have.
    highest = level[..., -1:] * sqrt((2 * n + 1) / (2 * n) * (2 if n == 1 else 1))
    return torch.cat([new, highest], -1)


def _signs(block: Tensor) -> Tensor:
    """`(-1)^m` for `m = -l..l`."""
    top = block.shape[-1] // 2
    m = torch.arange(-top, top + 1, device=block.device)
    return (1 - 2 * (m % 2)).to(block)
