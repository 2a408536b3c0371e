"""What a reconstruction should be, from a file."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkit._core.whole_files import shown
from ntkit.tasks.files import Levels, read_image
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array

__all__ = ["read_truth"]


_WHOLE = {(0, 1), (0, 255), (0, 65535)}
"""Levels that are the same in every file."""


def read_truth(
    path: Path | None,
    shape: Sequence[int],
    n_outputs: int = 1,
    *,
    levels: Levels | None = None,
    is_complex: bool = False,
) -> Shaped[Tensor, "..."] | None:
    """The true picture, `[*shape]`, or `[*shape, o]` where there are several outputs; None of no file.

    Arrays are taken as they are, in the unit of the reconstruction; pictures, and arrays of bytes or of 16 bits, as levels
    from 0 to 1.

    Args:
        path: The file.
        shape: Of the reconstruction.
        n_outputs: Its colours.
        levels: Of a reconstruction of levels: which numbers of its data are 0 and 1. Where these are the least and
            largest of the data, the truth is scaled as they were.
        is_complex: Whether the reconstruction is.

    Raises:
        ValueError: It has another shape, is complex where the reconstruction is real, or is constant.
    """
    if path is None:
        return None
    require_file(path, "a picture or a .npy array of the size of the reconstruction")
    values = _values(path, len(shape), levels)
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
    if np.iscomplexobj(values) and not is_complex:
        raise ValueError(
            f"`{shown(path)}` is complex, and the reconstruction is real. Save its real part for `--truth`."
        )
    if not np.abs(values - values.flat[0]).any():
        raise ValueError(
            f"`{shown(path)}` is {values.flat[0]:g} everywhere: no picture can be compared with it. Pass another `--truth`, "
            "or leave it out."
        )
    found = torch.from_numpy(np.ascontiguousarray(values))
    return found[..., 0] if n_outputs == 1 else found


def _values(path: Path, axes: int, levels: Levels | None) -> np.ndarray:
    """`[*shape]` or `[*shape, c]`.

    Raises:
        ValueError: A number is not finite.
    """
    scale = None if levels is None or (levels.low, levels.high) in _WHOLE else levels
    with reading(path):
        if not is_array(path):
            picture = read_image(path)
            if scale and (picture.levels.low, picture.levels.high) not in _WHOLE:
                return scale.to_unit(picture.levels.back(picture.values))
            return picture.values
        values = read_array(path, axes={axes, axes + 1}, kinds="fiuc")
        if values.dtype.kind == "u" and values.dtype.itemsize <= 2 and axes == 2:
            return read_image(path).values
        if not np.isfinite(values).all():
            raise ValueError("it has NaN or infinite entries. Replace or crop them first.")
        found = values.astype(complex if values.dtype.kind == "c" else float)
        return scale.to_unit(found) if scale and found.dtype.kind != "c" else found
