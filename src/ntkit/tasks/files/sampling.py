"""What all samples on a grid go through: memory, levels, boxes, and what nothing is learned from."""

import os
from math import prod
from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.content import Content, Levels
from ntkit.tasks.files.levels import depth_of, levels_of

__all__ = [
    "BYTES_PER_SAMPLE",
    "FEWEST",
    "check_factor",
    "check_memory",
    "check_samples",
    "gridded",
    "shrink",
]

BYTES_PER_SAMPLE = 800
"""Working memory of the periodic engine at its peak: a dozen candidates, five layers' spectra each."""

FEWEST = 8
"""Samples along each axis, of which every other one is trained on."""

_DECODED = 24
"""Bytes a number while a file is read: as it stands, as float64, and once more while it is scaled."""


def check_memory(
    path: Path,
    *,
    samples: int,
    numbers: int,
    bytes_per_sample: int,
    way_out: str,
    axes: int = 1,
    downscale: int = 1,
) -> None:
    """Refuse what would not fit, before it is decoded.

    Args:
        path: The file.
        samples: Samples of the grid, before they are shrunk.
        numbers: Numbers that are held while it is read: samples times channels.
        bytes_per_sample: Working memory of a sample that is kept.
        way_out: What to pass; `{}` in it stands for the least downscale that fits.
        axes: How many axes of the grid `downscale` acts on.
        downscale: What is asked for.

    Raises:
        ValueError: The working memory would exceed two thirds of the machine's.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    kept, held = samples // downscale**axes * bytes_per_sample, numbers * _DECODED
    if max(kept, held) <= machine * 2 // 3:
        return
    factor = downscale
    while samples // factor**axes * bytes_per_sample > machine // 2:
        factor += max(1, factor // 100)
    advice = way_out.format(factor)
    if held > machine * 2 // 3 and "{}" in way_out:
        advice = "Save a smaller copy with another program."
    raise ValueError(
        f"`{shown(path)}` has {samples:,} samples, which need about {max(kept, held) / 2**30:.0f} GiB of "
        f"{machine / 2**30:.0f} GiB. {advice}"
    )


def check_factor(downscale: int, name: str = "downscale") -> None:
    """Refuse a factor that is no whole number of at least 1.

    Raises:
        ValueError: It is none.
    """
    if downscale < 1 or int(downscale) != downscale:
        raise ValueError(f"`{name}={downscale}` must be a whole number of at least 1.")


def shrink(values: np.ndarray, axes: range, factor: int) -> np.ndarray:
    """Means over boxes; what is left over at the end of an axis is cut.

    Raises:
        ValueError: An axis is shorter than the factor.
    """
    for axis in axes if factor > 1 else ():
        n = values.shape[axis] // factor
        if n == 0:
            raise ValueError(f"`downscale={factor}` is larger than an axis of the data.")
        shape = (*values.shape[:axis], n, factor, *values.shape[axis + 1 :])
        kept = values[(slice(None),) * axis + (slice(n * factor),)]
        values = kept.reshape(shape).mean(axis + 1)
    return values


def gridded(
    path: Path,
    raw: np.ndarray,
    *,
    notes: list[str],
    spacing: tuple[float, ...] | None,
    units: tuple[str, ...],
    file_bytes: int,
    downscale: int = 1,
    levels: Levels | None = None,
    depth: int | None = None,
    affine: np.ndarray | None = None,
    advice: str = "",
) -> Content:
    """The content of numbers `[*shape, o]`, shrunk along all axes of the grid.

    Args:
        path: The file, for messages.
        raw: Numbers as they stand in the file.
        notes: What was converted so far.
        spacing: Distance of neighbours in the file.
        units: The unit of each axis.
        file_bytes: Size of what was read.
        downscale: Whole factor to shrink by.
        levels: Which numbers become 0 and 1, where they do not follow from `raw`.
        depth: Bits a number, where they do not follow from `raw`.
        affine: Of volumes: from the index to mm.
        advice: What to do where there are too few samples.
    """
    found, more = levels_of(raw)
    if levels is None:
        levels, notes = found, [*notes, *more]
    n_axes = raw.ndim - 1
    values = shrink(levels.to_unit(raw), range(n_axes), downscale)
    if downscale > 1:
        size = " x ".join(map(str, values.shape[:n_axes]))
        notes = [*notes, f"shrunk {downscale} times to {size}"]
        spacing = None if spacing is None else tuple(step * downscale for step in spacing)
        affine = None if affine is None else affine @ _boxes(downscale)
    check_samples(path, values, advice)
    depth = depth_of(raw) if depth is None else depth
    return Content(values, levels, tuple(notes), spacing, units, depth, file_bytes, affine)


def check_samples(path: Path, values: np.ndarray, advice: str = "") -> None:
    """Refuse what nothing can be learned from.

    Args:
        path: The file, for messages.
        values: `[*shape, o]`.
        advice: What to do where there are too few.

    Raises:
        ValueError: Too few samples along an axis, or all channels are constant.
    """
    shape = values.shape[:-1]
    if min(shape) < FEWEST:
        raise ValueError(
            f"`{shown(path)}` is {' x '.join(map(str, shape))} samples; at least {FEWEST} along each "
            f"axis are needed, to learn from a part of them and judge by the rest.{advice}"
        )
    if not np.ptp(values.reshape(prod(shape), -1), 0).any():
        raise ValueError(
            f"`{shown(path)}` has one constant value everywhere: there is nothing to find out about it."
        )


def _boxes(factor: int) -> np.ndarray:
    """From the index of a box to that of its centre."""
    found = np.diag([factor] * 3 + [1.0])
    found[:3, 3] = (factor - 1) / 2
    return found
