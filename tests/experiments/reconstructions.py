"""Data of small pictures, and a reconstruction that takes no time."""

import json
from pathlib import Path

import numpy as np
import torch

from ntkit.measurements import AbstractMeasurement, Radon
from ntkit.reconstruction import Choice, PriorRow, Reconstruction, Trial

__all__ = ["quick", "write_sinogram"]


def write_sinogram(path: Path, *, side: int = 16, views: int = 12, noise: float = 0.05) -> None:
    """Line integrals of a disc, with the true picture beside them in `disc.npy`."""
    A = Radon.parallel(
        (side, side), torch.arange(views) * torch.pi / views, spacing=1.0, n_detectors=side
    )
    disc = (A.pixels.square().sum(1) < (side / 3) ** 2).double().reshape(side, side, 1)
    drawn = torch.Generator().manual_seed(0)
    data = A(disc)[..., 0] + noise * torch.randn(A.data_shape, generator=drawn).double()
    np.save(path, data.numpy())
    np.save(path.with_name("disc.npy"), disc[..., 0].numpy())


def quick(y: torch.Tensor, A: AbstractMeasurement, **how: object) -> Reconstruction:
    """What `ntkit.reconstruct` gives back, of the adjoint; what it was asked is in its notes."""
    several = y.ndim > len(A.data_shape)
    data = y if several else y[..., None]
    field = A.adjoint(data)
    field = field / (A(field).abs().max() / data.abs().max())
    row = PriorRow("NTK, bandwidth 4", -1.0, 0.1, 0.2, 0.3, 0.4, 0.5, float("nan"))
    residual = A(field) - data
    shown = field if several else field[..., 0]
    bounds = how["bounds"]
    asked = {k: v for k, v in how.items() if k in {"total_variation", "bounds", "error_bars"}}
    asked["prior"] = list(how["prior"]) if how["prior"] else None  # pyright: ignore[reportArgumentType]
    return Reconstruction(
        field=shown,
        deviation=shown.abs() / 9 + 0.1 if how["error_bars"] else None,
        choice=Choice(row.name, 0.1, 0.2, bounds, 0.4, 0.2, 0.3),  # pyright: ignore[reportArgumentType]
        priors=(row, PriorRow("Matern-1/2, length 0.1", -3.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)),
        table=(Trial(0.3, 0.0, 0.2, 0.1, 0.3), Trial(0.3, 0.2, 0.1, 0.1, 0.2), Trial(0.0, 0.2, 0.2, 0.1, 0.4)),
        why="It was quick.",
        notes=(json.dumps(asked),),
        alternatives={"kernel alone": shown, "total variation alone": shown},
        residual=residual if several else residual[..., 0],
        gap=1e-4,
        seconds=0.1,
        grid=A.grid,
        measurement=A,
        data=y,
        groups=A.groups,
    )  # fmt: skip
