"""What is asked of a reconstruction, checked once at the door."""

from collections.abc import Mapping, Sequence
from math import isfinite, prod
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
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
    "asked_mean",
    "asked_near",
    "asked_priors",
    "asked_signal",
    "asked_system",
    "asked_variation",
]

Bounds = tuple[float | None, float | None] | None
Priors = AbstractKernel | Sequence[AbstractKernel] | Mapping[str, AbstractKernel] | None

_MISMATCH = 1e-3
"""An adjoint of another discretisation is off by a tenth and more; float32 by 1e-6."""

_LEAST, _LARGEST = 1e-30, 1e30
"""Of the largest datum: the field stays within single precision, in which most iterations are."""

_FARTHEST = 1e4
"""Of a given mean over the data: of the seven digits of single precision three are left for what differs from it."""


def asked_data(y: Shaped[Tensor, "..."], A: AbstractMeasurement) -> Shaped[Tensor, "..."]:
    """The data `[*data_shape, o]`, in double precision on the CPU.

    Raises:
        ValueError: Their shape does not fit, or they are none, not finite, or far too large or small.
        TypeError: They are complex where the measurement is not; or `A` is no measurement.
    """
    if not isinstance(A, AbstractMeasurement):
        raise TypeError(
            f"`A` must be a measurement of `ntkit.measurements`, got {type(A).__name__}; of a matrix, `Matrix(matrix)`."
        )
    _refuse_other("y", y)
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
    y = y.detach().cpu().to(torch.complex128 if A.is_complex else torch.float64)
    if not bool(torch.isfinite(torch.view_as_real(y) if y.is_complex() else y).all()):
        raise ValueError(
            "`y` holds NaN or infinity: leave those measurements out, or set them to 0 and give them `weights=0`."
        )
    if not y.numel():
        raise ValueError(f"`y` is empty: its shape is {tuple(y.shape)}.")
    size = float(y.abs().max())
    if size and not _LEAST <= size <= _LARGEST:
        raise ValueError(
            f"`y` is {size:.1g} at most: single precision does not hold that well. Choose a unit in which it is of order one."
        )
    return y


