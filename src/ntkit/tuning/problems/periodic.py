"""A grid with whole-cycle frequencies: one FFT for all layers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.modes import Modes, Trajectory, bin_modes
from ntkit.kernels.infinite import InfiniteKernel, ntk
from ntkit.measurements import Samples
from ntkit.tuning.problems.base import AbstractProblem

__all__ = ["PeriodicProblem"]


@dataclass(frozen=True, init=False)
class PeriodicProblem(AbstractProblem):
    """Whole-cycle frequencies on a grid: every layer is diagonal under one FFT.

    Judged on the samples between those trained on. Where all are trained on, by leaving each out in turn: with
    `W` the weights of the learned function in the modes, `f = K W y`, the error at a sample that was left out
    is `(W y)_i / W_ii`. That is exact for a kernel ridge, and for gradient flow at its start and its end.

    Args:
        network: Stationary encoding of whole cycles, then layers.
        signal: `[*shape, o]`, float64, with a multiple of `step` samples along each axis.
        step: Every so many-th sample along each axis is trained on.

    Source: Craven and Wahba 1979, for a circulant kernel, whose `W_ii` are all alike.
    """

    modes: Modes
    _bins: Tensor = field(repr=False)
    _spectra: list[tuple[Tensor, Tensor]] = field(
        repr=False
    )  # a coset: layers `[g, 2, ...]`, target
    _residual: Tensor = field(repr=False)
    _cuts: tuple[tuple[slice, ...], ...] = field(repr=False)  # of a grid: trained on, then cosets
    _shape: tuple[int, ...] = field(repr=False)

    def __init__(self, network: nn.Module, signal: Float[Tensor, "..."], step: int = 2) -> None:
        shape, o = signal.shape[:-1], signal.shape[-1]
        d = len(shape)
        kernel: InfiniteKernel = ntk(network, variances="default")
        table = _wrapped_table(kernel, shape)
        samples = Samples.every(shape, step)
        train = samples.lattice or ()
        axes = list(range(1, d + 1))
        half = table[(slice(None), *train)]
        n = half[0].numel()
        eigenvalues = torch.fft.rfftn(half, dim=axes).real.clamp_min(0)
        residual = torch.fft.rfftn(signal[train].movedim(-1, 0), dim=axes) / sqrt(n)
        share = _conjugates(half.shape[1:], eigenvalues.shape[1:])
        bins = bin_modes(eigenvalues.sum(0).flatten())
        size = int(bins.max()) + 1
        count = torch.bincount(bins, weights=share.flatten(), minlength=size)
        energy = (residual.abs() ** 2).sum(0) * share
        modes = Modes(
            eigenvalues=torch.stack([
                torch.bincount(bins, weights=(layer * share).flatten(), minlength=size) / count
                for layer in eigenvalues
            ]),
            energy=torch.bincount(bins, weights=energy.flatten(), minlength=size),
            multiplicity=count,
            diagonal=table.flatten(1)[:, 0].clone(),  # or it would keep the whole table
            sizes=torch.tensor(kernel.layer_sizes(), dtype=torch.float64),
            norms=torch.tensor(kernel.layer_norms(), dtype=torch.float64),
            n_samples=n,
            n_outputs=o,
        )
        spectra, whole = [], share.sqrt()  # scaled so that a norm counts the conjugates too
        for cut in samples.cosets():
            target = torch.fft.rfftn(signal[cut].movedim(-1, 0), dim=axes) * whole / sqrt(n)
            layers = torch.fft.rfftn(table[(slice(None), *cut)], dim=axes)
            spectra.append((torch.stack([layers.real, layers.imag], 1), target))
        for name, value in {
            "modes": modes,
            "_bins": bins.reshape(eigenvalues.shape[1:]),
            "_spectra": spectra,
            "_residual": residual * whole,
            "_cuts": (train, *samples.cosets()),
            "_shape": tuple(shape),
        }.items():
            object.__setattr__(self, name, value)

    def held_out_error(self, run: Trajectory) -> Float[Tensor, " s"]:
        """By Parseval's identity, without leaving Fourier space."""
        if not self._spectra:
            return _left_out_error(self.modes, run.weights)
        errors = []
        for moment in run.weights:
            spread = moment[:, self._bins]
            total = 0.0
            for layers, target in self._spectra:
                gain = layers[0] * spread[0]
                for layer, factor in zip(layers[1:], spread[1:], strict=True):
                    gain.addcmul_(layer, factor)
                missed = self._residual * torch.complex(*gain)
                parts = torch.view_as_real(missed.sub_(target)).flatten()
                total += float(parts @ parts)
            errors.append(total)
        scale = self.modes.n_samples * self.modes.n_outputs * len(self._spectra)
        return torch.tensor(errors, dtype=torch.float64) / scale

    def learned(self, run: Trajectory) -> Float[Tensor, "s ..."]:
        """The function learned, at all samples: `[s, *shape, o]`, at the moments of a trajectory of `modes`.

        Its errors are `modes.error` on the samples trained on, and `held_out_error` between them.
        """
        train = self._cuts[0]
        found = torch.empty(len(run.decay), *self._shape, self.modes.n_outputs, dtype=torch.float64)
        for moment, decay, weights in zip(found, run.decay, run.weights, strict=True):
            moment[train] = self._samples((1 - decay)[self._bins])
            for cut, (layers, _) in zip(self._cuts[1:], self._spectra, strict=True):
                gain = torch.einsum("gc...,g...->c...", layers, weights[:, self._bins])
                moment[cut] = self._samples(torch.complex(*gain))
        return found

    def _samples(self, gain: Tensor) -> Float[Tensor, "..."]:
        """The residual times a gain, out of Fourier space: `[*half, o]`."""
        full = tuple(len(range(n)[c]) for n, c in zip(self._shape, self._cuts[0], strict=True))
        spectrum = self._residual / _conjugates(full, gain.shape).sqrt() * gain
        axes = list(range(1, len(full) + 1))
        out = torch.fft.irfftn(spectrum * sqrt(self.modes.n_samples), s=full, dim=axes)
        return out.movedim(0, -1)


