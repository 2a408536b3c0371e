"""Which kernel, and how much noise: the marginal likelihood of the measurements, exactly, on a part of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log, pi, prod, sqrt

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit.reconstruction.fourier_covariance import fourier_covariances, is_one_coil
from ntkit.reconstruction.result import PriorRow
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import TorusPrior, WavePrior

__all__ = [
    "DataSpectrum",
    "data_spectra",
    "evidence",
    "images_among",
    "no_images",
    "part_of_data",
    "spectrum_of",
    "units_among",
]

_MOST_DATA = 640  # data at most: each kernel costs the eigenvectors of a matrix of as many rows
_MOST_WORK = 1.5e8
"""Numbers of the torus that are transformed for one kernel: above it fewer data are looked at, but never below 96."""

_STRETCH = 32
"""Neighbouring data that are taken together."""

_GOLDEN = 0.6180339887498949
"""Steps of it, modulo 1, fill an interval evenly."""

_CHUNK, _AT_ONCE = 32, 2**20
"""Data at a time, and numbers on the torus at most: more do not stay in the cache."""

_RIDGES = torch.logspace(-10, 1, 67, dtype=torch.float64)
"""Noise over the largest eigenvalue: a ridge below 1e-10 of it cannot be told from none in double precision."""


@dataclass(frozen=True, eq=False)
class DataSpectrum:
    """Some data in the eigenvectors of their covariance under a kernel.

    Attributes:
        name: Of the kernel.
        rows: `[n]`, which data they are.
        eigenvalues: `[n]` of `A K A^H` among these data.
        vectors: `[n, n]`, as columns.
    """

    name: str
    rows: Int[Tensor, " n"]
    eigenvalues: Float[Tensor, " n"]
    vectors: Shaped[Tensor, "n n"]


def part_of_data(system: System, *, most: int = _MOST_DATA) -> Int[Tensor, " n"]:
    """Numbers of up to `most` data: stretches of neighbours, over all groups and over places within them.

    Neighbours, because they see nearly the same of the field, so that what they differ by is noise; of many groups, because
    only those that cross tell of the same places. Data of no weight are left out.
    """
    work = int(_MOST_WORK / prod(system.torus.lengths))
    counted = system.counts.nonzero()[:, 0]
    most = min(most, max(96, work), len(counted))
    group = system.group[counted]
    order = counted[torch.argsort(group, stable=True)].cpu()
    sizes = torch.bincount(group).cpu()
    starts = sizes.cumsum(0) - sizes
    wanted = max(1, most // _STRETCH)
    if len(sizes) > wanted:  # small groups: whole ones, up to a stretch of each
        wanted = min(
            len(sizes), max(wanted, int(most / float(sizes.double().clamp_max(_STRETCH).mean())))
        )
    which = (torch.arange(wanted, dtype=torch.float64) + 0.5) * len(sizes) / wanted
    places = torch.arange(wanted, dtype=torch.float64) * _GOLDEN % 1
    found = []
    for group, place in zip(which.long().tolist(), places.tolist(), strict=True):
        length = min(_STRETCH, int(sizes[group]))
        first = int(starts[group]) + round(place * (int(sizes[group]) - length))
        found.append(order[first : first + length])
    return torch.cat(found).unique()


def data_spectra(
    system: System, priors: Sequence[WavePrior], rows: Int[Tensor, " n"]
) -> list[DataSpectrum]:
    """The eigenvalues and vectors of `A K A^H` among some data, for several kernels.

    Args:
        system: The measurement.
        priors: The kernels, of the same map of waves to fields.
        rows: Which data.

    Cost: `n` products with `A^H`, for each kernel as many with `A` and `K`, and an eigenvalue problem of order `n`. Of Fourier
    samples of one coil and stationary kernels only the last, and that of `fourier_covariances`.
    """
    if is_one_coil(system) and all(isinstance(prior, TorusPrior) for prior in priors):
        entries = fourier_covariances(system, system.torus, [p.spectrum for p in priors], rows)
        return [spectrum_of(p.name, rows, e.mT) for p, e in zip(priors, entries, strict=True)]
    images = no_images(system, len(priors), rows)
    for own, unit in units_among(system, rows):
        waves = priors[0].to_waves(system.adjoint(unit))
        for image, prior in zip(images, priors, strict=True):
            image[own] = images_among(system, prior.of_waves(waves * prior.spectrum), rows)
    return [spectrum_of(p.name, rows, image) for p, image in zip(priors, images, strict=True)]


def no_images(system: System, count: int, rows: Int[Tensor, " n"]) -> Shaped[Tensor, "k n n"]:
    """Room for several matrices among the rows: many small pieces that stay would scatter the memory."""
    kind = torch.complex128 if system.measurement.is_complex else torch.float64
    return torch.empty(count, len(rows), len(rows), dtype=kind)


def units_among(
    system: System, rows: Int[Tensor, " n"]
) -> Iterator[tuple[slice, Float[Tensor, "c p m"]]]:
    """Data that are one at one of the rows and zero elsewhere, some at a time, with their numbers among the rows."""
    parts = 2 if system.measurement.is_complex else 1
    size = max(1, min(_CHUNK, _AT_ONCE // (parts * prod(system.torus.lengths))))
    for first in range(0, len(rows), size):
        chunk = rows[first : first + size]
        unit = torch.zeros(len(chunk), parts, system.n_data, dtype=torch.float64)
        unit[torch.arange(len(chunk)), 0, chunk] = 1
        yield slice(first, first + len(chunk)), unit


def images_among(
    system: System, field: Float[Tensor, "c p ..."], rows: Int[Tensor, " n"]
) -> Shaped[Tensor, "c n"]:
    """The data of fields at these rows; real and imaginary parts together."""
    image = system.forward(field)[..., rows]
    return torch.complex(image[:, 0], image[:, 1]) if image.shape[1] == 2 else image[:, 0]


def spectrum_of(name: str, rows: Int[Tensor, " n"], images: Shaped[Tensor, "n n"]) -> DataSpectrum:
    """From the images `A K A^H e_i` of these rows."""
    eigenvalues, vectors = torch.linalg.eigh((images.mT + images.conj()) / 2)
    return DataSpectrum(name, rows, eigenvalues.clamp_min(0), vectors)


def evidence(
    spectrum: DataSpectrum,
    y: Float[Tensor, "p m"],
    flat: Float[Tensor, "p m"] | None,
    *,
    is_complex: bool,
    given: float = 0.0,
) -> PriorRow:
    """The ridge, scale and mean of largest marginal likelihood under one kernel.

    With `y = m A 1 + A f + e`, `f ~ N(0, s^2 K)` and `e ~ N(0, s^2 a)`, the scale `s` and the mean `m` are those of
    largest likelihood for each ridge `a`, in closed form; the ridge is looked for on a grid of eleven decades. Where the
    data do not see a constant the mean is 0; where it explains them to the last digit, the scale is not quite 0.

    Args:
        spectrum: Of the kernel.
        y: Data of all channels, weighted.
        flat: `A 1`, if a mean is fitted.
        is_complex: Whether parts are real and imaginary parts in turn.
        given: The mean where it is given, which `y` is less of already.

    Source: Rasmussen and Williams 2006, eqs. 5.8 and 5.10-5.12 (leave-one-out); Wahba 1990, section 4.3 (generalised
    cross-validation).
    """
    data = _among(y, spectrum, is_complex)
    ones = None if flat is None else _among(flat, spectrum, is_complex)
    lam = spectrum.eigenvalues
    top = float(lam.max()) or 1.0
    if ones is not None and float(ones.abs().square().sum()) <= 1e-20 * float(lam.sum()):
        ones = None
    # Of a mean that explains all, rounding is left: a scale of 1e-12; of no data at all, nothing.
    least = max(1e-24 * float(y.square().mean()) / top, 1e-280)
    count = data.shape[0] * data.shape[1]
    half = 1.0 if is_complex else 0.5  # a complex number is two real ones of half the variance each
    best: tuple[float, float, float, float] | None = None
    for ridge in (_RIDGES * top).tolist():
        inverse = 1 / (lam + ridge)
        mean = 0.0
        if ones is not None:
            mean = float(
                (ones.conj() * data * inverse).sum().real / (ones.abs() ** 2 * inverse).sum()
            )
        rest = data if ones is None else data - mean * ones
        square = max(float((rest.abs() ** 2 * inverse).sum()) / count, least)
        volume = data.shape[0] * float(torch.log(lam + ridge).sum())
        value = -half * (count * (log(square) + 1 + log(pi / half)) + volume)
        if best is None or value > best[0]:
            best = (value, ridge, square, mean)
    assert best is not None, "the grid of ridges is not empty"
    value, ridge, variance, mean = best
    rest = data if ones is None else data - mean * ones
    left, cross = _left_out(spectrum, rest, ridge)
    return PriorRow(
        name=spectrum.name,
        log_evidence=value,
        weight=ridge,
        noise=sqrt(ridge * variance),
        scale=sqrt(variance),
        mean=given + mean,
        leave_one_out=left,
        cross_validation=cross,
    )


def _among(values: Tensor, spectrum: DataSpectrum, is_complex: bool) -> Tensor:
    """Parts of some data in the eigenvectors, `[o, n]`."""
    own = values[:, spectrum.rows].double()
    channels = torch.complex(own[0::2], own[1::2]) if is_complex else own
    return channels @ spectrum.vectors.conj()


def _left_out(spectrum: DataSpectrum, rest: Tensor, ridge: float) -> tuple[float, float]:
    """Root mean square errors of leave-one-out and of generalised cross-validation."""
    inverse = 1 / (spectrum.eigenvalues + ridge)
    solved = (rest * inverse) @ spectrum.vectors.mT
    diagonal = (spectrum.vectors.abs() ** 2 * inverse).sum(1)
    left = float((solved.abs() / diagonal).square().mean().sqrt())
    cross = float(solved.abs().square().mean().sqrt() / diagonal.mean())
    return left, cross
