"""What encodings take for near: positions of words, and the neighbours of a point on a line.

    python examples/word_positions.py docs/images

draws `positions.png` (the transformer's positions, and their kernel against the distance) and
`encodings.png` (how similar the features of other points are to those of one, for nine encodings).
"""

import sys
from math import log
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor

from ntkit.encodings import (
    AbstractEncoding,
    Basic,
    Blurred,
    Gaussian,
    Identity,
    NeRF,
    OneBlob,
    Positional,
    Sinusoidal,
    TriangleWave,
)
from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE, WIDTH

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

N_WORDS, BASE = 100, 10_000.0


def seed(n: int = 0) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(n)


ENCODINGS: dict[str, AbstractEncoding] = {
    "Identity": Identity(1),
    "Basic": Basic(1),
    "NeRF, 5 octaves": NeRF(1, 5),
    "Positional, 8 to 16": Positional(1, 8, 16.0),
    "Gaussian, 3 cycles": Gaussian(1, 256, 3.0, seed()),
    "Gaussian, 12 cycles": Gaussian(1, 256, 12.0, seed()),
    "Gaussian, 12, blurred": Blurred(Gaussian(1, 256, 12.0, seed()), 0.03**2),
    "OneBlob, 16 bins": OneBlob(1, 16),
    "TriangleWave, 5 octaves": TriangleWave(1, 5),
}


def similarity(encoding: AbstractEncoding, x: Tensor, at: float) -> Tensor:
    """Cosine of the angle between the features of each point and those of one."""
    return torch.cosine_similarity(encoding(x), encoding(torch.tensor([[at]])), dim=1)


def draw_features(axes: Axes) -> None:
    """Each row a word, each column a feature."""
    features = Sinusoidal(1, 64)(torch.arange(N_WORDS)[:, None])
    image = axes.imshow(features, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
    axes.set(xlabel="feature: slower and slower waves, in pairs", ylabel="position of the word")
    axes.grid(False)
    axes.figure.colorbar(image, ax=axes, ticks=[-1, 0, 1], pad=0.02)


def draw_kernel(axes: Axes) -> None:
    """The correlation against the distance: straight on a logarithmic axis."""
    distance = torch.logspace(-1, 4.3, 1000, dtype=torch.float64)
    for m, color in ((32, ORANGE), (256, BLUE)):
        correlation = Sinusoidal(1, m).correlation(distance[:, None])
        axes.plot(distance, correlation, color=color, lw=1.4, label=f"{2 * m} features")
    between = distance[(distance > 1) & (distance < 5600)]
    straight = 1 - (between.log() + 0.5772) / log(BASE)
    axes.plot(between, straight, "--", color="black", lw=1.1, label=r"$1-(\log d+0.58)/\log 10^4$")
    axes.set(xscale="log", xlabel="distance in words", ylabel="correlation", ylim=(-0.35, 1.05))
    axes.legend(fontsize=9, loc="lower left")


def draw_neighbours(figure: plt.Figure) -> None:
    """One panel an encoding."""
    x, at = torch.linspace(0, 1, 1001)[:-1, None], 0.4
    panels = figure.subplots(3, 3, sharex=True, sharey=True).flat
    for axes, (name, encoding) in zip(panels, ENCODINGS.items(), strict=True):
        axes.axvline(at, color=GREY, lw=0.8)
        color = BLUE if encoding.is_stationary else GREEN
        axes.plot(x[:, 0], similarity(encoding, x, at), color=color, lw=1.2)
        axes.set_title(name, fontsize=9)
        axes.set(xlim=(0, 1), ylim=(-1.05, 1.08), yticks=[-1, 0, 1])
        axes.set_xticks([0, at, 1], ["0", str(at), "1"])
    figure.supxlabel("x", fontsize=10)
    figure.supylabel("similarity to the features of x = 0.4", fontsize=10)


def main() -> None:
    """Draw both pictures into the folder that the first argument names."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "runs")
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure = plt.figure(figsize=(WIDTH, 6.2), layout="constrained")
        above, below = figure.subplots(2, 1)
        draw_features(above)
        draw_kernel(below)
        figure.savefig(folder / "positions.png", dpi=130)
        figure = plt.figure(figsize=(WIDTH, 5.2), layout="constrained")
        draw_neighbours(figure)
        figure.savefig(folder / "encodings.png", dpi=130)
    print(folder / "positions.png", folder / "encodings.png")


if __name__ == "__main__":
    main()
