"""A training, foretold before its first step.

A network of 256 units learns a square wave by plain gradient descent. The dashed lines are from its kernel alone:
`ntkit.GradientFlow`, at the times that the steps stand for. Where the two part is what a finite width costs.

Picture: A square wave and three pairs of curves, of the trained network and of its prediction, which nearly coincide at 20, 200 and 2000 steps.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.dynamics import descend
from ntkit.encodings import Basic
from ntkit.networks import mlp, symmetrise


def draw(small: bool = False) -> Figure:
    """The trained network beside its prediction."""
    grid = ntkit.Grid(32)
    x = grid.points().float()
    y = 0.5 * torch.sign(torch.sin(2 * torch.pi * x))
    # Symmetrised: it starts at zero, with the same kernel.
    g = torch.Generator().manual_seed(0)
    width = 32 if small else 256
    net = symmetrise(mlp(Basic(1), 1, width=width, depth=2, parametrisation="ntk", generator=g))

    steps = [5, 10, 20] if small else [20, 200, 2000]
    times = [ntkit.training_time(lr=1e-3, steps=step) for step in steps]
    predicted = ntkit.GradientFlow(ntkit.ntk(net), grid, y).predict(grid, times)  # before any step

    figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    axis.plot(x, y, "o", color="black", ms=3, label="target")
    colours = iter(["tab:blue", "tab:green", "tab:red"])
    for step, _ in descend(net, x, y, lr=1e-3, steps=steps[-1]):
        if step in steps:
            colour = next(colours)
            axis.plot(x, net(x).detach(), color=colour, lw=4, alpha=0.4, label=f"{step} steps")
            axis.plot(x, predicted[steps.index(step)], color=colour, ls="--")
    axis.set(xlabel="$x$, once around a circle")
    axis.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    draw().savefig("training_predicted.png")
