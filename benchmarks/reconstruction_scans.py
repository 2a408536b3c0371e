"""What is measured of the pictures of `reconstruction_items`, with noise of a share of the data's deviation.

Computed tomography: parallel views, two lines over the width of a detector. Magnetic resonance imaging: an eighth of k-space
at random places around the middle ("random"), or a quarter of its columns, those in the middle always ("lines"), seen by some
coils; the picture has a phase that turns slowly. Pictures: half of the pixels missing ("half"), squares of 12 x 12 missing
("blocks"), or twice as few pixels with a blur ("factor"). All but single pixels are made on a grid twice as fine as that of
the reconstruction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from pathlib import Path

import torch
from torch import Generator, Tensor

from benchmarks.reconstruction_items import halved, picture, psnr
from ntkit.experiments.simulation.mri import sensitivities
from ntkit.measurements import AbstractMeasurement, Blur, Fourier, Radon, Samples, Subsample
from ntkit.reconstruction import filtered_back_projection, zero_filled

WINDOWS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")
SETTINGS = {
    "ct": ("15", "30", "60"),
    "mri": ("random,1", "random,8", "lines,1", "lines,8"),
    "image": ("half", "blocks", "factor"),
}
_SPREAD = 0.22  # standard deviation of the random places, in sides of k-space
_MIDDLE = (
    0.08  # share of the columns that is always measured, as fastMRI's for four-fold acceleration
)
_HOLE = 12  # pixels


@dataclass(frozen=True, eq=False)
class Measured:
    """Data of a picture.

    Attributes:
        A: What measured them, on the grid of the reconstruction.
        y: The data.
        truth: The picture on that grid; of complex fields the modulus.
        usual: What is usual: back-projected (the best window by the truth), zero-filled, the nearest known pixel, bicubic.
        bounds: Of the field.
        groups: What is held out together; None for those of `A`.
        noise: Standard deviation of the noise.
        complete: Of magnetic resonance imaging the modulus of what all of k-space shows without noise, on the same grid.
    """

    A: AbstractMeasurement
    y: Tensor
    truth: Tensor
    usual: Tensor
    bounds: tuple[float | None, float | None] | None
    groups: Tensor | None
    noise: float
    complete: Tensor | None = None


def measured(
    kind: str, name: str, size: int, setting: str, noise: float, draw: int, data: Path
) -> Measured:
    """The data of a picture, of one kind of measurement in one setting."""
    make: dict[str, Callable[..., Measured]] = {"ct": _ct, "mri": _mri, "image": _image}
    generator = torch.Generator().manual_seed(draw)
    return make[kind](name, size, setting, noise, generator, data)


def scan(name: str, size: int, views: int, noise: float, draw: int, data: Path) -> tuple:
    """The measurement, the data and the true picture of computed tomography."""
    found = measured("ct", name, size, str(views), noise, draw, data)
    return found.A, found.y, found.truth


def _ct(name: str, size: int, views: str, noise: float, drawn: Generator, data: Path) -> Measured:
    fine = picture(name, 2 * size, data)
    angles = torch.arange(int(views), dtype=torch.float64) * pi / int(views)
    A = Radon.parallel((size, size), angles, centre=(size - 1) / 2)
    finer = Radon.parallel(
        (2 * size, 2 * size),
        angles,
        n_detectors=A.data_shape[1],
        detector_spacing=1 / size,
        n_rays=2,
        centre=(2 * size - 1) / 2,
    )
    y, spread = _noisy(finer(fine[..., None])[..., 0], noise, drawn)
    truth = halved(fine)
    tried = [filtered_back_projection(y[..., None], A, w)[..., 0].clamp_min(0) for w in WINDOWS]
    usual = max(tried, key=lambda found: psnr(found, truth))
    return Measured(A, y, truth, usual, (0.0, None), None, spread)


def _mri(
    name: str, size: int, setting: str, noise: float, drawn: Generator, data: Path
) -> Measured:
    pattern, count = setting.split(",")
    fine = picture(name, 2 * size, data)
    place = (torch.arange(2 * size, dtype=torch.float64) - 0.5) / (2 * size) - 0.5
    y, x = place[:, None], place
    phased = fine * torch.exp(1j * (1.5 * y - 1.0 * x + 2.0 * x * y + 3.0 * y**2))
    mask = (_at_random if pattern == "random" else _columns)(size, drawn)
    whole = lowest_frequencies(phased * coils(int(count), place), size)
    middles = torch.arange(size, dtype=torch.float64) / size - 0.5
    maps = coils(int(count), middles) if int(count) > 1 else None
    A = Fourier((size, size), mask, maps)
    clean = A.gather(whole if maps is not None else whole[0])[..., 0]
    noisy, spread = _noisy(clean, noise, drawn)
    usual = zero_filled(noisy[..., None], A)[..., 0].abs()
    every = Fourier((size, size))
    seen = every.adjoint(every.gather(lowest_frequencies(phased[None], size)[0]))[..., 0].abs()
    return Measured(A, noisy, halved(fine), usual, None, None, spread, seen)


def _image(
    name: str, size: int, setting: str, noise: float, drawn: Generator, data: Path
) -> Measured:
    fine = picture(name, 2 * size, data, is_round=False)
    truth, bounds = halved(fine), (0.0, 1.0)
    if setting == "factor":
        A = Subsample((size, size), 2) @ Blur((size, size), 1.0)
        finer = Subsample((2 * size, 2 * size), 4) @ Blur((2 * size, 2 * size), 2.0)
        y, spread = _noisy(finer(fine[..., None])[..., 0], noise, drawn)
        usual = torch.nn.functional.interpolate(y[None, None], scale_factor=2, mode="bicubic")
        return Measured(A, y, truth, usual[0, 0].clamp(0, 1), bounds, None, spread)
    mask = (
        torch.rand(size, size, generator=drawn) < 0.5 if setting == "half" else _holed(size, drawn)
    )
    A = Samples.mask(mask)
    y, spread = _noisy(A(truth[..., None])[..., 0], noise, drawn)
    # Where single pixels are missing, single ones are held out, as `ntkit reconstruct image` does.
    groups = torch.randperm(len(y), generator=drawn) if setting == "half" else None
    return Measured(A, y, truth, _nearest(mask, y), bounds, groups, spread)


def _noisy(clean: Tensor, noise: float, drawn: Generator) -> tuple[Tensor, float]:
    """With noise of a share of the data's deviation, and its own deviation; of complex data both parts together."""
    spread = noise * float(clean.std())
    if not clean.is_complex():
        white = torch.randn(clean.shape, generator=drawn, dtype=torch.float64)
        return clean + spread * white, spread
    parts = torch.randn(2, *clean.shape, generator=drawn, dtype=torch.float64)
    return clean + spread * torch.complex(*parts) / 2**0.5, spread


