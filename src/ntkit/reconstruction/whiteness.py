"""Whether what is left of the data is noise: its autocorrelation."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["Whiteness", "whiteness"]

_LAGS = 8  # samples along each axis, both ways; the number that is reported is that of neighbours


@dataclass(frozen=True, eq=False)
class Whiteness:
    """How much of a residual's value its neighbours tell.

    Attributes:
        autocorrelation: `[2 k + 1, ...]`, over distances along each axis, from -1 to 1, 1 in the middle; NaN where no
            two values are so far from each other.
        neighbours: Correlation of values beside each other, along the axis where it is largest in size.
        chance: Standard deviation of that number for white noise.

    Example:
        >>> to_and_fro = torch.tensor([1.0, -1.0]).repeat(32)
        >>> whiteness(to_and_fro).neighbours, whiteness(to_and_fro).chance < 0.2
        (-1.0, True)
    """

    autocorrelation: Float[Tensor, "..."]
    neighbours: float
    chance: float


def whiteness(residual: Shaped[Tensor, "..."], lags: int = _LAGS) -> Whiteness:
    """The autocorrelation of a residual on a grid, of what was measured alone.

    Args:
        residual: `[*shape]`, real or complex, NaN where nothing was measured.
        lags: Largest distance, in samples.

    Raises:
        ValueError: Nothing was measured, or the residual is 0.

    Example:
        >>> noise = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)).double()
        >>> found = whiteness(noise)
        >>> abs(found.neighbours) < 3 * found.chance
        True
        >>> whiteness(noise.cumsum(1)).neighbours > 0.9
        True
    """
    known = ~torch.isnan(residual.real if residual.is_complex() else residual)
    values = torch.where(known, residual, 0)
    values = torch.where(known, values - values.sum() / known.sum(), 0)
    squares = values.abs().square()
    if not float(squares.sum()) > 0:
        raise ValueError("`residual` is constant: it has no autocorrelation.")
    here = known.double()
    sums, counts = _pairs(values, values, lags), _pairs(here, here, lags).round()
    # Over what the two partners of the pairs are in size, and not all values: it stays within -1 and 1.
    first = _pairs(squares, here, lags).clamp_min(0)
    power = (first * first.flip(tuple(range(first.ndim)))).sqrt()
    least = 1e-12 * squares.max()  # of rounding; what is so small is 0
    found = torch.where(power > least, sums / power.clamp_min(least), 0.0).clamp(-1, 1)
    found = torch.where(counts > 0, found, torch.nan)
    neighbours, chance = 0.0, 0.0
    real_numbers = 2 if residual.is_complex() else 1
    middle = [n // 2 for n in found.shape]
    for axis in range(found.ndim):
        at = list(middle)
        at[axis] += 1
        if at[axis] < found.shape[axis] and counts[tuple(at)] > 0:
            value = float(found[tuple(at)])
            if chance == 0 or abs(value) > abs(neighbours):
                neighbours, chance = value, (real_numbers * float(counts[tuple(at)])) ** -0.5
    return Whiteness(found, neighbours, chance)


def _pairs(values: Tensor, others: Tensor, lags: int) -> Float[Tensor, "..."]:
    """Sums of products over pairs at each distance up to `lags` along each axis, by a Fourier transform of the size and `lags`."""
    dims = tuple(range(values.ndim))
    reach = [min(lags, n - 1) for n in values.shape]
    sizes = [n + k for n, k in zip(values.shape, reach, strict=True)]
    one, other = (torch.fft.fftn(v, s=sizes, dim=dims) for v in (values, others))
    spectrum = one * other.conj()
    sums = torch.fft.fftshift(torch.fft.ifftn(spectrum, dim=dims).real, dims)
    cut = [slice(n // 2 - k, n // 2 + k + 1) for n, k in zip(sizes, reach, strict=True)]
    return sums[tuple(cut)]
