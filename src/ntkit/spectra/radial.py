"""Spectra over the distance from zero frequency, of kernels and of signals on grids."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.grids import Grid
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.gram import gram
from ntkit.operators.toeplitz import ToeplitzOperator
from ntkit.solvers.conjugate_gradients import chan_circulant

__all__ = ["kernel_spectrum", "power_left", "power_spectrum"]


def kernel_spectrum(
    kernel: AbstractKernel, shape: Sequence[int]
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """How fast a stationary kernel on the unit grid learns each frequency, over all directions.

    The Rayleigh quotient `e_k* K e_k / n` of the Gram matrix with the Fourier mode of frequency
    `k`, over the number of samples: in gradient flow the mode decays at about the rate `n` times
    that. It is an eigenvalue where the kernel has period 1.

    Args:
        kernel: Stationary kernel.
        shape: Samples along each axis of `[0, 1)^d`.

    Returns:
        Frequencies (cycles per unit, whole numbers up to half of the shortest axis) and the mean
        over the modes at each.

    Example:
        >>> import ntkit
        >>> net = ntkit.networks.mlp(ntkit.encodings.Basic(1), 1, width=64, depth=2)
        >>> frequency, eigenvalue = kernel_spectrum(ntkit.ntk(net), (64,))
        >>> bool(eigenvalue[1] > eigenvalue[16])  # spectral bias
        True
    """
    op = gram(kernel, Grid(shape), structure="toeplitz")
    assert isinstance(op, ToeplitzOperator)
    table = chan_circulant(op).table
    return _radial(torch.fft.fftn(table).real / table.numel(), tuple(table.shape))


def power_spectrum(values: Float[Tensor, "..."]) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Mean squared Fourier coefficient of a signal `[*shape, o]` at each distance from zero.

    A Hann window along each axis keeps the edges, which do not match, from filling the spectrum.

    Returns:
        Frequencies (cycles per unit) and the mean power of a coefficient at each.

    Example:
        >>> x = torch.arange(16) / 16
        >>> radius, power = power_spectrum(torch.cos(2 * torch.pi * 3 * x)[:, None])
        >>> float(radius[power.argmax()])
        3.0
    """
    shape = tuple(values.shape[:-1])
    channels = values.double().movedim(-1, 0).contiguous()  # strided transforms take thrice as long
    centred = channels - channels.flatten(1).mean(1).reshape(-1, *(1 for _ in shape))
    for axis, n in enumerate(shape):
        window = torch.hann_window(n, dtype=torch.float64) * (8 / 3) ** 0.5
        centred *= window.reshape([-1 if k == axis else 1 for k in range(len(shape))])
    half = torch.fft.rfftn(centred, dim=list(range(1, len(shape) + 1)))
    square = torch.view_as_real(half).square().sum((0, -1)) / centred[0].numel() ** 2
    return _radial(square, shape)


def power_left(
    power: Float[Tensor, " r"], rate: Float[Tensor, " r"], time: float
) -> Float[Tensor, " r"]:
    """Of a signal's power at each frequency, what gradient flow has not learned yet: `power * exp(-2 rate time)`.

    Args:
        power: Of the signal, as `power_spectrum` gives it.
        rate: Of a kernel at the same frequencies, as `kernel_spectrum` gives it.
        time: Of gradient flow, times the number of samples, by which those rates are divided.

    Example:
        >>> power_left(torch.tensor([4.0, 1.0]), torch.tensor([1.0, 0.0]), 0.5 * float(torch.tensor(2.0).log()))
        tensor([2., 1.])
    """
    return power * torch.exp(-2 * rate * time)


def _radial(spectrum: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean over shells of unit width around whole distances, up to the shortest axis's Nyquist.

    Args:
        spectrum: Of all frequencies, or of those that `rfftn` keeps.
        shape: Samples along each axis.
    """
    shells, share, count = _shells(shape, spectrum.shape[-1])
    total = torch.bincount(shells, weights=(spectrum * share).flatten())
    top = min(shape) // 2 + 1
    return torch.arange(top, dtype=torch.float64), (total / count)[:top]


@lru_cache(maxsize=8)
def _shells(shape: tuple[int, ...], last: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which shell each frequency is in, how many frequencies it stands for, and how many a shell has."""
    axes = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in shape]
    axes[-1] = axes[-1][:last]
    shells = torch.stack(torch.meshgrid(*axes, indexing="ij")).norm(dim=0).round().long().flatten()
    share = torch.ones(last, dtype=torch.float64)
    if last < shape[-1]:  # the others are conjugates of those within
        share[1 : (shape[-1] + 1) // 2] = 2
    weights = share.expand(*shape[:-1], last)
    return shells, share, torch.bincount(shells, weights=weights.flatten()).clamp_min(1)
