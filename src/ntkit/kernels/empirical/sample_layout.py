"""Which entries of a tensor inside the network belong to which sample."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ntkit.kernels.empirical.field import Field

__all__ = ["SampleLayout", "find_layout"]

_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}


@dataclass(frozen=True)
class SampleLayout:
    """Samples along one axis, each with the same number of entries on it.

    Attributes:
        axis: The axis.
        per_sample: Its entries for each sample, 1 where it is the axis of the samples itself.
        samples_last: Whether the samples change faster along it (token-major rows).
    """

    axis: int
    per_sample: int
    samples_last: bool

    def by_sample(self, t: Tensor, offset: int = 0) -> Tensor:
        """`t` as `[..., n, per_sample, others]`: a view, after `offset` axes that are left alone."""
        axis, t_per = self.axis + offset, self.per_sample
        n = t.shape[axis] // t_per
        if self.samples_last:
            t = t.unflatten(axis, (t_per, n)).movedim((axis + 1, axis), (offset, offset + 1))
        else:
            t = t.unflatten(axis, (n, t_per)).movedim((axis, axis + 1), (offset, offset + 1))
        return t

    def is_in_order(self, field: Field, n: int) -> bool:
        """Whether the places of a field are those of `n` samples one after the other, as many of each."""
        if field.places is None or len(field.places) % n:
            return False
        along = field.places // prod(field.shape[self.axis + 1 :]) % field.shape[self.axis]
        sample = along % n if self.samples_last else along // self.per_sample
        each = torch.arange(n, device=sample.device).repeat_interleave(len(sample) // n)
        return torch.equal(sample, each)

    def fits(self, size: int, n: int) -> bool:
        """Whether an axis of this size holds `n` samples like those that were probed."""
        return size == n * self.per_sample

    def holds(self, once: Tensor, graded: Tensor, n: int) -> bool:
        """Whether samples lie like this in a gradient, from what `find_layout` takes."""
        if not once.numel() or once.shape[self.axis] != n * self.per_sample:
            return not once.numel()
        place = torch.arange(once.shape[self.axis], device=once.device)
        sample = place % n if self.samples_last else place // self.per_sample
        shape = [1] * once.ndim
        shape[self.axis] = len(place)
        factor = (sample + 1).to(once.dtype).reshape(shape)
        bound = _TOLERANCE.get(once.dtype, 0.1) * float(graded.abs().max())
        return float((once * factor - graded).abs().max()) <= bound


def find_layout(once: Tensor, graded: Tensor, n: int) -> SampleLayout | None:
    """The layout of a gradient, from that of all samples and that of `i + 1` times sample `i`.

    None where no axis tells the samples apart: they are mixed, or too few of the entries are hit
    for a decision.
    """
    axes = [axis for axis, size in enumerate(once.shape) if not size % n]
    if not axes or not graded.numel() or not float(graded.abs().max()):
        return None
    found: list[SampleLayout] = []
    for axis in axes:
        size = once.shape[axis]
        for last in (False, True) if size > n > 1 else (False,):
            layout = SampleLayout(axis, size // n, last)
            if layout.holds(once, graded, n):
                found.append(layout)
    return found[0] if len(found) == 1 else None
