"""k-space from a file, what of it was measured, and the coils that measured it."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Complex, Shaped
from torch import Tensor

from ntkit._core.whole_files import shown
from ntkit.experiments.problems.checked import refuse_too_large
from ntkit.experiments.problems.problem import Problem
from ntkit.experiments.problems.truth import read_truth
from ntkit.experiments.reconstruct_spec import MriSpec
from ntkit.measurements import AbstractMeasurement, Fourier
from ntkit.reconstruction import coil_maps, zero_filled
from ntkit.tasks import Domain
from ntkit.tasks.files.access import reading, require_file
from ntkit.tasks.files.arrays import is_array, read_array
from ntkit.tasks.files.kspace import KSpace
from ntkit.tasks.files.kspace_reader import read_kspace
from ntkit.tasks.files.mask import read_mask

__all__ = ["open_mri"]


def open_mri(spec: MriSpec) -> Problem:
    """The measured part of k-space, and `Fourier` as it made it; what does not fit is refused."""
    found = read_kspace(spec.data, slice=spec.slice)
    kspace = torch.from_numpy(found.values)
    refuse_too_large(kspace.shape[1:], 2, "take a part of it")
    mask, notes = _measured(spec, found, kspace)
    coils = _coils(spec, kspace, mask, notes)
    A = Fourier(tuple(mask.shape), mask=mask, coils=coils)
    y = A.gather(kspace if coils is not None else kspace[0])[..., 0]
    return Problem(
        y=y,
        A=A,
        domain=Domain(
            "volume" if mask.ndim == 3 else "image",
            A.field_shape,
            1,
            units=("px",) * mask.ndim,
            depth=32,
        ),
        baseline=("zero filling", zero_filled(y[..., None], A)[..., 0]),
        bounds=None,
        unit="",
        notes=tuple(notes),
        truth=read_truth(spec.truth, A.field_shape, is_complex=True),
        held="lines of k-space, or samples with their mirror images,",
        arranged=_in_kspace,
    )


def _in_kspace(A: AbstractMeasurement, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
    """The first coil's samples in k-space, NaN where nothing was measured."""
    assert isinstance(A, Fourier)
    first = data if A.coils is None else data[..., 0]
    picture = torch.full(A.field_shape, torch.nan, dtype=torch.complex128)
    picture[A.mask] = first.to(picture)
    return picture


def _measured(
    spec: MriSpec, found: KSpace, kspace: Complex[Tensor, "c ..."]
) -> tuple[Bool[Tensor, "..."], list[str]]:
    """Which places of k-space were measured, and notes.

    Raises:
        ValueError: The mask leaves nothing, or is of places that were not measured.
    """
    shape, notes = tuple(kspace.shape[1:]), list(found.notes)
    not_zero = (kspace != 0).any(0)
    if spec.mask is not None:
        mask = torch.from_numpy(_mask(spec.mask, shape))
    elif found.mask is not None:
        mask = torch.from_numpy(np.broadcast_to(found.mask, shape).copy())
        notes.append("The mask is that of the file.")
    else:
        mask = not_zero
        notes.append(
            "No mask was given: what is exactly 0 in all coils is taken for not measured."
            if not bool(mask.all())
            else "All of k-space was measured."
        )
    if not bool((mask & not_zero).any()):
        raise ValueError(
            f"`{shown(spec.data)}` has no signal where it was measured: k-space is 0 at all {int(mask.sum())} places of "
            "the mask."
        )
    empty = float((mask & ~not_zero).double().sum() / mask.double().sum())
    if empty > 0.2:
        notes.append(
            f"{100 * empty:.0f} % of the places that the mask says were measured are exactly 0. Is it another scan's mask?"
        )
    if not bool(mask[tuple(n // 2 for n in shape)]):
        notes.append(
            "The middle of k-space was not measured, or k-space is not centred: its largest values should be in the middle "
            "of the array (`numpy.fft.fftshift`)."
        )
    share = 100 * float(mask.double().mean())
    notes.insert(
        0,
        f"{share:.3g} % of a k-space of {' x '.join(map(str, shape))}, {len(kspace)} coil{'s' * (len(kspace) > 1)}.",
    )
    return mask, notes


def _mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """`[h, w]` booleans: of a picture, of an array of that shape, or of one number a column.

    Raises:
        ValueError: It has another shape, NaN, or nothing that was measured.
    """
    if is_array(path):
        require_file(path, "a mask [ky, kx], or one number a column")
        with reading(path):
            values = read_array(path, axes={1, 2, 3}, kinds="fiub")
            if values.shape not in {shape, shape[-1:], (1, shape[-1])}:
                raise ValueError(
                    f"it has shape {values.shape}: a mask of k-space is {shape}, or {shape[-1:]} for its columns."
                )
            if not np.isfinite(values).all():
                raise ValueError("it has NaN or infinite entries: 1 is measured, 0 is not.")
            if not (values > 0.5).any():
                raise ValueError("nothing in it is above 0.5: 1 is measured, 0 is not.")
        return np.broadcast_to(values > 0.5, shape).copy()
    return read_mask(path, shape)


def _coils(
    spec: MriSpec, kspace: Complex[Tensor, "c ..."], mask: Bool[Tensor, "..."], notes: list[str]
) -> Complex[Tensor, "c ..."] | None:
    """Sensitivities, given or found; None of a single coil.

    Raises:
        ValueError: They do not fit the data.
    """
    if spec.coils is not None:
        require_file(spec.coils, "coil sensitivities [coils, y, x]")
        with reading(spec.coils):
            values = read_array(spec.coils, axes={2, 3, 4}, kinds="fiuc")
            values = values[None] if values.ndim < kspace.ndim else values
            if values.shape != tuple(kspace.shape):
                raise ValueError(
                    f"it has shape {values.shape}, and k-space {tuple(kspace.shape)}: one map a coil is needed."
                )
            if not np.isfinite(values).all():
                raise ValueError("it has NaN or infinite entries.")
            if not values.any():
                raise ValueError("all of its sensitivities are 0: no coil measures anything.")
        return torch.from_numpy(values.astype(complex))
    if len(kspace) == 1:
        return None
    maps, lines = coil_maps(kspace, mask)
    notes.append(
        f"The coils' sensitivities were found from the middle of k-space ({' x '.join(map(str, lines))} places measured without a "
        "gap). `--coils` takes better ones, as of ESPIRiT."
    )
    return maps
