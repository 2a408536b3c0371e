"""A signal and an encoding as a training problem: modes to train, held-out points to judge."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.modes import Modes, bin_modes
from ntkit.grids import Grid
from ntkit.kernels.infinite import InfiniteKernel, ntk
from ntkit.solvers.pivoted_cholesky import pivoted_cholesky
from ntkit.tasks.signals import every_other

_JUDGED = 16_384

__all__ = ["AbstractProblem", "LowRankProblem", "PeriodicProblem"]


class AbstractProblem(ABC):
    """A network to be trained on every other sample of a signal.

    Attributes:
        modes: The training points.
    """

    modes: Modes

    @abstractmethod
    def held_out_error(self, weights: Float[Tensor, "s g k"]) -> Float[Tensor, " s"]:
        """Mean square error on the samples not trained on, for the weights of a `Trajectory`."""


@dataclass(frozen=True, init=False)
class PeriodicProblem(AbstractProblem):
    """Whole-cycle frequencies on a grid of even shape: every layer is diagonal under one FFT.

    Args:
        network: Stationary encoding of whole cycles, then layers.
        signal: `[*shape, o]`, float64, even along each axis.
    """

    modes: Modes
    _bins: Tensor = field(repr=False)
    _spectra: list[tuple[Tensor, Tensor]] = field(
        repr=False
    )  # a coset: layers `[g, 2, ...]`, target
    _residual: Tensor = field(repr=False)

    def __init__(self, network: nn.Module, signal: Float[Tensor, "..."]) -> None:
        shape, o = signal.shape[:-1], signal.shape[-1]
        d = len(shape)
        kernel: InfiniteKernel = ntk(network, variances="default")
        table = _wrapped_table(kernel, shape)
        train = every_other(d)
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
            diagonal=table.flatten(1)[:, 0],
            sizes=torch.tensor(kernel.layer_sizes(), dtype=torch.float64),
            norms=torch.tensor(kernel.layer_norms(), dtype=torch.float64),
            n_samples=n,
            n_outputs=o,
        )
        spectra, whole = [], share.sqrt()  # scaled so that a norm counts the conjugates too
        for starts in product((0, 1), repeat=d):
            if any(starts):
                cut = tuple(slice(i, None, 2) for i in starts)
                target = torch.fft.rfftn(signal[cut].movedim(-1, 0), dim=axes) * whole / sqrt(n)
                layers = torch.fft.rfftn(table[(slice(None), *cut)], dim=axes)
                spectra.append((torch.stack([layers.real, layers.imag], 1), target))
        for name, value in {
            "modes": modes,
            "_bins": bins.reshape(eigenvalues.shape[1:]),
            "_spectra": spectra,
            "_residual": residual * whole,
        }.items():
            object.__setattr__(self, name, value)

    def held_out_error(self, weights: Float[Tensor, "s g k"]) -> Float[Tensor, " s"]:
        """By Parseval's identity, without leaving Fourier space."""
        errors = []
        for moment in weights:
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


@dataclass(frozen=True, init=False)
class LowRankProblem(AbstractProblem):
    """Any kernel, by pivoted Cholesky: what the raw coordinates need.

    Judged on at most 16,384 held-out samples, drawn with a fixed seed.

    The layers' kernels share no eigenvectors here, so they are taken as one layer with the
    parameters of all.

    Args:
        network: Any network with infinite-width rules.
        signal: `[*shape, o]`, float64.
        tolerance: Share of the kernel's trace that may be left out.
        max_rank: Columns allowed.
    """

    modes: Modes
    error: float
    _features: Tensor = field(repr=False)
    _held_out: Tensor = field(repr=False)
    _signal: Tensor = field(repr=False)
    _coordinates: Tensor = field(repr=False)

    def __init__(
        self,
        network: nn.Module,
        signal: Float[Tensor, "..."],
        *,
        tolerance: float = 1e-5,
        max_rank: int = 256,
    ) -> None:
        shape, o = signal.shape[:-1], signal.shape[-1]
        grid = Grid(shape)
        cut = every_other(len(shape))
        kernel = ntk(network, variances="default")
        x, y = grid[cut].points(), signal[cut].reshape(-1, o)
        factor = pivoted_cholesky(kernel, x, tolerance=tolerance, max_rank=max_rank)
        values, rotation = torch.linalg.eigh(factor.left.T @ factor.left)
        kept = values > values.max() * 1e-12
        values, rotation = values[kept], rotation[:, kept]
        inside = (rotation.T @ (factor.left.T @ y)) / values.sqrt()[:, None]  # [k, o]
        energy = (inside**2).sum(1)
        sizes = [float(sum(kernel.layer_sizes()))]
        modes = Modes(
            eigenvalues=values[None],
            energy=energy,
            multiplicity=torch.ones_like(values),
            diagonal=kernel.diag(x).mean()[None],
            sizes=torch.tensor(sizes, dtype=torch.float64),
            norms=torch.tensor(
                [1 / sum(1 / n for n in kernel.layer_norms() if n)], dtype=torch.float64
            ),
            n_samples=len(x),
            n_outputs=o,
            lost=max(0.0, float((y**2).sum() - energy.sum())),
        )
        mask = torch.ones(shape, dtype=torch.bool)
        mask[cut] = False
        held_out = mask.flatten().nonzero()[:, 0]
        if len(held_out) > _JUDGED:  # every k-th would take the same columns of every row
            draw = torch.Generator().manual_seed(0)
            held_out = held_out[torch.randperm(len(held_out), generator=draw)[:_JUDGED]]
        features = factor.features(kernel, grid.points()[held_out]) @ rotation  # times sqrt(value)
        for name, value in {
            "modes": modes,
            "error": factor.error,
            "_features": features * values.sqrt(),
            "_held_out": held_out,
            "_signal": signal.reshape(-1, o)[held_out],
            "_coordinates": inside,
        }.items():
            object.__setattr__(self, name, value)

    def held_out_error(self, weights: Float[Tensor, "s g k"]) -> Float[Tensor, " s"]:
        """`K(x, X) = F V^T` with orthonormal `V`: one thin product a moment."""
        errors = []
        for moment in weights[:, 0]:
            learned = self._features @ (moment[:, None] * self._coordinates)
            errors.append(float(((self._signal - learned) ** 2).mean()))
        return torch.tensor(errors, dtype=torch.float64)


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
