"""Sensitivities of receiver coils, from the middle of k-space."""

import torch
from jaxtyping import Bool, Complex
from torch import Tensor

__all__ = ["coil_maps"]

_LEAST = 8
"""Samples along each axis: of fewer, maps are too smooth to tell coils apart."""

_MOST = 32
"""Coils vary slowly; more of k-space brings noise and the object's own phase."""


def coil_maps(
    kspace: Complex[Tensor, "c ..."], mask: Bool[Tensor, "..."]
) -> tuple[Complex[Tensor, "c ..."], tuple[int, ...]]:
    """Sensitivities `[c, *shape]` whose squares add up to one, and the size of the part of k-space they come from.

    Each coil's picture from the largest block in the middle of k-space without a gap (up to 32 along each axis, faded
    out with a Hann window), over the root of the sum of their squares. Where nothing emits, they are noise.

    Args:
        kspace: `[c, *shape]`, centred.
        mask: `[*shape]`, True where it was measured.

    Raises:
        ValueError: The middle of k-space has gaps.

    Source: McKenzie et al. 2002, Magnetic Resonance in Medicine 47(3) (self-calibrating parallel imaging).

    Example:
        >>> flat = torch.zeros(2, 16, 16, dtype=torch.complex128)
        >>> flat[:, 8, 8] = torch.tensor([3.0, 4.0])  # two coils that see a constant
        >>> maps, block = coil_maps(flat, torch.ones(16, 16, dtype=torch.bool))
        >>> maps[:, 5, 5].real
        tensor([0.6000, 0.8000], dtype=torch.float64)
    """
    block = _block(mask)
    sizes = tuple(part.stop - part.start for part in block)
    if any(size < min(_LEAST, n) for size, n in zip(sizes, mask.shape, strict=True)):
        raise ValueError(
            f"The middle of k-space ({len(kspace)} coils of {' x '.join(map(str, mask.shape))}) has gaps: the largest block "
            f"without one is {' x '.join(map(str, sizes))}, too small to find the coils' sensitivities from ({_LEAST} along "
            "each axis are needed). Pass them: `--coils`."
        )
    middle = torch.zeros_like(kspace)
    inside = (slice(None), *block)
    middle[inside] = kspace[inside] * _window(sizes).to(kspace)
    dims = tuple(range(1, kspace.ndim))
    seen = torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(middle, dims), dim=dims), dims)
    size = seen.abs().square().sum(0).sqrt()
    floor = 1e-6 * size.max()  # where nothing emits, 0 / 0
    return seen / size.clamp_min(floor), sizes


def _block(mask: Bool[Tensor, "..."]) -> tuple[slice, ...]:
    """The largest block around the middle that is measured throughout, grown on all sides in turn."""
    low = [n // 2 for n in mask.shape]
    high = [c + 1 for c in low]
    grows = {(axis, side): True for axis in range(mask.ndim) for side in (-1, 1)}
    while any(grows.values()):
        for axis, side in grows:
            first, last = low[axis] - (side < 0), high[axis] + (side > 0)
            wider = [slice(a, b) for a, b in zip(low, high, strict=True)]
            wider[axis] = slice(first, last)
            fits = first >= 0 and last <= mask.shape[axis] and last - first <= _MOST
            grows[axis, side] = fits and bool(mask[tuple(wider)].all())
            if grows[axis, side]:
                low[axis], high[axis] = first, last
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _window(sizes: tuple[int, ...]) -> Tensor:
    """Hann's along each axis, without its zeros."""
    found = torch.ones(sizes, dtype=torch.float64)
    for axis, n in enumerate(sizes):
        along = torch.hann_window(n + 2, periodic=False, dtype=torch.float64)[1:-1]
        shape = [1] * len(sizes)
        shape[axis] = n
        found = found * along.reshape(shape)
    return found
