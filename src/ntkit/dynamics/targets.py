"""Targets and start values in front of points: every axis is accounted for, nothing is broadcast."""

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import finite, floating_tensor
from ntkit._core.running import call
from ntkit.dynamics.start_check import refuse_coupled_start
from ntkit.grids import Grid

__all__ = ["fitting_targets", "output_axes", "start_values"]


def output_axes(points: Grid | Tensor, y: Tensor) -> tuple[int, ...]:
    """The axes of checked targets behind those of the points.

    Raises:
        ValueError: `y` does not begin with the shape of the points.
    """
    finite("y", floating_tensor("y", y))
    for shape in _shapes(points):
        if tuple(y.shape[: len(shape)]) == shape and y.ndim <= len(shape) + 1:
            return tuple(y.shape[len(shape) :])
    raise ValueError(
        f"`y` has shape {tuple(y.shape)}, but the points have "
        f"{' or '.join(map(str, _shapes(points)))}; one more axis may follow, for outputs."
    )


def fitting_targets(
    name: str, points: Grid | Tensor, y: Tensor, tail: tuple[int, ...]
) -> Float[Tensor, "n o"]:
    """Targets for functions with the output axes `tail`, float64; one output may have an axis or none.

    Raises:
        ValueError: They have other outputs, which would be broadcast.
    """
    found = output_axes(points, y)
    if prod(found) != prod(tail):
        raise ValueError(
            f"`{name}` has shape {tuple(y.shape)}, {prod(found)} outputs a point, and the function has "
            f"{prod(tail)}. Pass as many."
        )
    return y.double().reshape(len(points), -1)


@torch.no_grad()
def start_values(
    f0: Callable[[Tensor], Tensor], x: Tensor, dtype: torch.dtype
) -> Float[Tensor, "n ..."]:
    """`f0(x)` in float64; integer points, such as token ids, stay what they are.

    Args:
        f0: A module is given points in the precision of its parameters; another function in `dtype`,
            and where torch refuses that for its dtype, in the other one.
        x: Points.
        dtype: That of the targets.

    Raises:
        RuntimeError: `f0` itself raises one.
        TypeError: It does not return a tensor.
        ValueError: It does not return one row a point.
    """
    first = _precision(f0) or dtype
    try:
        found = _checked_values(f0, _cast(x, first))
    except RuntimeError as error:
        if not x.is_floating_point() or not any(word in str(error) for word in _ABOUT_DTYPES):
            raise
        other = torch.float32 if first == torch.float64 else torch.float64
        found = _checked_values(f0, _cast(x, other))
    if not isinstance(found, Tensor):
        raise TypeError(
            f"`f0(points)` must be a torch.Tensor, got {type(found).__name__}. Wrap it in a function "
            "that picks the outputs."
        )
    if found.ndim == 0 or len(found) != len(x):
        raise ValueError(
            f"`f0(points)` must be one row a point, [{len(x)}] or [{len(x)}, o], got shape "
            f"{tuple(found.shape)}."
        )
    return found.double()


def _checked_values(f0: Callable[[Tensor], Any], x: Tensor) -> Any:
    refuse_coupled_start(f0, x, _values)
    return _values(f0, x)


def _run(f0: Callable[[Tensor], Any], x: Tensor) -> Any:
    """A module's buffers stay as they are, whatever it writes."""
    return call(f0, {}, x) if isinstance(f0, nn.Module) else f0(x)


_ABOUT_DTYPES = ("dtype", "scalar type")
"""In what torch says of tensors of different precision."""


def _values(f0: Callable[[Tensor], Any], x: Tensor) -> Any:
    """`f0(x)`, with a graph where it takes derivatives by its input; `x` stays as it is.

    Raises:
        RuntimeError: `f0` itself raises one.
    """
    try:
        return _run(f0, x.detach())
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
    with torch.enable_grad():
        found = _run(f0, x.detach())
    return found.detach() if isinstance(found, Tensor) else found


def _precision(f0: Any) -> torch.dtype | None:
    """That of a module's parameters, or its buffers; None for what is no module."""
    module = f0 if isinstance(f0, nn.Module) else getattr(f0, "__self__", None)
    if not isinstance(module, nn.Module):
        return None
    tensors: Iterable[Tensor] = (*module.parameters(), *module.buffers())
    return next((t.dtype for t in tensors if t.is_floating_point()), None)


def _cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype) if x.is_floating_point() else x


def _shapes(points: Grid | Tensor) -> list[tuple[int, ...]]:
    """Leading axes that targets may have."""
    flat = [(len(points),)]
    return [tuple(points.shape), *flat] if isinstance(points, Grid) else flat
