"""k-space from an HDF5 file as fastMRI's (Zbontar et al. 2018, arXiv:1811.08839)."""

from pathlib import Path

import h5py
import numpy as np

from ntkit.tasks.files.access import reading
from ntkit.tasks.files.kspace import KSpace, checked_kspace

__all__ = ["read_hdf5"]


def read_hdf5(path: Path, slice: int | None) -> KSpace:
    """One slice, with its mask if the file has one.

    Raises:
        ValueError: There is no such slice, or no complex `kspace`.
    """
    with reading(path), h5py.File(path, "r") as file:
        found = file.get("kspace")
        if not isinstance(found, h5py.Dataset):
            names = ", ".join(map(str, file)) or "nothing"
            raise ValueError(f"it holds {names}, and no dataset kspace, as files of fastMRI have.")
        if found.dtype.kind != "c" or found.ndim not in {3, 4}:
            raise ValueError(
                f"its kspace holds {found.dtype} of {found.ndim} axes; complex numbers of [slices, ky, kx] or "
                "[slices, coils, ky, kx] are needed."
            )
        count = len(found)
        number = count // 2 if slice is None else slice
        if not 0 <= number < count:
            raise ValueError(f"`--slice {slice}` is none of its {count} slices, counted from 0.")
        values = np.asarray(found[number])
        mask = _mask(file, values.shape[-1])
        values = checked_kspace(values[None] if values.ndim == 2 else values)
    return KSpace(values, mask, (f"Slice {number} of {count}.",))


def _mask(file: h5py.File, width: int) -> np.ndarray | None:
    """Which columns were measured; None where the file does not say.

    Raises:
        ValueError: There are not as many as columns.
    """
    found = file.get("mask")
    if not isinstance(found, h5py.Dataset):
        return None
    values = np.asarray(found[()]).astype(bool)
    if values.shape != (width,):
        raise ValueError(f"its mask has shape {values.shape}, and its k-space {width} columns.")
    return values
