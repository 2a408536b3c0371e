"""Filtered back-projection: the classical inverse of line integrals, from many views."""

from collections.abc import Callable
from dataclasses import dataclass
from math import asin, pi
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor
from ntkit.measurements import Radon
from ntkit.measurements.beams import AbstractBeam, DivergentBeam
from ntkit.reconstruction.turn_shares import divergent_shares, shares

__all__ = ["WINDOWS", "filtered_back_projection"]

Window = Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"]

WINDOWS: dict[str, Callable[[Tensor], Tensor]] = {
    "ramp": torch.ones_like,
    "shepp-logan": torch.sinc,
    "cosine": lambda f: torch.cos(pi * f),
    "hamming": lambda f: 0.54 + 0.46 * torch.cos(2 * pi * f),
    "hann": lambda f: 0.5 + 0.5 * torch.cos(2 * pi * f),
}
"""What the ramp is multiplied by, of frequencies in cycles per detector: the later, the smoother."""


def filtered_back_projection(
    sinogram: Float[Tensor, "..."], A: Radon, window: Window = "ramp"
) -> Float[Tensor, "..."]:
    """A field `[*field_shape, o]` from its line integrals `[views, detectors, o]`, or `[views, detectors, rows, o]`.

    Each view is filtered along the detectors by a ramp (times the window), and read off at every pixel with linear
    interpolation. Views are weighted by their share of the turn, so that angles may be uneven. Half a turn is enough
    for parallel beams, and for others half a turn and the angle of the fan, where lines that are seen twice share their
    weight (Parker's, smooth ones). With a cone beam this is the algorithm of Feldkamp, Davis and Kress.

    Args:
        sinogram: Data of `A`.
        A: Where they were measured.
        window: "ramp", "shepp-logan", "cosine", "hamming" or "hann", in the order of how much they smooth.

    Raises:
        ValueError: The window is unknown, or the data do not fit `A`.

    Source: Kak and Slaney 1988, chapter 3 (parallel, equal angles, equal distances); Feldkamp et al. 1984 (cone);
    Parker 1982 (short scans).

    Example:
        >>> A = Radon.parallel((32, 32), torch.arange(60) * torch.pi / 60)
        >>> y, x = torch.meshgrid(*[torch.arange(32) - 16.0] * 2, indexing="ij")
        >>> bump = torch.exp(-(y**2 + x**2) / 32)[..., None]
        >>> found = filtered_back_projection(A(bump), A)
        >>> bool((found - bump).norm() < 0.02 * bump.norm())
        True
    """
    if window not in WINDOWS:
        raise ValueError(f"`window={window!r}` must be one of {', '.join(map(repr, WINDOWS))}.")
    finite("sinogram", floating_tensor("sinogram", sinogram))
    if tuple(sinogram.shape[:-1]) != A.data_shape:
        raise ValueError(
            f"`sinogram` has shape {tuple(sinogram.shape)}; `A` gives {(*A.data_shape, 'o')}, with one last axis of "
            "outputs, also for a single one."
        )
    inverse = _BeamInversion.of(A.beam, float(A.pixels[:, -2:].norm(dim=1).max()))
    data = sinogram.double() * inverse.ray_weights[..., None].to(sinogram.device)
    filtered = _filtered(data, inverse.ramp.to(data.device), WINDOWS[window])
    points = A.pixels.to(data.device)
    found = data.new_zeros(len(points), data.shape[-1])
    for view, share in enumerate(inverse.shares.tolist()):
        read = _read(filtered[view], A.beam.cells_of(view, points))
        found += share * inverse.point_weights(view, points)[:, None] * read
    return found.reshape(*A.field_shape, -1).to(sinogram.dtype)


@dataclass(frozen=True)
class _BeamInversion:
    """What differs between beams.

    Attributes:
        shares: `[views]`, the angle that each stands for.
        ray_weights: What broadcasts to data, before the filter.
        ramp: `[2 detectors - 1]`, the filter at all distances of detectors, times their spacing.
        point_weights: Of a view and points, after the filter.
    """

    shares: Tensor
    ray_weights: Tensor
    ramp: Tensor
    point_weights: Callable[[int, Tensor], Tensor]

    @classmethod
    def of(cls, beam: AbstractBeam, radius: float) -> "_BeamInversion":
        """Of parallel rays, or of those from a point to a flat or a curved detector, through a field of a radius."""
        step = beam.detector_spacing[0]
        if not isinstance(beam, DivergentBeam):
            ones = torch.ones(beam.n_detectors, dtype=torch.float64)
            return cls(
                shares(beam.angles, pi),
                ones,
                _ramp(beam, step),
                lambda _, p: torch.ones_like(p[:, 0]),
            )
        if beam.is_curved:
            return _of_arc(beam, radius)
        source = beam.source_distance
        magnified = beam.length / source
        places = _places(beam, magnified)
        angles = (places[..., 0] / source).atan()
        turned, once = divergent_shares(beam.angles, angles, asin(radius / source))
        return cls(
            turned,
            once * source / (source**2 + places.square().sum(-1)).sqrt(),
            _ramp(beam, step / magnified),
            lambda view, points: (source / beam.depths(view, points)).square(),
        )


