"""k-space of a picture, as a scanner with some coils would measure parts of it."""

from math import pi
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float
from torch import Generator, Tensor
from tyro.conf import Positional

from ntkit._core.checks import non_negative
from ntkit._core.whole_files import write_with
from ntkit.experiments.simulation.simulated_picture import FINER, subject_of
from ntkit.experiments.simulation.written import Out, free, part_of, write_measured
from ntkit.tasks.files import write_image

__all__ = ["sensitivities", "simulate_mri"]

_CENTRE = 0.08
"""Share of the columns in the middle that are always measured, as fastMRI's for four-fold acceleration."""

_SPREAD = 0.22
"""Standard deviation of places drawn at random, in sides of k-space."""

_LARGEST = 1024
"""Along each axis; data are made on twice as many, of which coils times four million are held."""


def simulate_mri(
    image: Positional[Path],
    out: Out = None,
    *,
    keep: float = 0.25,
    pattern: Literal["cartesian", "random"] = "cartesian",
    coils: int = 8,
    noise: float = 0.01,
    size: int = 128,
    seed: int = 0,
    force: bool = False,
) -> list[Path]:
    """k-space of a picture, [coils, ky, kx], with a JSON that `ntkit reconstruct mri` reads, mask, coils and the truth.

    The picture is the modulus of what is measured; its phase is smooth. Frequencies are those of a grid twice as fine as the
    reconstruction's; what is not measured is 0.

    Args:
        image: The picture.
        out: The file of the data, .npy; by default IMAGE-mri.npy in this folder.
        keep: Share of k-space that is measured.
        pattern: Whole columns, those in the middle always (cartesian), or places drawn around the middle (random).
        coils: How many.
        noise: Standard deviation of what is added, over that of what is measured.
        size: Pixels a side of the reconstruction.
        seed: Of mask and noise.
        force: Replace files that are there.

    Returns:
        The files that were written, the data first.

    Raises:
        ValueError: An option is out of its range.
    """
    out = out or Path(f"{image.stem}-mri.npy")
    extra = ("truth.png", "mask.png", *(("coils.npy",) if coils > 1 else ()))
    free(out, *extra, force=force)
    noise = non_negative("noise", noise)
    for name, value, low, high in (("size", size, 16, _LARGEST), ("coils", coils, 1, 64)):
        if not low <= value <= high:
            raise ValueError(f"`--{name} {value}` must be from {low} to {high}.")
    if not 0.02 <= keep < 1:
        raise ValueError(f"`--keep {keep:g}` must be a share of k-space, from 0.02 to below 1.")
    drawn = torch.Generator().manual_seed(seed)
    subject = subject_of(image, size, share=2.0)
    mask = (_columns if pattern == "cartesian" else _places)(size, keep, drawn)
    at = (torch.arange(FINER * size, dtype=torch.float64) - (FINER - 1) / 2) / FINER / size - 0.5
    kspace = _frequencies(_phased(subject.fine, at) * sensitivities(coils, at), size)
    spread = kspace[:, mask].abs().square().mean().sqrt()
    shape = (2, *kspace.shape)
    grain = torch.complex(*torch.randn(shape, generator=drawn, dtype=torch.float64)) / 2**0.5
    kspace = torch.where(mask, kspace + noise * spread * grain, 0)
    measured = {"mask": part_of(out, "mask.png").name}
    files = [part_of(out, name) for name in extra[1:]]
    write_image(files[0], mask.double().numpy()[..., None])
    if coils > 1:
        middles = torch.arange(size, dtype=torch.float64) / size - 0.5
        maps = sensitivities(coils, middles).numpy()
        write_with(files[1], lambda part: np.save(part, maps))
        measured["coils"] = files[1].name
    simulated = {"from": image.name, "noise": noise, "seed": seed, "keep": keep, "pattern": pattern}
    truth = subject.truth.numpy()
    return [*write_measured(out, kspace.numpy(), truth, "mri", measured, simulated), *files]


def _frequencies(field: Complex[Tensor, "c m m"], size: int) -> Complex[Tensor, "c n n"]:
    """The lowest `size` frequencies along each axis, centred, as a grid of that size has them.

    A pixel of the coarse grid is in the middle of its block: half of a fine pixel behind the first one of it.
    """
    wave = torch.fft.fftshift(torch.fft.fft2(field), (1, 2))
    middle, half = wave.shape[1] // 2, size // 2
    cut = slice(middle - half, middle - half + size)
    number = torch.arange(size, dtype=torch.float64) - half
    shift = torch.exp(2j * pi * number * ((FINER - 1) / (2 * FINER) + half) / size)
    return wave[:, cut, cut] * shift[:, None] * shift / (FINER**2 * size)


def _phased(picture: Float[Tensor, "m m"], at: Float[Tensor, " m"]) -> Complex[Tensor, "m m"]:
    """The picture with a phase that turns slowly, as of an imperfect magnet."""
    y, x = at[:, None], at
    return picture * torch.exp(1j * (1.5 * y - 1.0 * x + 2.0 * x * y + 3.0 * y**2))


def sensitivities(count: int, at: Float[Tensor, " m"]) -> Complex[Tensor, "c m m"]:
    """Sensitivities around the picture, their squares adding up to one; of one coil 1."""
    y, x = at[:, None], at
    if count == 1:
        return torch.ones(1, len(at), len(at), dtype=torch.complex128)
    found = []
    for turn in (2 * pi * k / count for k in range(count)):
        away = (y - 0.65 * np.sin(turn)) ** 2 + (x - 0.65 * np.cos(turn)) ** 2
        phase = turn + 1.5 * (x * np.cos(turn) + y * np.sin(turn))
        found.append(torch.exp(-away / (2 * 0.4**2)) * torch.exp(1j * phase))
    maps = torch.stack(found)
    return maps / maps.abs().square().sum(0).sqrt()


def _columns(size: int, keep: float, drawn: Generator) -> Bool[Tensor, "n n"]:
    """Columns in the middle, and others at random."""
    middle = max(2, round(_CENTRE * size))
    order = torch.rand(size, generator=drawn)
    first = (size - middle + 1) // 2
    order[first : first + middle] = -1.0
    chosen = order.argsort()[: max(middle, round(keep * size))]
    columns = torch.zeros(size, dtype=torch.bool)
    columns[chosen] = True
    return columns.expand(size, size).clone()


def _places(size: int, keep: float, drawn: Generator) -> Bool[Tensor, "n n"]:
    """Places around the middle, the denser the nearer, and all of the innermost."""
    away = (torch.arange(size, dtype=torch.float64) - size // 2) / size
    distance = away[:, None] ** 2 + away**2
    key = torch.rand(size, size, generator=drawn, dtype=torch.float64).log()
    key = key / torch.exp(
        -distance / (2 * _SPREAD**2)
    )  # Efraimidis and Spirakis 2006: weighted, without replacement
    key[distance < (3 / size) ** 2] = torch.inf
    chosen = key.flatten().argsort(descending=True)[: round(keep * size * size)]
    mask = torch.zeros(size * size, dtype=torch.bool)
    mask[chosen] = True
    return mask.reshape(size, size)