def lowest_frequencies(field: Tensor, size: int) -> Tensor:
    """The lowest `size` frequencies along each axis but the first, as a grid of half of the points has them, centred.

    A pixel of the coarse grid is in the middle of its block: half of a fine pixel behind the first one of it.
    """
    axes = tuple(range(1, field.ndim))
    found = torch.fft.fftshift(torch.fft.fftn(field, dim=axes), axes)
    number = torch.arange(size, dtype=torch.float64) - size // 2
    shift = torch.exp(2j * pi * number * (0.25 + size // 2) / size) / (2 * size**0.5)
    for axis in axes:
        first = found.shape[axis] // 2 - size // 2
        found = found.narrow(axis, first, size)
        found = found * shift.reshape([-1 if k == axis else 1 for k in range(field.ndim)])
    return found


def coils(count: int, at: Tensor, ndim: int = 2) -> Tensor:
    """Sensitivities around the middle, over the last two of `ndim` axes, as of `ntkit simulate mri`."""
    maps = sensitivities(count, at)
    return maps if ndim == 2 else maps[:, None].expand(count, len(at), len(at), len(at))


def at_random(size: int, ndim: int, keep: float, drawn: Generator) -> Tensor:
    """Places around the middle of k-space, the denser the nearer, and all of the innermost: `[*(size,) * ndim]`.

    Source: Efraimidis and Spirakis 2006, for weighted draws without replacement.
    """
    away = (torch.arange(size, dtype=torch.float64) - size // 2) / size
    distance = torch.stack(torch.meshgrid(*[away] * ndim, indexing="ij")).square().sum(0)
    key = torch.rand(distance.shape, generator=drawn, dtype=torch.float64).log()
    key = key / torch.exp(-distance / (2 * _SPREAD**2))
    key[distance < (3 / size) ** 2] = torch.inf
    chosen = key.flatten().argsort(descending=True)[: round(keep * distance.numel())]
    mask = torch.zeros(distance.numel(), dtype=torch.bool)
    mask[chosen] = True
    return mask.reshape(distance.shape)


def _at_random(size: int, drawn: Generator) -> Tensor:
    return at_random(size, 2, 0.125, drawn)


def _columns(size: int, drawn: Generator) -> Tensor:
    """A quarter of the columns: those in the middle, and others at random."""
    middle = round(_MIDDLE * size)
    order = torch.rand(size, generator=drawn)
    first = (size - middle + 1) // 2
    order[first : first + middle] = -1.0
    columns = torch.zeros(size, dtype=torch.bool)
    columns[order.argsort()[: size // 4]] = True
    return columns.expand(size, size).clone()


def _holed(size: int, drawn: Generator) -> Tensor:
    """Known but for squares that cover about a fifth."""
    known = torch.ones(size, size, dtype=torch.bool)
    while float(known.double().mean()) > 0.8:
        top, left = torch.randint(0, size - _HOLE, (2,), generator=drawn).tolist()
        known[top : top + _HOLE, left : left + _HOLE] = False
    return known


def _nearest(mask: Tensor, y: Tensor) -> Tensor:
    """At each pixel the nearest known one."""
    from scipy.ndimage import distance_transform_edt

    where = distance_transform_edt(~mask.numpy(), return_distances=False, return_indices=True)
    picture = torch.zeros(mask.shape, dtype=torch.float64)
    picture[mask] = y
    return picture[tuple(torch.from_numpy(where))]
