"""Reading k-space from NumPy arrays and fastMRI's HDF5 files."""

from pathlib import Path

import numpy as np

from ntkit._core.whole_files import shown
from ntkit.tasks.files.access import needed, reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.kspace import KSpace, checked_kspace

__all__ = ["read_kspace"]

_HDF5 = {".h5", ".hdf5"}


def read_kspace(path: Path, *, slice: int | None = None) -> KSpace:
    """k-space of one slice or volume, a coil after the other.

    Args:
        path: A .npy array, complex, `[ky, kx]`, `[coils, ky, kx]` or `[coils, kz, ky, kx]`; real ones hold real and
            imaginary parts along a last axis of 2. Or an HDF5 file of fastMRI, which has `kspace` of `[slices, ky, kx]`
            or `[slices, coils, ky, kx]`.
        slice: Which slice of an HDF5 file, from 0; the middle one by default.

    Raises:
        ValueError: It is damaged, real, not finite, or 0 everywhere.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "k.npy"
        ...     np.save(path, np.ones((8, 6), complex))
        ...     read_kspace(path).values.shape
        (1, 8, 6)
    """
    require_file(path, "k-space as a .npy array, or an HDF5 file of fastMRI")
    if path.suffix.lower() in _HDF5:
        return needed("ntkit.tasks.files.kspace_hdf5").read_hdf5(path, slice)
    if not is_array(path):
        raise ValueError(
            f"`{shown(path)}` has the ending {path.suffix or 'of no file'}: k-space is read from .npy, and from .h5 of "
            "fastMRI."
        )
    if slice is not None:
        raise ValueError(
            f"`--slice {slice}` is of HDF5 files; `{shown(path)}` is one slice or volume."
        )
    with reading(path):
        values, notes = _complex(read_array(path, axes=range(2, 6), kinds="fiuc"))
        if values.ndim == 2:
            values = values[None]
        if values.ndim > 4:
            raise ValueError(
                f"it has shape {values.shape}: [ky, kx], [coils, ky, kx] or [coils, kz, ky, kx] is needed."
            )
        return KSpace(checked_kspace(values), None, notes)


def _complex(values: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Complex numbers; of a real array with a last axis of two, its pairs.

    Raises:
        ValueError: They are real.
    """
    if values.dtype.kind == "c":
        return values, ()
    if values.shape[-1] == 2 and values.ndim > 2:
        return values[..., 0] + 1j * values[..., 1], (
            "The last axis was taken for real and imaginary parts.",
        )
    raise ValueError(
        f"it holds {values.dtype} of shape {values.shape}, and k-space is complex: save it as such, or with a last axis "
        "of two, real and imaginary parts."
    )