def _refuse_other(name: str, value: object) -> None:
    """Refuse what is no tensor.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, Tensor):
        raise TypeError(
            f"`{name}` must be a tensor, got {type(value).__name__}; of an array or a list, `torch.as_tensor({name})`."
        )


def asked_signal(y: Float[Tensor, "p m"]) -> Float[Tensor, "p m"]:
    """The data as the solvers take them, weighted.

    Raises:
        ValueError: All are zero.
    """
    if not bool(y.any()):
        raise ValueError(
            "`y` is zero wherever it has any weight: there is no signal to reconstruct."
        )
    return y


def asked_system(
    A: AbstractMeasurement,
    weights: Shaped[Tensor, "..."] | None,
    groups: Int[Tensor, " n"] | None,
) -> System:
    """The measurement with its weights and groups, its adjoint probed once.

    Raises:
        ValueError: Something does not fit, or the adjoint is none.
    """
    _asked_products(A)
    mismatch = adjoint_mismatch(A)
    if not mismatch < _MISMATCH:
        raise ValueError(
            f"`A.adjoint` is no adjoint of `A`: <A f, d> and <f, A^H d> differ by {mismatch:.1g} of their size. A "
            "reconstruction needs the exact transpose (conjugated)."
        )
    group = A.groups if groups is None else groups
    _refuse_other("groups", group)
    if tuple(group.shape) != (A.data_shape[0],):
        raise ValueError(
            f"`groups` has shape {tuple(group.shape)}; one number for each of the {A.data_shape[0]} rows of the data is "
            "needed."
        )
    flat = None if weights is None else _asked_weights(weights, A)
    spread = group.cpu().repeat_interleave(prod(A.data_shape[1:]))
    counts = torch.ones_like(spread, dtype=torch.bool) if flat is None else flat > 0
    numbers = torch.zeros_like(spread, dtype=torch.int64)
    numbers[counts] = torch.unique(spread[counts], return_inverse=True)[1]
    system = System(A, flat, numbers)
    if not system.sees_something:
        raise ValueError(
            f"{type(A).__name__} gives 0 for any field, wherever the data have any weight: nothing is measured."
        )
    return system


def _asked_products(A: AbstractMeasurement) -> None:
    """Refuse what gives another shape than it says, complex numbers where it says real ones, or one output from another.

    Raises:
        ValueError: It does.
    """
    wide = torch.complex128 if A.is_complex else torch.float64
    ways = (
        ("A(field)", A, A.field_shape, A.data_shape),
        ("A.adjoint(data)", A.adjoint, A.data_shape, A.field_shape),
    )
    for name, product, takes, gives in ways:
        first = torch.randn(*takes, generator=torch.Generator().manual_seed(0), dtype=wide)
        given = torch.stack([first, torch.zeros_like(first)], -1)
        found = product(given.to(A.device))
        _refuse_other(name, found)
        if tuple(found.shape) != (*gives, 2) or found.is_complex() != A.is_complex:
            raise ValueError(
                f"`{name}` of two outputs gives shape {tuple(found.shape)}, {found.dtype}; by its `field_shape`, `data_shape` "
                f"and `is_complex`, {(*gives, 2)} of {'complex' if A.is_complex else 'real'} numbers were to be expected."
            )
        if bool(found[..., 1].any()):
            raise ValueError(
                f"`{name}` gives something where the second of two outputs is 0: it adds a constant, or mixes outputs. It must "
                "be linear, and take each index of the last axis by itself."
            )


def _asked_weights(weights: Shaped[Tensor, "..."], A: AbstractMeasurement) -> Float[Tensor, " m"]:
    _refuse_other("weights", weights)
    if tuple(weights.shape) != tuple(A.data_shape):
        raise ValueError(
            f"`weights` has shape {tuple(weights.shape)}; one number a datum is needed, {tuple(A.data_shape)}: one over "
            "the noise's variance."
        )
    flat = weights.detach().cpu().double().flatten()
    if not bool((torch.isfinite(flat) & (flat >= 0)).all()) or not bool(flat.any()):
        raise ValueError("`weights` must be finite, none below 0, and not all 0.")
    return flat / flat[flat > 0].mean()


def asked_bounds(bounds: Any, A: AbstractMeasurement) -> Bounds:
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
    is_pair = isinstance(bounds, Sequence) and len(bounds) == 2
    ends = [b for b in bounds if b is not None] if is_pair else []
    if not is_pair or not all(map(_is_finite, ends)) or (len(ends) == 2 and ends[0] >= ends[1]):
        raise ValueError(
            f"`bounds={bounds!r}` must be two finite numbers, the first below the second, or None for one."
        )
    return (bounds[0], bounds[1])


def _is_finite(value: Any) -> bool:
    try:
        return isfinite(value)
    except (TypeError, ValueError, RuntimeError):  # no number, or several
        return False


def asked_mean(mean: float | str) -> float | None:
    """The mean; None where it is to be fitted.

    Raises:
        ValueError: It is neither "fit" nor a finite number.
    """
    if mean == "fit":
        return None
    if not _is_finite(mean):
        raise ValueError(f'`mean={mean!r}` must be "fit" or a finite number.')
    return float(mean)


def asked_near(mean: float | None, flat: Float[Tensor, "p m"], y: Float[Tensor, "p m"]) -> None:
    """Refuse a mean beside which the data are lost in rounding.

    Args:
        mean: That was given; None where it is fitted.
        flat: Data of a field of one.
        y: The data.

    Raises:
        ValueError: It is.
    """
    size = 0.0 if mean is None else abs(mean) * float(flat.abs().max())
    if size > _FARTHEST * float(y.abs().max()):
        raise ValueError(
            f"`mean={mean:g}` would give data of {size:.2g}, and the largest of `y` is {float(y.abs().max()):.2g}: single "
            'precision does not hold both. Pass a mean in the unit of the field, or "fit".'
        )


def asked_variation(total_variation: bool | float) -> bool | float:
    """True to choose the weight of total variation, False for none, else the weight.

    Raises:
        ValueError: It is below zero or not finite.
    """
    if isinstance(total_variation, bool):
        return total_variation
    if not (_is_finite(total_variation) and total_variation >= 0):
        raise ValueError(
            f"`total_variation={total_variation!r}` must be True, False, or a finite weight that is not below 0."
        )
    return float(total_variation) or False


def asked_priors(prior: Any, grid: Grid) -> dict[str, AbstractKernel]:
    """The kernels to compare, by name.

    Raises:
        TypeError: Something is no kernel.
        ValueError: There are none.
    """
    if prior is None:
        return default_priors(grid.ndim)
    if not isinstance(prior, Sequence | Mapping):
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
