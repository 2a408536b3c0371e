"""`ntkit simulate`: measurements of a picture, for trying out."""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import arg

from ntkit._core.whole_files import shown
from ntkit.experiments.simulation import simulate_ct, simulate_mri

__all__ = ["ct", "mri"]

_Out = Annotated[Path | None, arg(metavar="PATH", help_behavior_hint="")]


def ct(
    image: tyro.conf.Positional[Path],
    *,
    views: int = 30,
    noise: float = 0.01,
    size: int = 128,
    geometry: Literal["parallel", "fan"] = "parallel",
    pixel: float = 1.0,
    seed: int = 0,
    out: _Out = None,
    force: bool = False,
) -> int:
    """Projections of a picture, [views, detectors], with a JSON that `ntkit reconstruct ct` reads, and the truth.

    Args:
        image: The picture; it is put inside of the circle that every view sees, its levels are attenuations in 1/mm.
        views: Angles, evenly over half a turn, of a fan over a whole one.
        noise: Standard deviation of the noise, over that of the data.
        size: Pixels a side of the reconstruction; the data are made on a grid twice as fine.
        geometry: Of the rays.
        pixel: Size of a pixel of the reconstruction, in mm.
        seed: Of the noise.
        out: The file of the data, .npy; by default IMAGE-ct.npy in this folder.
        force: Replace files that are there.
    """
    path = Path(f"{image.stem}-ct.npy") if out is None else out
    files = simulate_ct(
        image,
        path,
        views=views,
        noise=noise,
        size=size,
        geometry=geometry,
        pixel=pixel,
        seed=seed,
        force=force,
    )
    return _told(files, "ct")


def mri(
    image: tyro.conf.Positional[Path],
    *,
    keep: float = 0.25,
    pattern: Literal["cartesian", "random"] = "cartesian",
    coils: int = 8,
    noise: float = 0.01,
    size: int = 128,
    seed: int = 0,
    out: _Out = None,
    force: bool = False,
) -> int:
    """k-space of a picture, [coils, ky, kx], with a JSON that `ntkit reconstruct mri` reads, mask, coils and the truth.

    Args:
        image: The picture: the modulus of what is measured; its phase is smooth.
        keep: Share of k-space that is measured.
        pattern: Whole columns, those in the middle always (cartesian), or places drawn around the middle (random).
        coils: How many.
        noise: Standard deviation of the noise, over that of what is measured.
        size: Pixels a side of the reconstruction; the data are made on a grid twice as fine.
        seed: Of mask and noise.
        out: The file of the data, .npy; by default IMAGE-mri.npy in this folder.
        force: Replace files that are there.
    """
    path = Path(f"{image.stem}-mri.npy") if out is None else out
    files = simulate_mri(
        image,
        path,
        keep=keep,
        pattern=pattern,
        coils=coils,
        noise=noise,
        size=size,
        seed=seed,
        force=force,
    )
    return _told(files, "mri")


def _told(files: list[Path], kind: str) -> int:
    for path in files:
        print(shown(path))
    print(f"Now: ntkit reconstruct {kind} {shown(files[0])}")
    return 0
