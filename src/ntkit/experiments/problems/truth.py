"""What a reconstruction should be, from a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkit._core.whole_files import shown
from ntkit.tasks.files import read_image
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array

__all__ = ["read_truth"]


def read_truth(
    path: Path | None, shape: Sequence[int], n_outputs: int = 1
) -> Shaped[Tensor, "..."] | None:
    """The true picture, `[*shape]`, or `[*shape, o]` where there are several outputs; None of no file.

    Floating and complex arrays are taken as they are, in the unit of the reconstruction; pictures as levels from 0 to 1.

    Args:
        path: The file.
        shape: Of the reconstruction.
        n_outputs: Its colours.

    Raises:
        ValueError: It has another shape.
    """
    if path is None:
        return None
    require_file(path, "a picture or a .npy array of the size of the reconstruction")
    values = _values(path, len(shape))
    if values.ndim == len(shape):
        values = values[..., None]
    if values.shape[-1] > n_outputs == 1 and values.shape[:-1] == tuple(shape):
        values = values[..., : 3 if values.shape[-1] > 2 else 1].mean(-1, keepdims=True)
    wanted = (*shape, n_outputs)
    if values.shape != wanted:
        raise ValueError(
            f"`{shown(path)}` has shape {values.shape[: len(shape)]} and {values.shape[-1]} channels; the reconstruction "
            f"is {tuple(shape)} with {n_outputs}. `--truth` must be of the same size: see `--size`."
        )
    found = torch.from_numpy(np.ascontiguousarray(values))
    return found[..., 0] if n_outputs == 1 else found


def _values(path: Path, axes: int) -> np.ndarray:
    """`[*shape]` or `[*shape, c]`.

    Raises:
        ValueError: A number is not finite.
    """
    with reading(path):
        if not is_array(path):
            return read_image(path).values
        values = read_array(path, axes={axes, axes + 1}, kinds="fiuc")
        if values.dtype.kind in "fc":
            if not np.isfinite(values).all():
                raise ValueError("it has NaN or infinite entries. Replace or crop them first.")
            return values.astype(complex if values.dtype.kind == "c" else float)
        return read_image(path).values if axes == 2 else values.astype(float)
