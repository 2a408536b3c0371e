"""Receiver coils: each sees the field through a complex weight of its own."""

from collections.abc import Iterator

import torch
from jaxtyping import Complex, Shaped
from torch import Tensor

__all__ = ["as_complex", "checked_coils", "combine", "spread"]


def checked_coils(
    coils: Complex[Tensor, "c ..."] | None, shape: tuple[int, ...]
) -> Complex[Tensor, "c ..."] | None:
    """The coils' weights, refused if they do not fit.

    Raises:
        TypeError: They are not complex.
        ValueError: They have another shape than `[c, *shape]`.
    """
    if coils is None:
        return None
    if not coils.is_complex():
        raise TypeError(
            f"`coils` must be complex, got {coils.dtype}. `coils.to(torch.complex128)` makes it so."
        )
    if coils.ndim != len(shape) + 1 or tuple(coils.shape[1:]) != shape or not len(coils):
        raise ValueError(
            f"`coils` has shape {tuple(coils.shape)}; (coils, {str(shape)[1:]} is needed."
        )
    return coils


def as_complex(value: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
    """The same numbers, complex of the same precision."""
    return value if value.is_complex() else torch.complex(value, torch.zeros_like(value))


def spread(
    field: Shaped[Tensor, "..."], coils: Complex[Tensor, "c ..."] | None
) -> Iterator[Complex[Tensor, "c ..."]]:
    """What each coil sees of a field `[*shape, o]`, one output after the other: `[c, *shape]`, a single one where there are none."""
    for one in as_complex(field).unbind(-1):
        yield one[None] if coils is None else one * coils.to(one)


def combine(
    seen: Complex[Tensor, "c ..."], coils: Complex[Tensor, "c ..."] | None
) -> Complex[Tensor, "..."]:
    """The adjoint of `spread` for one output: the sum over coils with their weights' conjugates."""
    if coils is None:
        return seen[0]
    found = torch.zeros_like(seen[0])
    for view, weight in zip(seen, coils.to(seen).conj(), strict=True):
        found = found.addcmul(view, weight)
    return found
