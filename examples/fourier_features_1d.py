"""Theory against practice in one dimension: figure 3 of the Fourier-features paper.

Thirty-two samples of a 1/f signal, and networks that see its coordinate through the features
`a_j cos(2 pi j x)`, `a_j sin(2 pi j x)` with `a_j = 1 / j^p`. The kernel of each network gives its
spectrum, and the spectrum gives the loss of every later step, on the samples and between them, before
a step is taken. Then the networks are trained, and their losses drawn over the predictions.

    python examples/fourier_features_1d.py docs/images/fourier_features_1d.png

Source: Tancik et al. 2020 (arXiv:2006.10739), section 5 and figure 3.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log10, pi
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor, nn

import ntkit
from ntkit.encodings import AbstractEncoding, AbstractFourier, Identity
from ntkit.spectra import Spectrum

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

STYLE = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}
GREY = "#6b7280"
COLORS = ["#9aa1ab", "#7b3fa0", "#1f5fa8", "#2a9d6f", "#d9a21e", "#c8411e"]
WIDTH, N_STEPS = 512, 1000
N_TRAIN, OVERSAMPLING = 32, 8
GRID = ntkit.Grid(N_TRAIN * OVERSAMPLING)
TRAIN = GRID[::OVERSAMPLING]
POWERS: dict[str, float | None] = {
    "no mapping": None,
    "p = ∞": inf,
    "p = 1.5": 1.5,
    "p = 1": 1.0,
    "p = 0.5": 0.5,
    "p = 0": 0.0,
}


class PowerLaw(AbstractFourier):
    """Whole-cycle frequencies with falling amplitudes: `b_j = j`, `a_j = 1 / j^p`, `j = 1..m`.

    Args:
        power: `p`; infinity keeps the first frequency alone.
        n_frequencies: `m`.
    """

    def __init__(self, power: float, n_frequencies: int = len(GRID) // 2) -> None:
        cycles = torch.arange(1.0, 2.0 if power == inf else n_frequencies + 1.0)
        super().__init__(cycles[:, None], cycles ** -(0.0 if power == inf else power))


def one_over_f(generator: torch.Generator) -> Tensor:
    """A signal on `GRID` whose Fourier coefficients fall as `1 / k`, of mean 0 and range 1."""
    k = torch.arange(1, len(GRID) // 4 + 1)
    waves = torch.randn(len(k), 2, generator=generator, dtype=torch.float64) / k[:, None]
    phase = 2 * pi * GRID.points() * k
    values = phase.cos() @ waves[:, 0] + phase.sin() @ waves[:, 1]
    values = values - values.mean()
    return values / (values.max() - values.min())


def network(power: float | None, width: int, generator: torch.Generator) -> nn.Module:
    """Four layers, as in the paper, in the NTK parametrisation."""
    encoding: AbstractEncoding = Identity(1) if power is None else PowerLaw(power)
    return ntkit.networks.mlp(
        encoding, 1, width=width, depth=3, parametrisation="ntk", generator=generator
    )


def descend(
    net: nn.Module, y: Tensor, lr: float, steps: Sequence[int], *, stop: float = 0.0
) -> tuple[list[float], list[float]]:
    """Train on `TRAIN` by gradient descent; the losses on it, and on all of `GRID`, at some steps.

    What is fitted is the change of the network since its start, so that it starts at zero. Losses are
    `1/2 * sum (f - y)^2` over the samples; those on the grid are divided by the oversampling.

    Args:
        net: A network; trained in place, in its own dtype.
        y: Targets on `GRID`.
        lr: Rate for that loss.
        steps: When to look, ascending.
        stop: Look no more once the loss is below this share of its start.
    """
    dtype = next(net.parameters()).dtype
    x, y = GRID.points().to(dtype), y.to(dtype)
    with torch.no_grad():
        start = net(x)[:, 0]
    target = (start + y)[::OVERSAMPLING]
    optimiser = torch.optim.SGD(net.parameters(), lr=lr)
    losses: tuple[list[float], list[float]] = [], []
    for step in range(steps[-1] + 1):
        optimiser.zero_grad()
        loss = 0.5 * (net(x[::OVERSAMPLING])[:, 0] - target).square().sum()
        if step in steps:
            with torch.no_grad():
                error = 0.5 * (net(x)[:, 0] - start - y).square().sum() / OVERSAMPLING
            losses[0].append(loss.item())
            losses[1].append(error.item())
            if losses[0][-1] < stop * losses[0][0]:
                break
        loss.backward()
        optimiser.step()
    return losses


@dataclass(frozen=True)
class Curves:
    """Losses of one mapping over the share of the signal at the start: on the samples, and between."""

    steps: list[int]
    theory: tuple[Tensor, Tensor]
    practice: tuple[Tensor, Tensor]


def predict(
    spectrum: Spectrum, y: Tensor, lr: float, steps: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """The losses after each of `steps` of gradient descent, from the spectrum alone.

    Mode `i` of the residual is multiplied by `1 - lr s_i` a step, so that
    `f_k(x) = sum_i phi_i(x) a_i (1 - (1 - lr s_i)^k)`, `a_i` the mean of `phi_i y` over the samples.
    """
    left = (1 - lr * spectrum.eigenvalues) ** torch.tensor(steps)[:, None]
    coefficients = spectrum.coefficients(y[::OVERSAMPLING])[:, 0]
    train = 0.5 * left**2 @ coefficients**2
    learned = (1 - left) * coefficients / N_TRAIN**0.5
    values = learned @ spectrum.eigenfunctions(GRID.points()).T
    return train, 0.5 * (values - y).square().sum(1) / OVERSAMPLING


def compare(power: float | None, y: Tensor, n_steps: int) -> Curves:
    """One mapping: predicted, then trained at half of the inverse of its largest eigenvalue."""
    net = network(power, WIDTH, torch.Generator().manual_seed(0))
    spectrum = ntkit.spectrum(ntkit.ntk(net), TRAIN.points())
    lr = 0.5 / float(spectrum.eigenvalues[0])
    steps = [0, *sorted({round(10 ** (i / 12)) for i in range(int(12 * log10(n_steps)) + 1)})]
    theory = predict(spectrum, y, lr, steps)
    train, test = (torch.tensor(losses) for losses in descend(net, y, lr, steps, stop=1e-6))
    start = (theory[0][0], theory[1][0])
    return Curves(
        steps,
        (theory[0] / start[0], theory[1] / start[1]),
        (train.double() / start[0], test.double() / start[1]),
    )


def draw_signal(axis: Axes, y: Tensor) -> None:
    """The signal, and the samples of it that are seen."""
    x = GRID.points()[:, 0]
    axis.plot(x, y, color=GREY, lw=1.2)
    axis.plot(x[::OVERSAMPLING], y[::OVERSAMPLING], "o", ms=4, color="black", mew=0)
    axis.set(title="(a) signal and its 32 samples", xlabel="$x$")


def draw_kernels(value: Axes, frequency: Axes) -> None:
    """Each kernel against the point 1/2, and its eigenvalue at each frequency of the grid."""
    x = GRID.points()
    middle = x[len(x) // 2 :][:1]
    for (name, power), color in zip(POWERS.items(), COLORS, strict=True):
        kernel = ntkit.ntk(network(power, 8, torch.Generator().manual_seed(0)))
        row = kernel(x, middle)[:, 0]
        value.plot(x - 0.5, row / row.max(), color=color, label=name)
        if power is None:  # no period: how much of each wave the kernel keeps
            cycles, eigenvalues = quotients(kernel(x))
        else:
            waves = ntkit.spectrum(kernel, GRID)
            assert waves.wave_vectors is not None
            order = waves.wave_vectors[:, 0].sort().indices[len(x) // 2 :]
            cycles, eigenvalues = waves.wave_vectors[order, 0], waves.eigenvalues[order]
        frequency.plot(cycles[:65], eigenvalues[:65] / eigenvalues[0], color=color)
    value.set(title="(b) kernel", xlabel="$x - x'$")
    frequency.set(
        title="(c) its spectrum", xlabel="cycles", yscale="log", xlim=(0, 64), ylim=(1e-5, 2)
    )


def quotients(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Rayleigh quotients of a matrix on `GRID` with whole-cycle waves."""
    waves = torch.fft.fft(torch.fft.fft(matrix, dim=0).conj(), dim=1).diagonal().real
    return torch.arange(len(waves) // 2), waves[: len(waves) // 2] / len(waves)


def draw_losses(axis: Axes, found: dict[str, Curves], which: int, title: str) -> None:
    """Practice as a broad line, theory as a dashed one over it."""
    for curves, color in zip(found.values(), COLORS, strict=True):
        real = curves.practice[which]
        axis.plot(curves.steps[1 : len(real)], real[1:], color=color, lw=4.5, alpha=0.35)
        axis.plot(curves.steps[1:], curves.theory[which][1:], color=color, lw=1.4, ls=(0, (4, 2)))
    axis.set(title=title, xlabel="step", xscale="log", yscale="log")
    axis.set_ylabel("loss, share of the start")


def main() -> None:
    """Draw the figure to the PNG that the first argument names."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/fourier_features_1d.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    y = one_over_f(torch.Generator().manual_seed(0))
    found = {name: compare(power, y, N_STEPS) for name, power in POWERS.items()}
    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(12, 7.4), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.15])
        first = top.subplots(1, 3)
        draw_signal(first[0], y)
        draw_kernels(first[1], first[2])
        second = bottom.subplots(1, 2)
        draw_losses(second[0], found, 0, "(d) training loss")
        draw_losses(second[1], found, 1, "(e) test loss")
        second[0].set_ylim(1e-4, 1.6)
        second[1].set_ylim(2e-2, 1.6)
        handles = [
            Line2D([], [], color=c, lw=2.2, label=n) for n, c in zip(POWERS, COLORS, strict=True)
        ]
        handles += [
            Line2D([], [], color=GREY, lw=4.5, alpha=0.35, label=f"practice, width {WIDTH}"),
            Line2D([], [], color=GREY, lw=1.4, ls=(0, (4, 2)), label="theory, before training"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=8, fontsize=9)
        figure.savefig(path, dpi=110)
    for name, curves in found.items():
        real, theory = curves.practice[1][-1], curves.theory[1][len(curves.practice[1]) - 1]
        print(f"{name:11s} test loss at the end: {real:.3f}, predicted {theory:.3f}")
    print(path)


if __name__ == "__main__":
    main()
