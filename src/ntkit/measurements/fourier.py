"""Samples of a field's Fourier transform on its grid: magnetic resonance imaging."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Bool, Complex, Int, Shaped
from torch import Tensor

from ntkit._core.checks import positive_int
from ntkit.measurements.base import AbstractMeasurement, numbered, row_numbers
from ntkit.measurements.coils import as_complex, checked_coils, combine, spread

__all__ = ["Fourier"]

_GROUPS = 24  # fewer than that, and three folds of them are too uneven


class Fourier(AbstractMeasurement):
    """The centred, orthonormal Fourier transform where `mask` is True: `[samples]`, or `[samples, coils]`.

    With `c = shape // 2`, at frequency `k - c`:
    `sum_x f(x) exp(-2 pi i (k - c).(x - c) / shape) / sqrt(prod(shape))`, of each coil's view `s(x) f(x)`.
    Field and data are complex.

    A group is a line of k-space where the mask is constant along an axis, else a sample; in both cases together with
    its mirror image through the middle, which a field that is nearly real would give away.

    Args:
        shape: Shape of the field.
        mask: Boolean, of the field's shape or what broadcasts to it (`[width]` keeps columns, as fastMRI's); or places
            `[n]` in the flattened, centred k-space, each once. Everything by default.
        coils: Sensitivities `[c, *shape]`, complex.
        groups: `[samples]`, whole numbers, instead of those above.

    Raises:
        TypeError: The mask is neither boolean nor of whole numbers.
        ValueError: It has another shape, is True nowhere, or a place is outside or comes twice.

    Source: fastMRI's `fft2c` and `ifft2c` (Zbontar et al. 2018, arXiv:1811.08839).

    Example:
        >>> A = Fourier((4, 4), torch.tensor([True, False, True, True]))
        >>> A.data_shape, A.groups.tolist()
        ((12,), [0, 2, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1])
        >>> A(torch.ones(4, 4, 1)).abs().sum().item()  # all in the middle
        4.0
    """

    dtype: torch.dtype = torch.complex128
    is_complex = True

    def __init__(
        self,
        shape: Sequence[int],
        mask: Shaped[Tensor, "..."] | None = None,
        coils: Complex[Tensor, "c ..."] | None = None,
        *,
        groups: Int[Tensor, " n"] | None = None,
    ) -> None:
        self.field_shape: tuple[int, ...] = tuple(positive_int("shape", n) for n in shape)
        self.coils: Tensor | None = checked_coils(coils, self.field_shape)
        self.index: Tensor = _places(mask, self.field_shape)
        labels = _lines(self.index, self.field_shape) if groups is None else groups
        if labels.shape != self.index.shape:
            raise ValueError(
                f"`groups` has shape {tuple(labels.shape)}; one number for each of {len(self.index)} samples is needed."
            )
        self._labels = labels
        self._turned = (
            None
            if self.coils is None
            else torch.fft.ifftshift(self.coils, tuple(range(1, self.coils.ndim)))
        )
        self._order = torch.fft.fftshift(
            torch.arange(prod(self.field_shape), device=self.index.device).reshape(self.field_shape)
        ).flatten()[self.index]

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Samples, and coils if there are any."""
        return (len(self.index),) if self.coils is None else (len(self.index), len(self.coils))

    @property
    def device(self) -> torch.device:
        """That of the mask."""
        return self.index.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Lines or samples, with their mirror images."""
        return numbered(self._labels)

    @property
    def mask(self) -> Bool[Tensor, "..."]:
        """`[*field_shape]`, True where the centred k-space is measured."""
        found = torch.zeros(prod(self.field_shape), dtype=torch.bool, device=self.device)
        found[self.index] = True
        return found.reshape(self.field_shape)

    def gather(self, kspace: Complex[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """The data `[samples, coils, 1]` of a centred k-space `[coils, *shape]`; without coils of `[*shape]`.

        Raises:
            ValueError: It has another shape.
        """
        shape = self.field_shape if self.coils is None else (len(self.coils), *self.field_shape)
        if tuple(kspace.shape) != shape:
            raise ValueError(f"`kspace` has shape {tuple(kspace.shape)}; {shape} is needed.")
        flat = kspace.reshape(-1, prod(self.field_shape))[:, self.index.to(kspace.device)]
        return flat.T.reshape(*self.data_shape, 1)

    def scatter(self, data: Complex[Tensor, "..."]) -> Complex[Tensor, "..."]:
        """The centred k-space `[coils, *shape]` of data of one output, zero where nothing was measured."""
        self._check("data", data, self.data_shape)
        flat = data[..., 0].reshape(len(self.index), -1).T
        found = flat.new_zeros(len(flat), prod(self.field_shape))
        found = found.index_copy(1, self.index.to(data.device), flat)
        shape = self.field_shape if self.coils is None else (-1, *self.field_shape)
        return found.reshape(shape)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
        # The middle goes to the corner before the coils look: one field is turned, not all views of it.
        turned = torch.fft.ifftshift(field, tuple(range(len(self.field_shape))))
        order = self._order.to(field.device)
        found = [  # one output at a time: the views of all would not stay in the cache
            torch.fft.fftn(views, dim=self._dims, norm="ortho").flatten(1)[:, order]
            for views in spread(turned, self._turned)
        ]
        return torch.stack(found, -1).movedim(0, 1).reshape(*self.data_shape, -1)

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
        samples = as_complex(data).reshape(len(self.index), -1, data.shape[-1])
        order = self._order.to(data.device)
        found = []
        for own in samples.permute(2, 1, 0):
            empty = samples.new_zeros(len(own), prod(self.field_shape))
            full = empty.index_copy(1, order, own).reshape(-1, *self.field_shape)
            views = torch.fft.ifftn(full, dim=self._dims, norm="ortho")
            found.append(combine(views, self._turned))
        return torch.fft.fftshift(torch.stack(found, -1), tuple(range(len(self.field_shape))))

    @property
    def _dims(self) -> tuple[int, ...]:
        """Axes of the field behind the coils."""
        return tuple(range(1, 1 + len(self.field_shape)))

    def __getitem__(self, rows: slice | Tensor) -> "Fourier":
        """Some of the samples, of all coils."""
        picked = row_numbers(rows, len(self.index)).to(self.device)
        return Fourier(
            self.field_shape, self.index[picked], self.coils, groups=self._labels[picked]
        )

    def __repr__(self) -> str:
        coils = 0 if self.coils is None else len(self.coils)
        return f"Fourier({self.field_shape}, {len(self.index)} samples, {coils} coils)"


def _places(mask: Shaped[Tensor, "..."] | None, shape: tuple[int, ...]) -> Int[Tensor, " n"]:
    """Where a mask is True in the flattened k-space.

    Raises:
        TypeError: It is neither boolean nor of whole numbers.
        ValueError: It has another shape, is True nowhere, or a place is outside or comes twice.
    """
    total = prod(shape)
    if mask is None:
        return torch.arange(total)
    if mask.dtype == torch.bool:
        fits = mask.ndim <= len(shape) and all(
            m in {1, n} for m, n in zip(reversed(mask.shape), reversed(shape), strict=False)
        )
        if not fits:
            raise ValueError(
                f"`mask` has shape {tuple(mask.shape)}; one that broadcasts to {shape} is needed."
            )
        if not bool(mask.any()):
            raise ValueError("`mask` is True nowhere: nothing would be measured.")
        return mask.broadcast_to(shape).flatten().nonzero()[:, 0]
    if mask.is_floating_point() or mask.is_complex():
        raise TypeError(f"`mask` must be boolean, got {mask.dtype}: `mask > 0.5` makes it so.")
    good = mask.ndim == 1 and len(mask) and len(mask.unique()) == len(mask)
    if not good or int(mask.min()) < 0 or int(mask.max()) >= total:
        raise ValueError(
            f"`mask` of whole numbers, shape {tuple(mask.shape)}, must be places from 0 to {total - 1} on one axis, "
            "each once. A mask of zeros and ones must be boolean: `mask > 0`."
        )
    return mask.long()


def _lines(index: Int[Tensor, " n"], shape: tuple[int, ...]) -> Int[Tensor, " n"]:
    """A number for each sample's line, or for itself, the same for mirror images."""
    mask = torch.zeros(prod(shape), dtype=torch.bool, device=index.device)
    mask[index] = True
    mask = mask.reshape(shape)
    constant = [a for a in range(len(shape)) if bool((mask == mask.narrow(a, 0, 1)).all())]
    best = label = _label(index, shape, [])
    for count in range(1, len(constant) + 1):
        label = _label(index, shape, constant[:count])
        if count == 1 or len(label.unique()) >= _GROUPS:
            best = label
    return best


def _label(index: Int[Tensor, " n"], shape: tuple[int, ...], along: list[int]) -> Int[Tensor, " n"]:
    """Places with some axes left out, each or its mirror image through the middle, whichever comes first."""
    own, mirrored = torch.zeros_like(index), torch.zeros_like(index)
    for axis, size in enumerate(shape):
        if axis in along:
            continue
        place = index // prod(shape[axis + 1 :]) % size
        own = own * size + place
        mirrored = mirrored * size + (2 * (size // 2) - place) % size
    return torch.minimum(own, mirrored)
