"""A field's Fourier transform at any frequencies: radial, spiral and other paths through k-space."""

from collections.abc import Sequence
from math import pi, prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float, Int, Shaped
from torch import Tensor

from ntkit._core.checks import finite, floating_tensor, positive_int
from ntkit.measurements.base import AbstractMeasurement, numbered, row_numbers
from ntkit.measurements.coils import as_complex, checked_coils, combine, spread
from ntkit.measurements.linear import linear

__all__ = ["NonuniformFourier"]

_RUNS = 64  # groups of samples in a row, where no axis says what belongs together
_ACCURACY = {torch.complex128: 1e-12, torch.complex64: 1e-6}
"""Relative error that FINUFFT is asked for: the rounding of each type, and a few digits or one to spare, as its cost grows
with each."""


class NonuniformFourier(AbstractMeasurement):
    """The Fourier transform at `points`: `[samples]`, or `[samples, coils]`. Needs finufft, extra `mri`.

    `sum_x f(x) exp(-2 pi i k.(x - c) / shape) / sqrt(prod(shape))` with `c = shape // 2`: at whole numbers `k` what
    `Fourier` measures. To a relative 1e-12, or 1e-6 in complex64; the adjoint is the transpose to rounding.

    A group is all samples of one entry of the first axis of `points` `[spokes, samples, d]`; of points `[n, d]`, one of
    64 runs of samples one after the other.

    Args:
        shape: Shape of the field, of one to three axes.
        points: Frequencies in cycles per side of the field, from `-shape / 2` to `shape / 2`.
        coils: Sensitivities `[c, *shape]`, complex.
        groups: `[samples]`, whole numbers, instead of those above.

    Raises:
        ValueError: The points have another shape, or are out of range.

    Source: Barnett, Magland and af Klinteberg 2019 (arXiv:1808.06736).

    Example:
        >>> A = NonuniformFourier((8,), torch.tensor([[0.0], [0.5]]))
        >>> A(torch.ones(8, 1)).abs().flatten() * 8**0.5
        tensor([8.0000, 5.1258])
    """

    dtype: torch.dtype = torch.complex128
    is_complex = True

    def __init__(
        self,
        shape: Sequence[int],
        points: Float[Tensor, "*n d"],
        coils: Complex[Tensor, "c ..."] | None = None,
        *,
        groups: Int[Tensor, " n"] | None = None,
    ) -> None:
        self.field_shape: tuple[int, ...] = tuple(positive_int("shape", n) for n in shape)
        d = len(self.field_shape)
        if d > 3:
            raise ValueError(f"`shape={self.field_shape}` must have one to three axes.")
        floating_tensor("points", points)
        if points.ndim not in {2, 3} or points.shape[-1] != d or not points.numel():
            raise ValueError(
                f"`points` has shape {tuple(points.shape)}; [n, {d}] or [spokes, n, {d}] is needed."
            )
        self.points: Tensor = finite("points", points).detach().reshape(-1, d).double()
        if bool((self.points.abs() > self.points.new_tensor(self.field_shape) / 2).any()):
            raise ValueError(
                f"`points` go up to {float(self.points.abs().max()):g}; cycles per side of the field are needed, at most "
                "half of the samples along each axis. Of radians per sample, `points * shape / (2 * pi)`."
            )
        self.coils: Tensor | None = checked_coils(coils, self.field_shape)
        self._labels = _runs(points) if groups is None else groups
        if len(self._labels) != len(self.points):
            raise ValueError(
                f"`groups` has {len(self._labels)} numbers; one for each of {len(self.points)} samples is needed."
            )
        _finufft()

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Samples, and coils if there are any."""
        n = len(self.points)
        return (n,) if self.coils is None else (n, len(self.coils))

    @property
    def device(self) -> torch.device:
        """The CPU: data on another device travel."""
        return self.points.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """Spokes, or runs."""
        return numbered(self._labels)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
        views = torch.stack(list(spread(field, self.coils)))
        seen = views.movedim((0, 1), (-1, -2)).flatten(-2)
        found = linear(self._sample, self._smear, seen)
        return found.reshape(*self.data_shape, -1)

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Complex[Tensor, "..."]:
        found = linear(self._smear, self._sample, as_complex(data).flatten(1))
        outputs = data.shape[-1]
        seen = found.unflatten(-1, (-1, outputs)).movedim((-1, -2), (0, 1))
        return torch.stack([combine(one, self.coils) for one in seen], -1)

    def _sample(self, field: Complex[Tensor, "..."]) -> Complex[Tensor, "n o"]:
        """Onto the points."""
        return self._transform(2, field.movedim(-1, 0)).T

    def _smear(self, data: Complex[Tensor, "n o"]) -> Complex[Tensor, "..."]:
        """From the points."""
        return self._transform(1, data.T).movedim(0, -1)

    def _transform(self, kind: int, values: Tensor) -> Tensor:
        """Those of finufft of type 1 or 2, of several transforms at once."""
        eps, single = _ACCURACY[values.dtype], values.dtype == torch.complex64
        plan = _finufft().Plan(
            kind,
            self.field_shape,
            n_trans=len(values),
            eps=eps,
            isign=-1 if kind == 2 else 1,
            dtype="complex64" if single else "complex128",
            nthreads=torch.get_num_threads(),
        )
        angles = self.points.cpu().numpy() * (2 * pi / np.array(self.field_shape))
        angles = angles.astype(np.float32 if single else np.float64)
        plan.setpts(*(np.ascontiguousarray(angles[:, k]) for k in range(angles.shape[1])))
        given = values.detach().resolve_conj().cpu().contiguous().numpy()
        found = torch.from_numpy(plan.execute(given[0] if len(given) == 1 else given))
        found = found[None] if len(given) == 1 else found
        return found.to(values.device) / prod(self.field_shape) ** 0.5

    def __getitem__(self, rows: slice | Tensor) -> "NonuniformFourier":
        """Some of the samples, of all coils."""
        picked = row_numbers(rows, len(self.points)).to(self.device)
        return NonuniformFourier(
            self.field_shape, self.points[picked], self.coils, groups=self._labels[picked]
        )


def _runs(points: Float[Tensor, "*n d"]) -> Int[Tensor, " n"]:
    """Numbers of spokes, or of runs of points."""
    if points.ndim == 3:
        spokes = torch.arange(len(points), device=points.device)
        return spokes.repeat_interleave(points.shape[1])
    n = len(points)
    return torch.arange(n, device=points.device) * min(n, _RUNS) // n


def _finufft() -> Any:
    """The package.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import finufft
    except ImportError as error:
        raise ImportError(
            "`NonuniformFourier` needs finufft: `pip install 'ntkit[mri]'`."
        ) from error
    return finufft
