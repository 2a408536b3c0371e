"""Projections of a picture, as a scanner would measure them."""

from pathlib import Path
from typing import Any, Literal

import torch
from tyro.conf import Positional

from ntkit._core.checks import non_negative, positive, positive_int
from ntkit.experiments.simulation.simulated_picture import FINER, subject_of
from ntkit.experiments.simulation.written import Out, free, write_measured
from ntkit.measurements import Radon

__all__ = ["simulate_ct"]

_FAR, _BEHIND = 3.0, 1.5
"""Distances of a fan's source and detector from the axis of rotation, in sides of the picture."""

_LINES = 4
"""Across the width of a detector."""

_LARGEST = 1024
"""Along each axis; data are made on twice as many."""


def simulate_ct(
    image: Positional[Path],
    out: Out = None,
    *,
    views: int = 30,
    noise: float = 0.01,
    size: int = 128,
    geometry: Literal["parallel", "fan"] = "parallel",
    pixel: float = 1.0,
    seed: int = 0,
    force: bool = False,
) -> list[Path]:
    """Projections of a picture, [views, detectors], with a JSON that `ntkit reconstruct ct` reads, and the truth.

    The picture lies inside of the circle that every view sees. It is measured on a grid twice as fine as the one of the
    reconstruction, along four lines over the width of each detector; its levels are attenuations in 1/mm.

    Args:
        image: The picture.
        out: The file of the data, .npy; by default IMAGE-ct.npy in this folder.
        views: Angles, evenly over half a turn, of a fan over a whole one.
        noise: Standard deviation of what is added, over that of the data.
        size: Pixels a side of the reconstruction.
        geometry: Of the rays.
        pixel: Size of a pixel of the reconstruction, in mm.
        seed: Of the noise.
        force: Replace files that are there.

    Returns:
        The files that were written, the data first.

    Raises:
        ValueError: An option is out of its range.
    """
    out = out or Path(f"{image.stem}-ct.npy")
    free(out, "truth.png", force=force)
    n_views, noise = positive_int("views", views), non_negative("noise", noise)
    if not 16 <= size <= _LARGEST:
        raise ValueError(f"`--size {size}` must be from 16 to {_LARGEST}.")
    pixel = positive("pixel", pixel)
    subject = subject_of(image, size, share=1 - 4 / size)
    turn = 180.0 if geometry == "parallel" else 360.0
    degrees = [turn * k / n_views for k in range(n_views)]
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    distances: dict[str, Any] = {} if geometry == "parallel" else {
        "source_distance": _FAR * size * pixel, "detector_distance": _BEHIND * size * pixel,
    }  # fmt: skip
    scan = Radon.parallel if geometry == "parallel" else Radon.fan
    coarse = scan((size, size), radians, spacing=pixel, **distances)
    fine: Any = scan(
        subject.fine.shape,
        radians,
        spacing=pixel / FINER,
        centre=FINER * (size // 2) + (FINER - 1) / 2,
        n_detectors=coarse.data_shape[1],
        detector_spacing=coarse.beam.detector_spacing[0],
        n_rays=_LINES,
        **distances,
    )
    data = fine(subject.fine[..., None])[..., 0]
    drawn = torch.Generator().manual_seed(seed)
    data = data + noise * data.std() * torch.randn(data.shape, generator=drawn, dtype=data.dtype)
    measured = {
        "angles": degrees,
        "geometry": geometry,
        "size": [size],
        "pixel": pixel,
        "detector_spacing": coarse.beam.detector_spacing[0],
        **distances,
    }
    simulated = {"from": image.name, "noise": noise, "seed": seed}
    return write_measured(out, data.numpy(), subject.truth.numpy(), "ct", measured, simulated)
