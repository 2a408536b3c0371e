"""Which bandwidth? Neither too small nor too large, and it depends on the time.

Every other sample is trained on; the ones between judge. With too small a bandwidth the signal is not learned in time. With too
large a one, every sample is learned by itself, and nothing in between. The kernel tells where the best one lies.

Picture: Quality of unseen samples against the bandwidth, one curve for each of three training times, each with a peak of its own.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.encodings import Gaussian


def draw(small: bool = False) -> Figure:
    """PSNR between the samples, predicted from the kernel."""
    grid = ntkit.Grid(32 if small else 256)
    x = grid.points()[:, 0]
    y = torch.sin(6 * torch.pi * x) * torch.exp(-x) + 0.3 * torch.sign(torch.sin(14 * torch.pi * x))
    bandwidths = torch.logspace(0, 6, 3 if small else 17, base=2).tolist()
    times = [0.1, 1.0, 10.0]

    quality = []
    for bandwidth in bandwidths:
        encoding = Gaussian(1, 256, bandwidth, torch.Generator().manual_seed(0))
        kernel = ntkit.ntk(ntkit.networks.mlp(encoding, 1, depth=2, parametrisation="ntk"))
        curves = ntkit.GradientFlow(kernel, grid[::2], y[::2]).predict(grid, times)
        unseen = (curves - y)[:, 1::2]
        quality.append((-10 * unseen.square().mean(1).log10()).tolist())

    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for time, curve in zip(times, zip(*quality, strict=True), strict=True):
        axis.plot(bandwidths, curve, marker="o", label=f"t = {time:g}")
    axis.set(xscale="log", xlabel="bandwidth, cycles per unit", ylabel="PSNR of unseen samples, dB")
    axis.legend(frameon=False, title="training time", fontsize=8)
    return figure


if __name__ == "__main__":
    draw().savefig("which_bandwidth.png")
