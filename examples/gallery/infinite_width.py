"""The kernel of a network forgets its random weights as the network grows.

Each draw of the weights has a tangent kernel of its own, `J(x) J(x')^T`. With more units these draws come closer to each other,
as one over the square root of the width, and meet at a kernel that is known without any network: `ntkit.ntk`.

Picture: Distance from the limit against width, on logarithmic axes: dots of several draws fall along a straight line of slope minus one half.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.encodings import Basic


def network(width, seed=0):
    """Points of a circle, two hidden ReLU layers, one output."""
    g = torch.Generator().manual_seed(seed)
    return ntkit.networks.mlp(Basic(1), 1, width=width, depth=2, parametrisation="ntk", generator=g)


def draw(small: bool = False) -> Figure:
    """The distance of each draw from the limit."""
    x = ntkit.Grid(16).points().float()
    limit = ntkit.ntk(network(8))(x)  # the width of this one does not matter
    widths = [16, 64] if small else [16, 32, 64, 128, 256, 512, 1024]
    n_draws = 2 if small else 8

    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    means = []
    for width in widths:
        kernels = [ntkit.empirical_ntk(network(width, seed))(x) for seed in range(n_draws)]
        errors = torch.stack([
            (kernel - limit).norm() / limit.norm() for kernel in kernels
        ]).detach()
        axis.plot([width] * n_draws, errors, "o", color="tab:blue", alpha=0.4)
        means.append(float(errors.mean()))
    line = [means[0] * (width / widths[0]) ** -0.5 for width in widths]
    axis.plot(widths, line, color="black", ls="--", label="width$^{-1/2}$")
    axis.set(xscale="log", yscale="log", xlabel="width", ylabel="relative distance from the limit")
    axis.legend(frameon=False)
    return figure


if __name__ == "__main__":
    draw().savefig("infinite_width.png")