def _of_arc(beam: DivergentBeam, radius: float) -> _BeamInversion:
    """Equal angles: in units of angle, with the sine in place of the distance in the ramp."""
    source, step = beam.source_distance, beam.detector_spacing[0] / beam.length
    lag = torch.arange(1 - beam.n_detectors[0], beam.n_detectors[0], dtype=torch.float64) * step
    stretch = torch.where(lag == 0, 1.0, lag / torch.where(lag == 0, 1.0, lag.sin())).square()
    angles = _places(beam, beam.length)[..., 0]
    turned, once = divergent_shares(beam.angles, angles, asin(radius / source))

    def weights(view: int, points: Tensor) -> Tensor:
        depth = beam.depths(view, points)
        across = points.square().sum(1) - (source - depth).square()
        return 1 / (depth.square() + across)

    return _BeamInversion(
        turned, once * source * angles.cos(), _ramp(beam, step) * stretch, weights
    )


def _places(beam: AbstractBeam, scale: float) -> Float[Tensor, "*detectors p"]:
    """Where the detectors are, divided by a scale."""
    axes = [
        (torch.arange(n, dtype=torch.float64) - c) * s / scale
        for n, c, s in zip(
            beam.n_detectors, beam.detector_centre, beam.detector_spacing, strict=True
        )
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)


def _ramp(beam: AbstractBeam, step: float) -> Float[Tensor, " k"]:
    """The ramp of a band-limited signal at its samples, times their distance: Kak and Slaney, equation 61."""
    n = beam.n_detectors[0]
    lag = torch.arange(1 - n, n)
    odd = torch.where(lag % 2 == 1, -1 / (pi * lag.double()).square(), 0.0)
    return torch.where(lag == 0, 0.25, odd) / step


def _filtered(
    data: Float[Tensor, "v n *rest"],
    ramp: Float[Tensor, " k"],
    window: Callable[[Tensor], Tensor],
) -> Float[Tensor, "v n *rest"]:
    """Convolved along the detectors, without wrapping around."""
    n = data.shape[1]
    size = 2 ** (2 * n - 1).bit_length()
    kernel = torch.zeros(size, dtype=ramp.dtype, device=ramp.device)
    kernel[:n], kernel[len(kernel) - n + 1 :] = ramp[n - 1 :], ramp[: n - 1]
    weights = torch.fft.rfft(kernel) * window(
        torch.fft.rfftfreq(size, dtype=ramp.dtype).to(ramp.device)
    )
    spectrum = torch.fft.rfft(data, n=size, dim=1)
    weights = weights.reshape(-1, *[1] * (data.ndim - 2))
    return torch.fft.irfft(spectrum * weights, n=size, dim=1)[:, :n]


def _read(view: Float[Tensor, "*detectors o"], cells: Float[Tensor, "n p"]) -> Float[Tensor, "n o"]:
    """A filtered view between its detectors; zero beyond them."""
    sizes = view.shape[:-1]
    flat = view.reshape(-1, view.shape[-1])
    inside = torch.ones(len(cells), dtype=torch.bool, device=cells.device)
    corners = [
        (
            torch.zeros(len(cells), dtype=torch.int64, device=cells.device),
            torch.ones_like(cells[:, 0]),
        )
    ]
    for axis, size in enumerate(sizes):
        cell = cells[:, axis]
        inside &= (cell >= 0) & (cell <= size - 1)  # False of NaN: behind the source
        cell = torch.where(inside, cell, 0.0)
        low = cell.floor().clamp_max(max(size - 2, 0))
        part, place = cell - low, low.long()
        upper = (place + 1).clamp_max(size - 1)
        corners = [
            (index * size + at, weight * share)
            for index, weight in corners
            for at, share in ((place, 1 - part), (upper, part))
        ]
    found = sum((weight[:, None] * flat[index] for index, weight in corners), torch.zeros(()))
    return torch.where(inside[:, None], found, 0.0)