def _wrapped_table(kernel: InfiniteKernel, shape: Sequence[int]) -> Float[Tensor, "g ..."]:
    """Every layer at every lag of the unit torus; half is computed, `K(-lag) = K(lag)` the rest."""
    lags = [torch.arange(n, dtype=torch.float64) / n for n in shape]
    last = shape[-1]
    half = kernel.layer_table([*lags[:-1], lags[-1][: last // 2 + 1]], tolerance=1e-8)
    mirrored = half[..., 1 : (last + 1) // 2]
    axes = list(range(1, half.ndim))
    mirrored = mirrored.flip(axes)
    if len(axes) > 1:
        mirrored = mirrored.roll([1] * (len(axes) - 1), axes[:-1])  # lag 0 stays lag 0
    return torch.cat([half, mirrored], -1)


def _conjugates(full: Sequence[int], half: Sequence[int]) -> Float[Tensor, "..."]:
    """How many entries of the full FFT each entry of `rfftn`'s layout stands for: 1 or 2."""
    share = torch.full(tuple(half), 2.0, dtype=torch.float64)
    share[..., 0] = 1
    if full[-1] % 2 == 0:
        share[..., -1] = 1
    return share


def _left_out_error(modes: Modes, weights: Float[Tensor, "s g k"]) -> Float[Tensor, " s"]:
    """Mean square of `(W y)_i / W_ii`.

    Layers that learn at different rates have weights in a fixed proportion, so that any positive mixture of
    them is `W` but for a factor, which cancels: here by what each adds to `K(x, x)`.
    """
    mixed = torch.einsum("g,sgk->sk", modes.diagonal, weights)
    mixed = mixed / mixed.amax(1, keepdim=True).clamp_min(1e-300)
    square = (mixed**2 * modes.energy).sum(1) / (modes.n_samples * modes.n_outputs)
    diagonal = (mixed * modes.multiplicity).sum(1) / modes.n_samples
    return square / diagonal**2
