"""Wide networks learn although their weights hardly move.

All weights of a wide network move a little, and together that moves the function a lot. Over so short a way the network is its
own tangent: this is why a kernel, fixed at the start, can foretell the whole training.

Picture: On the left the losses of three widths, which all fall alike; on the right how far the weights have moved, ever less the wider the network is.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.dynamics import descend
from ntkit.encodings import Basic


def draw(small: bool = False) -> Figure:
    """Train three widths on the same samples, with a probe looking on."""
    x = ntkit.Grid(16).points().float()
    y = torch.sin(2 * torch.pi * x) + 0.5 * torch.sin(6 * torch.pi * x)
    n_steps = 20 if small else 600
    looks = sorted({round(10 ** (k / 8)) for k in range(25)} & set(range(n_steps + 1)) | {0})

    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.4), layout="constrained")
    for width in (8, 32) if small else (16, 128, 512):
        g = torch.Generator().manual_seed(0)
        net = ntkit.networks.mlp(
            Basic(1), 1, width=width, depth=2, parametrisation="ntk", generator=g
        )
        probe = ntkit.LazyProbe(net, x, steps=looks)
        losses = []
        for step, loss in descend(net, x, y, lr=5e-3, steps=n_steps):
            if step in looks:
                probe.record(step)
                losses.append(loss)
        left.plot(looks, losses, label=f"width {width}")
        right.plot(looks, probe.history.movement, label=f"width {width}")
    left.set(xscale="symlog", yscale="log", xlabel="step", title="loss")
    right.set(xscale="symlog", yscale="log", xlabel="step", title="share that the weights moved")
    left.legend(frameon=False)
    return figure


if __name__ == "__main__":
    draw().savefig("lazy_weights.png")
