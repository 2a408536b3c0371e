"""What is asked of a reconstruction, checked once at the door."""

from collections.abc import Mapping, Sequence
from math import isfinite, prod

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.grids import Grid
from ntkit.kernels import AbstractKernel
from ntkit.measurements import AbstractMeasurement, Radon, adjoint_mismatch
from ntkit.reconstruction.default_priors import default_priors
from ntkit.reconstruction.system import System

__all__ = [
    "Bounds",
    "Priors",
    "asked_bounds",
    "asked_data",
    "asked_priors",
    "asked_system",
]

Bounds = tuple[float | None, float | None] | None
Priors = AbstractKernel | Sequence[AbstractKernel] | Mapping[str, AbstractKernel] | None

_MISMATCH = 1e-3
"""An adjoint of another discretisation is off by a tenth and more; float32 by 1e-6."""


def asked_data(y: Shaped[Tensor, "..."], A: AbstractMeasurement) -> Shaped[Tensor, "..."]:
    """The data `[*data_shape, o]`, in double precision on the CPU.

    Raises:
        ValueError: Their shape does not fit, they are not finite, or all zero.
        TypeError: They are complex and the measurement is not.
    """
    if y.is_complex() and not A.is_complex:
        raise TypeError(
            f"`y` is complex, and {type(A).__name__} measures real fields. Pass `y.real`."
        )
    if tuple(y.shape) == tuple(A.data_shape):
        y = y[..., None]
    if tuple(y.shape[:-1]) != tuple(A.data_shape):
        raise ValueError(
            f"`y` has shape {tuple(y.shape)}, and {type(A).__name__} gives {tuple(A.data_shape)}, with one more axis where "
            "there are several channels. Check the order of the axes and the number of angles or samples."
        )
    if not bool(torch.isfinite(torch.view_as_real(y) if y.is_complex() else y).all()):
        raise ValueError(
            "`y` holds NaN or infinity: leave those measurements out, or give them `weights=0`."
        )
    if not bool(y.any()):
        raise ValueError("`y` is zero everywhere: there is no signal to reconstruct.")
    wide = torch.complex128 if A.is_complex else torch.float64
    return y.detach().cpu().to(wide)


def asked_system(
    A: AbstractMeasurement,
    weights: Shaped[Tensor, "..."] | None,
    groups: Int[Tensor, " n"] | None,
) -> System:
    """The measurement with its weights and groups, its adjoint probed once.

    Raises:
        ValueError: Something does not fit, or the adjoint is none.
    """
    mismatch = adjoint_mismatch(A)
    if not mismatch < _MISMATCH:
        raise ValueError(
            f"`A.adjoint` is no adjoint of `A`: <A f, d> and <f, A^H d> differ by {mismatch:.1g} of their size. A "
            "reconstruction needs the exact transpose (conjugated)."
        )
    group = A.groups if groups is None else groups
    if tuple(group.shape) != (A.data_shape[0],):
        raise ValueError(
            f"`groups` has shape {tuple(group.shape)}; one number for each of the {A.data_shape[0]} rows of the data is "
            "needed."
        )
    numbers = torch.unique(group.cpu(), return_inverse=True)[1]
    each = prod(A.data_shape[1:])
    spread = numbers.repeat_interleave(each)
    if weights is None:
        return System(A, None, spread)
    if tuple(weights.shape) != tuple(A.data_shape):
        raise ValueError(
            f"`weights` has shape {tuple(weights.shape)}; one number a datum is needed, {tuple(A.data_shape)}: one over "
            "the noise's variance."
        )
    flat = weights.detach().cpu().double().flatten()
    if not bool((torch.isfinite(flat) & (flat >= 0)).all()) or not bool(flat.any()):
        raise ValueError("`weights` must be finite, none below 0, and not all 0.")
    return System(A, flat / flat[flat > 0].mean(), spread)


def asked_bounds(bounds: Bounds | str, A: AbstractMeasurement) -> Bounds:
    """The bounds: of line integrals nothing below zero, where nothing else is said.

    Raises:
        ValueError: They are no pair of rising numbers, or the field is complex.
    """
    if isinstance(bounds, str):
        if bounds != "auto":
            raise ValueError(
                f'`bounds={bounds!r}` must be "auto", None, or a pair such as (0, None).'
            )
        return (0.0, None) if isinstance(A, Radon) else None
    if bounds is None or bounds == (None, None):
        return None
    if A.is_complex:
        raise ValueError(
            f"`bounds={bounds!r}`: a complex field has no least and largest value. Pass None."
        )
    low, high = bounds
    ends = [b for b in (low, high) if b is not None]
    if not all(isfinite(b) for b in ends) or (len(ends) == 2 and not ends[0] < ends[1]):
        raise ValueError(
            f"`bounds={bounds!r}` must be two finite numbers, the first below the second, or None for one."
        )
    return (low, high)


def asked_priors(prior: Priors, grid: Grid) -> dict[str, AbstractKernel]:
    """The kernels to compare, by name.

    Raises:
        TypeError: Something is no kernel.
        ValueError: There are none.
    """
    if prior is None:
        return default_priors(grid.ndim)
    if isinstance(prior, AbstractKernel):
        prior = [prior]
    named = dict(prior) if isinstance(prior, Mapping) else {repr(k): k for k in prior}
    if not named:
        raise ValueError("`prior` names no kernel. Leave it out for the usual ones.")
    for kernel in named.values():
        if not isinstance(kernel, AbstractKernel):
            raise TypeError(
                f"`prior` must be kernels, got {type(kernel).__name__}; of a network, `ntkit.ntk(network)`."
            )
    return named
