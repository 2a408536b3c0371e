"""What a physics does to channels: found by asking it."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.measurements.physics import LinearMaps, Physics

__all__ = ["physics_parts"]

_ALIKE = 1e-4
"""Relative; single precision gives 1e-6, channels that are mixed or weighted 1e-2 and more."""


def physics_parts(
    physics: LinearMaps,
    y: Shaped[Tensor, "..."],
    *,
    groups: Int[Tensor, "..."] | int | None = None,
    spacing: float | Sequence[float] = 1.0,
) -> tuple[Physics, ...]:
    """The measurements that a physics is made of: one where it measures all channels alike, else one a channel.

    Two channels that it takes as real and imaginary part of one complex field are one, too.

    Args:
        physics: As of deepinv: `A` and `A_adjoint` of batches, the same for each item.
        y: Its measurements, `[b, *measured_shape]`; only shape, dtype and device count.
        groups: As of `Physics`.
        spacing: Likewise.

    Raises:
        TypeError: The measurements are no real numbers in one tensor.
        ValueError: It mixes channels.

    Example:
        >>> class Half:
        ...     def A(self, x):
        ...         return x / 2
        ...
        ...     A_adjoint = A
        >>> physics_parts(Half(), torch.zeros(1, 3, 8, 8))
        (Physics(Half, field of (8, 8), data (64,)),)
    """
    if not isinstance(y, Tensor) or not y.is_floating_point():
        got = str(y.dtype) if isinstance(y, Tensor) else type(y).__name__
        raise TypeError(
            f"`y` must be one tensor of real numbers, got {got}. Complex measurements are two channels, as deepinv's MRI "
            "has them; of a stacked physics, reconstruct one that concatenates its measurements."
        )
    with torch.no_grad():
        back = physics.A_adjoint(torch.zeros_like(y[:1]))
    channels, shape = back.shape[1], tuple(back.shape[2:])
    options: dict[str, Any] = {
        "groups": groups,
        "spacing": spacing,
        "dtype": y.dtype,
        "device": y.device,
    }
    measured = tuple(y.shape[1:])
    if channels == 1:
        return (Physics(physics, shape, measured, **options),)
    alone = _each_alone(physics, back)
    if tuple(alone.shape[1:2]) == (channels,):
        own = alone.diagonal(dim1=0, dim2=1).movedim(-1, 0)
        others = alone - torch.diag_embed(own.movedim(0, -1), dim1=0, dim2=1)
        size = _ALIKE * float(own.abs().max())
        if float(others.abs().max()) <= size:
            options["channels"] = channels
            if float((own - own[:1]).abs().max()) <= size:
                return (Physics(physics, shape, measured, **options),)
            return tuple(
                Physics(physics, shape, measured, channel=k, **options) for k in range(channels)
            )
        if channels == 2 and _turns_with_the_field(alone):
            return (Physics(physics, shape, measured, channels=2, is_complex=True, **options),)
    raise ValueError(
        f"`physics` mixes {channels} channels: measurements {tuple(measured)} of each depend on others. Channels measured "
        "one by one, or as real and imaginary part, can be reconstructed."
    )


def _each_alone(physics: LinearMaps, like: Shaped[Tensor, "1 c ..."]) -> Shaped[Tensor, "c ..."]:
    """What is measured of one random field in each channel, the others zero."""
    generator = torch.Generator().manual_seed(1)
    field = torch.randn(like.shape[2:], generator=generator, dtype=torch.float64).to(like)
    each = torch.eye(like.shape[1]).to(like)
    with torch.no_grad():
        return physics.A(each.reshape(*each.shape, *[1] * field.ndim) * field)


def _turns_with_the_field(alone: Shaped[Tensor, "2 2 ..."]) -> bool:
    """Whether a field times `i` has its measurements times `i`."""
    real, imaginary = alone
    turned = torch.stack([-real[1], real[0]])
    return float((imaginary - turned).abs().max()) <= _ALIKE * float(alone.abs().max())
