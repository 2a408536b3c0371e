"""What a stationary kernel says of Fourier samples of a single coil, from the kernel's lags instead of fields."""

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

from ntkit.measurements import Fourier
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus

__all__ = ["fourier_covariances", "fourier_variances", "is_one_coil"]

_AT_ONCE = 2**21
"""Complex numbers that are held at a time."""


def is_one_coil(system: System) -> bool:
    """Whether the data are Fourier samples of the field itself, for which these formulas hold."""
    return isinstance(system.measurement, Fourier) and system.measurement.coils is None


def fourier_covariances(
    system: System,
    torus: Torus,
    spectra: Sequence[Float[Tensor, "..."]],
    rows: Int[Tensor, " n"],
) -> list[Complex[Tensor, "n n"]]:
    """`A K A^H` among some samples, for several kernels.

    With `q` and `r` the frequencies of two samples, `c = shape // 2` and lags `h`, their entry is `sum_h K(h) prod_a w(h_a; q_a, r_a)`,

        w(h; q, r) = 1/n exp(-2 pi i q h / n) sum_x exp(2 pi i (r - q) (x - c) / n),    x and x + h in 0 .. n - 1.

    One axis is summed at a time, the first one for all pairs that share their frequencies along it.

    Args:
        system: Whose measurement is of one coil.
        torus: Around the field.
        spectra: Of the kernels on it.
        rows: Which samples.

    Cost: `min(n^2 / 2, shape[0]^2)` times the kernel's lags, in multiply-adds; by fields, `n` Fourier transforms of the torus each
    way for every kernel.
    """
    first, second = torch.triu_indices(len(rows), len(rows))
    along = [
        _overlaps(q[first], q[second], n)
        for q, n in zip(_frequencies(system, rows), torus.shape, strict=True)
    ]
    root = torch.ones(len(rows)).double() if system.weights is None else system.weights[rows].sqrt()
    found = []
    for spectrum in spectra:
        values = _summed(_lags(torus, spectrum), along)
        entries = values.new_empty(len(rows), len(rows))
        entries[second, first] = values.conj()
        entries[first, second] = values
        found.append(root[:, None] * entries * root)
    return found


def fourier_variances(
    system: System, torus: Torus, spectrum: Float[Tensor, "..."]
) -> Float[Tensor, " m"]:
    """The diagonal of `A K A^H`, of all samples: the transform of the lags, each by how many pairs of points have it.

    Source: T. Chan 1988, eq. 7: the circulant matrix that is nearest to `K`.
    """
    lags = _lags(torus, spectrum)
    shape = system.measurement.field_shape
    for axis, n in enumerate(shape):
        share = 1 - torch.arange(1 - n, n, dtype=lags.dtype).abs() / n
        lags = lags * share.reshape([-1 if a == axis else 1 for a in range(lags.ndim)])
        below, rest = lags.split([n - 1, n], axis)
        lags = rest.clone()  # a lag and the one that is shorter by `n` have the same phases
        lags.narrow(axis, 1, n - 1).add_(below)
    values = torch.fft.fftn(lags).real.clamp_min(0)
    where = _frequencies(system, torch.arange(system.n_data))
    found = values[tuple(q % n for q, n in zip(where, shape, strict=True))]
    return found if system.weights is None else found * system.weights


def _frequencies(system: System, rows: Int[Tensor, " n"]) -> list[Int[Tensor, " n"]]:
    """Of samples, along each axis, 0 in the middle."""
    A = system.measurement
    assert isinstance(A, Fourier), "asked by `is_one_coil`"
    places = torch.unravel_index(A.index.cpu()[rows], A.field_shape)
    return [place - n // 2 for place, n in zip(places, A.field_shape, strict=True)]


def _lags(torus: Torus, spectrum: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """The kernel from lag `1 - n` to `n - 1` along each axis."""
    found = torus.on_torus(spectrum.to(torch.complex128))
    for axis, n in enumerate(torus.shape):
        found = found.roll(n - 1, axis).narrow(axis, 0, 2 * n - 1)
    return found.contiguous()


def _overlaps(
    q: Int[Tensor, " p"], r: Int[Tensor, " p"], n: int
) -> tuple[Complex[Tensor, "u h"], Int[Tensor, " p"]]:
    """`w` of each pair of frequencies that occurs, and which of them each pair has."""
    turns, which = torch.unique(q % n * n + (r - q) % n, return_inverse=True)
    own, apart = turns // n, turns % n
    h, x, steps = torch.arange(1 - n, n), torch.arange(n), torch.arange(n)[:, None]

    def turned(count: Tensor) -> Tensor:
        """Whole numbers are taken modulo `n` before they are angles."""
        return torch.polar(torch.ones(()).double(), 2 * torch.pi / n * (count % n).double())

    sums = torch.nn.functional.pad(turned(steps * (x - n // 2)).cumsum(1), (1, 0))
    within = sums[:, (n - h).clamp_max(n)] - sums[:, (-h).clamp_min(0)]
    return turned(-steps * h)[own] * within[apart] / n, which


def _summed(
    lags: Float[Tensor, "..."], along: list[tuple[Complex[Tensor, "_ _"], Int[Tensor, " p"]]]
) -> Complex[Tensor, " p"]:
    """The sum over lags, for each pair."""
    (first, which), *others = along
    found = torch.empty(len(which), dtype=torch.complex128)
    order = which.argsort()
    starts = torch.searchsorted(which[order], torch.arange(len(first) + 1))
    size, table = max(1, _AT_ONCE // prod(lags.shape[1:])), lags.reshape(len(lags), -1)
    for k in range(0, len(first), size):
        some = first[k : k + size]
        part = torch.complex(*(side @ table for side in (some.real, some.imag)))
        for pairs in order[starts[k] : starts[min(k + size, len(first))]].split(size):
            left = part[which[pairs] - k].reshape(len(pairs), *lags.shape[1:])
            for weights, own in others:
                rest = left.shape[2:]
                left = left.reshape(len(pairs), weights.shape[1], -1)
                left = torch.bmm(weights[own[pairs]][:, None], left).reshape(len(pairs), *rest)
            found[pairs] = left.flatten()
    return found
