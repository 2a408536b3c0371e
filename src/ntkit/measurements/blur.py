"""A field seen out of focus: its convolution with a kernel."""

from collections.abc import Sequence
from math import ceil
from typing import Literal

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, non_negative, per_axis, positive_int
from ntkit.measurements.bands import bands
from ntkit.measurements.base import AbstractMeasurement, Composed
from ntkit.measurements.rows import rows_of

__all__ = ["Blur"]

Border = Literal["reflect", "periodic", "zero", "inside"]
_REACH = 4.0  # standard deviations of a Gaussian: 6e-5 of it lies outside
_FARTHEST = 1e9  # pixels: wider than any field


class Blur(AbstractMeasurement):
    """The field's convolution with a kernel, `sum_j kernel[j] f[i + c - j]` with `c = size // 2`, on the same grid.

    Beyond its border the field is taken as `border` says: "reflect" (mirrored at its edge, `b a | a b`), "periodic",
    "zero", or "inside": nothing is assumed, and data are only where the whole kernel is on the field.

    Data have the field's shape, and groups are bands of their first axis; for blocks instead,
    `Samples.everywhere(A.data_shape) @ A`.

    Args:
        shape: Shape of the field.
        kernel: As many axes as the field, and used as it is: one that sums to one keeps the brightness. Or a number
            for a Gaussian of this standard deviation in pixels, cut off at four of them; or one number an axis.
        border: What is beyond the border.

    Raises:
        ValueError: The border is none of these.

    A kernel of other axes, or one that reaches farther than the field is wide, is refused.

    Example:
        >>> A = Blur((5,), torch.tensor([0.25, 0.5, 0.25]), border="zero")
        >>> A(torch.tensor([[4.0], [0.0], [4.0], [0.0], [8.0]])).flatten()
        tensor([2., 2., 2., 3., 4.])
    """

    def __init__(
        self,
        shape: Sequence[int],
        kernel: Float[Tensor, "..."] | float | Sequence[float],
        *,
        border: Border = "reflect",
    ) -> None:
        self.field_shape: tuple[int, ...] = tuple(positive_int("shape", n) for n in shape)
        self.kernel: Tensor = _kernel(kernel, self.field_shape)
        if border not in {"reflect", "periodic", "zero", "inside"}:
            raise ValueError(
                f'`border={border!r}` must be "reflect", "periodic", "zero" or "inside".'
            )
        self.border = border
        sizes = tuple(self.kernel.shape)
        if border == "inside":
            self.data_shape = tuple(n - k + 1 for n, k in zip(self.field_shape, sizes, strict=True))
        else:
            self.data_shape: tuple[int, ...] = self.field_shape

    @property
    def device(self) -> torch.device:
        """That of the kernel."""
        return self.kernel.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Bands along the first axis, about 24."""
        return bands(self.data_shape[0]).to(self.device)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Pad, then convolve where the kernel fits."""
        for axis, places in enumerate(self._padding(field.device)):
            field = torch.cat([field, torch.zeros_like(field.narrow(axis, 0, 1))], axis)
            field = field.index_select(axis, places)
        cut = [slice(k - 1, None) for k in self.kernel.shape]
        return self._filtered(field, self.kernel)[tuple(cut)]

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Correlate with the kernel, then add what is padded to where it came from."""
        before = [n for k in reversed(self.kernel.shape) for n in (k - 1, k - 1)]
        padded = torch.nn.functional.pad(data, (0, 0, *before))
        flipped = self.kernel.flip(tuple(range(self.kernel.ndim)))
        cut = [slice(k - 1, None) for k in self.kernel.shape]
        found = self._filtered(padded, flipped)[tuple(cut)]
        for axis, places in enumerate(self._padding(data.device)):
            sizes = list(found.shape)
            sizes[axis] = self.field_shape[axis] + 1
            found = found.new_zeros(sizes).index_add(axis, places, found)
            found = found.narrow(axis, 0, self.field_shape[axis])
        return found

    def _filtered(self, field: Tensor, kernel: Tensor) -> Tensor:
        """A circular convolution by FFT, of which what wraps around is cut off by whoever asks."""
        axes = tuple(range(kernel.ndim))
        sizes = field.shape[:-1]
        real = not field.is_complex()
        there, back = (
            (torch.fft.rfftn, torch.fft.irfftn) if real else (torch.fft.fftn, torch.fft.ifftn)
        )
        weights = there(kernel.to(field), s=sizes, dim=axes)[..., None]
        return back(there(field, dim=axes) * weights, s=sizes, dim=axes)

    def _padding(self, device: torch.device) -> list[Int[Tensor, " n"]]:
        """For each axis, which pixel each of the padded line is; one past the last is nothing."""
        found = []
        for n, k in zip(self.field_shape, self.kernel.shape, strict=True):
            centre = k // 2
            line = torch.arange(-(k - 1 - centre), n + centre, device=device)
            if self.border == "inside":
                line = torch.arange(n, device=device)
            elif self.border == "periodic":
                line = line % n
            elif self.border == "reflect":
                line = line % (2 * n)
                line = torch.minimum(line, 2 * n - 1 - line)
            else:
                line = torch.where((line < 0) | (line >= n), n, line)
            found.append(line)
        return found

    def __getitem__(self, rows: slice | Tensor) -> Composed:
        """Some rows; all are computed."""
        return rows_of(self, rows)

    def __repr__(self) -> str:
        return f"Blur({self.field_shape}, kernel of {tuple(self.kernel.shape)}, border={self.border!r})"


def _kernel(
    kernel: Float[Tensor, "..."] | float | Sequence[float], shape: tuple[int, ...]
) -> Float[Tensor, "..."]:
    """As it is given, in float64; Gaussian of a standard deviation.

    Raises:
        ValueError: There are not as many axes, or numbers, as axes of the field.
    """
    d = len(shape)
    if isinstance(kernel, Tensor) and kernel.ndim:
        if kernel.ndim != d:
            raise ValueError(f"`kernel` has shape {tuple(kernel.shape)}; {d} axes are needed.")
        _refuse_larger(tuple(kernel.shape), shape)
        return finite("kernel", floating_tensor("kernel", kernel)).detach().double()
    widths = [non_negative("kernel", width) for width in per_axis(kernel, d)]
    if len(widths) != d:
        raise ValueError(f"`kernel={kernel!r}` needs one number, or one for each of {d} axes.")
    reaches = [ceil(min(_REACH * width, _FARTHEST)) for width in widths]
    _refuse_larger(tuple(2 * reach + 1 for reach in reaches), shape)  # before it is built
    found = torch.ones((), dtype=torch.float64)
    for width, reach in zip(widths, reaches, strict=True):
        x = torch.arange(-reach, reach + 1, dtype=torch.float64)
        line = torch.exp(-(x**2) / 2 / width**2) if width else torch.ones_like(x)
        found = found[..., None] * (line / line.sum())
    return found


def _refuse_larger(sizes: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Refuse a kernel that is wider than the field.

    Raises:
        ValueError: It is.
    """
    if any(k > n for k, n in zip(sizes, shape, strict=True)):
        raise ValueError(
            f"`kernel` has shape {sizes}, and the field {shape}: it must not be larger."
        )
