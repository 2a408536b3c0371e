"""Slow waves first: why a plain network blurs.

On a circle the modes of the kernel are waves, and the eigenvalue of a wave is the rate at which it is learned. On plain coordinates
rates fall steeply with the frequency, so that detail comes last, or never. Fourier features lift them.

Picture: Eigenvalue against frequency: that of plain coordinates falls by a factor of a thousand, those of Fourier features stay level up to about their bandwidth.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.encodings import Basic, Gaussian
from ntkit.spectra import kernel_spectrum


def draw(small: bool = False) -> Figure:
    """The rate of each wave, for four encodings."""
    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")

    def add(encoding, name):
        net = ntkit.networks.mlp(encoding, 1, width=64, depth=2, parametrisation="ntk")
        frequency, rate = kernel_spectrum(ntkit.ntk(net), (32 if small else 256,))
        axis.plot(frequency, rate / rate[0], label=name)

    add(Basic(1), "plain coordinates")
    for bandwidth in (4, 16, 32):
        # Whole frequencies, so that the circle stays one.
        g = torch.Generator().manual_seed(0)
        add(
            Gaussian(1, 512, bandwidth, g, integer=True),
            f"Gaussian features, bandwidth {bandwidth}",
        )
    axis.set(
        yscale="log",
        ylim=(1e-5, 2),
        xlabel="cycles",
        ylabel="rate of learning, over that of the constant",
    )
    axis.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    draw().savefig("spectral_bias.png")
