"""Reconstruction for deepinv: measurements and their physics in, images out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from deepinv.models import Reconstructor  # pyright: ignore[reportMissingImports]
from deepinv.physics import (  # pyright: ignore[reportMissingImports]
    LinearPhysics,
    Tomography,
    TomographyWithAstra,
)
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.measurements import Physics, physics_parts
from ntkit.reconstruction import Reconstruction, reconstruct
from ntkit.reconstruction.arguments import Bounds, Priors

__all__ = ["DeepinvReconstructor"]

_SAME = 1e-4
"""Relative: that a physics cut to one item measures it as the whole one does."""


class DeepinvReconstructor(Reconstructor):
    """A `deepinv.models.Reconstructor` that finds each image by `ntkit.reconstruct`, everything chosen from `y` itself.

    There is nothing to train and no noise level to give. Channels are measured alike, each by itself, or two as the
    real and imaginary part of one complex image (deepinv's MRI). Of a batch each image is found by itself.

    The physics must be linear with an exact adjoint: for `Tomography`, `adjoint_via_backprop=True`, its default.

    Args:
        prior: Kernels, as of `ntkit.reconstruct`; likewise `mean` and `total_variation`.
        mean: The constant about which the field varies.
        total_variation: Whether to have it, or its weight.
        bounds: Least and largest value of the image, None for no bound; "auto" is `(0, None)` for tomography, else None.
        groups: What of `y` is held out together, as of `ntkit.measurements.Physics`; for tomography its angles.
        spacing: Size of a pixel along each axis, where pixels are not square; only ratios matter.
        network_steps: If given, the image is that of a coordinate network trained for so many steps on the measurements
            of each channel or of all, from what was chosen. It takes minutes.
        on_progress: Called with a line of text at each stage.

    Example:
        >>> from deepinv.physics import Inpainting  # needs deepinv
        >>> physics = Inpainting((1, 16, 16), mask=0.7, rng=torch.Generator().manual_seed(0))
        >>> x = torch.linspace(0, 1, 16).expand(1, 1, 16, 16)
        >>> found = DeepinvReconstructor(total_variation=False)(physics(x), physics)
        >>> bool((found - x).abs().mean() < 0.05)
        True
    """

    def __init__(
        self,
        *,
        prior: Priors = None,
        mean: float | str = "fit",
        total_variation: bool | float = True,
        bounds: Bounds | str = "auto",
        groups: Int[Tensor, "..."] | int | None = None,
        spacing: float | Sequence[float] = 1.0,
        network_steps: int | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        # Kernels may be modules. They belong to the question, not to the weights of this one.
        self._options: dict[str, Any] = {
            "prior": prior,
            "mean": mean,
            "total_variation": total_variation,
            "on_progress": on_progress,
        }
        self._bounds, self._groups, self._spacing = bounds, groups, spacing
        self._network_steps = network_steps

    def forward(self, y: Tensor, physics: LinearPhysics, **_: Any) -> Tensor:
        """The images `[b, c, ...]`, in the dtype and on the device of `y`, without derivatives.

        Args:
            y: Measurements.
            physics: What made them.
        """
        found = []
        for item in self.reconstructions(y, physics, error_bars=False):
            found.append(torch.stack([self._image(each) for each in item]).sum(0))
        return torch.stack(found).to(y)

    def reconstructions(
        self, y: Tensor, physics: LinearPhysics, *, error_bars: bool = True
    ) -> list[tuple[Reconstruction, ...]]:
        """All that was found of each item of the batch: error bars, what was chosen and why, the network.

        Args:
            y: Measurements.
            physics: What made them.
            error_bars: Whether to find the deviation at each point.

        Returns:
            For each item one reconstruction, with channels along the last axis; where channels are measured differently
            one a channel. What else is refused, `ntkit.measurements.physics_parts` and `ntkit.reconstruct` say.

        Raises:
            TypeError: The physics is not linear, or its measurements are no single tensor.
        """
        if not isinstance(physics, LinearPhysics) or not isinstance(y, Tensor):
            raise TypeError(
                "`physics` must be a `deepinv.physics.LinearPhysics` and `y` one tensor, got "
                f"{type(physics).__name__} and {type(y).__name__}. Physics that are stacked are not supported."
            )
        scan = isinstance(physics, Tomography | TomographyWithAstra)
        options = dict(self._options, error_bars=error_bars)
        options["bounds"] = self._bounds
        if self._bounds == "auto":
            options["bounds"] = (0.0, None) if scan else None
        groups = _angles(physics) if scan and self._groups is None else self._groups
        found = []
        for number in range(len(y)):
            own = _cut(physics, y, number)
            parts = physics_parts(own, y, groups=groups, spacing=self._spacing)
            data = [A.gather(y[number]) for A in parts]
            found.append(
                tuple(reconstruct(d, A, **options) for d, A in zip(data, parts, strict=True))
            )
        return found

    def _image(self, found: Reconstruction) -> Shaped[Tensor, "c ..."]:
        """The channels of what one item holds; zero where another reconstruction has them."""
        A = found.measurement
        assert isinstance(A, Physics)
        if self._network_steps is None:
            return A.image(found.field)
        return A.image(found.network(self._network_steps).field)


def _angles(physics: LinearPhysics) -> int:
    """The axis of the measurements along which the angles are: `[detectors, angles]`, of ASTRA `[..., angles, detectors]`."""
    return -1 if isinstance(physics, Tomography) else -2


def _cut(physics: LinearPhysics, y: Tensor, number: int) -> LinearPhysics:
    """The physics of one item: itself, or a copy with that item's parameters where it has some for each.

    Raises:
        ValueError: The copy does not measure that item as the whole does.
    """
    count = len(y)
    if count == 1:
        return physics
    with torch.no_grad():
        x = torch.randn(physics.A_adjoint(y).shape, generator=torch.Generator().manual_seed(0))
        x = x.to(y)
        whole = physics.A(x)[number]
        for each in (lambda: physics, lambda: _with_buffers_of(physics, number, count)):
            try:
                one = each()
                found = one.A(x[number : number + 1])
            except (RuntimeError, ValueError):  # shapes that do not fit
                continue
            fits = found.shape == (1, *whole.shape)
            if fits and float((found[0] - whole).norm()) <= _SAME * float(whole.norm()):
                return one
    raise ValueError(
        f"`physics` measures item {number} of {count} in a way that cannot be cut out. Pass one item at a time, with a "
        "physics of its own."
    )


def _with_buffers_of(physics: LinearPhysics, number: int, count: int) -> LinearPhysics:
    """A copy that keeps, of parameters with one row for each of `count` items, a single row."""
    copy = physics.clone()
    for module in copy.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.ndim > 1 and len(buffer) == count:
                setattr(module, name, buffer[number : number + 1])
    return copy
