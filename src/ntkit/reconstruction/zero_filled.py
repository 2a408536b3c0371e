"""Zero filling: what was not measured of k-space is taken for zero."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkit.measurements import Fourier, NonuniformFourier

__all__ = ["zero_filled"]

_ROUNDS = 30  # of the density: the middle of radial paths, the densest place, comes last


def zero_filled(
    data: Shaped[Tensor, "..."], A: Fourier | NonuniformFourier
) -> Shaped[Tensor, "..."]:
    """A complex field `[*field_shape, o]` from samples of its k-space, with zeros for what was not measured.

    The adjoint, `A^H d`; with several coils divided by their sum of squares. Of samples off the grid, each is weighted
    by the area that it stands for, and the whole scaled to fit the data.

    Args:
        data: Data of `A`, `[samples, o]` or `[samples, coils, o]`.
        A: Where they were measured.

    Source: Pipe and Menon 1999, Magnetic Resonance in Medicine 41, for the density of samples off the grid.

    Example:
        >>> A = Fourier((8, 8))
        >>> field = torch.ones(8, 8, 1, dtype=torch.complex64)
        >>> torch.allclose(zero_filled(A(field), A), field)
        True
    """
    if isinstance(A, Fourier):
        return _one_coil(A.adjoint(data), A)
    weights = _areas(A).to(data.device).to(data.real.dtype if data.is_complex() else data.dtype)
    found = _one_coil(A.adjoint(data * weights.reshape(-1, *[1] * (data.ndim - 1))), A)
    again = A(found)
    energy = again.abs().square().sum()
    return found * (
        torch.vdot(again.flatten(), data.flatten().to(again)).real / energy.clamp_min(1e-300)
    )


def _one_coil(field: Tensor, A: Fourier | NonuniformFourier) -> Tensor:
    """Divided by the coils' sum of squares, where they see anything."""
    if A.coils is None:
        return field
    power = A.coils.to(field.device).abs().square().sum(0)[..., None]
    floor = 1e-6 * power.max()  # where no coil sees anything, nothing is divided by nothing
    return torch.where(power > floor, field / power.clamp_min(floor), 0.0)


def _areas(A: NonuniformFourier) -> Float[Tensor, " n"]:
    """Weights under which the samples are equally dense, as seen through a bump of about two frequencies' width.

    The bump is the transform of a tent over the field, and so nowhere negative.
    """
    plain = NonuniformFourier(A.field_shape, A.points)
    tent = torch.ones((), dtype=torch.float64, device=A.device)
    for n in A.field_shape:
        x = torch.arange(n, dtype=torch.float64, device=A.device) - n // 2
        tent = tent[..., None] * (1 - x.abs() / (n / 2)).clamp_min(0)
    weights = torch.ones(len(A.points), 1, dtype=torch.complex128, device=A.device)
    for _ in range(_ROUNDS):
        dense = plain(tent[..., None] * plain.adjoint(weights)).real
        weights = weights / dense.clamp_min(1e-9 * dense.max())
    return weights[:, 0].real
