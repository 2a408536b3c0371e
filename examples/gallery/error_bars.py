"""How sure is a network between its samples?

Train many networks from different random starts: they agree at the samples and part in the gaps. `ntkit.Ensemble` has the mean and
the spread of infinitely many of them in closed form, at any time of the training.

Picture: Samples of a wave with a gap; curves of ten trained networks spread out in the gap, inside of the band that was predicted.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.dynamics import descend
from ntkit.networks import Linear


def network(width, seed):
    """One hidden layer of smooth units."""
    g = torch.Generator().manual_seed(seed)
    return torch.nn.Sequential(
        Linear(1, width, w_std=3.0, b_std=1.0, generator=g),
        torch.nn.Tanh(),
        Linear(width, 1, w_std=1.0, b_std=0.1, generator=g),
    )


def draw(small: bool = False) -> Figure:
    """The predicted band, and networks that were really trained."""
    x = torch.cat([torch.linspace(-1, -0.3, 6), torch.linspace(0.4, 1, 5)])[:, None]
    y = torch.sin(4 * x)
    z = torch.linspace(-1.2, 1.2, 20 if small else 200)[:, None]
    n_steps, lr = (10 if small else 800), 0.05

    net = network(8, seed=0)  # the width of this one does not matter: its limit is taken
    ensemble = ntkit.Ensemble(ntkit.nngp(net), ntkit.ntk(net), x, y[:, 0])
    band = ensemble.predict(z, [ntkit.training_time(lr, n_steps)])
    low, high = band.mean[0] - 2 * band.deviation[0], band.mean[0] + 2 * band.deviation[0]

    figure, axis = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
    axis.fill_between(z[:, 0], low, high, alpha=0.2, label="predicted: two deviations")
    for seed in range(2 if small else 10):
        net = network(32 if small else 256, seed)
        for _ in descend(net, x, y, lr=lr, steps=n_steps):
            pass
        axis.plot(z, net(z).detach(), color="tab:orange", lw=0.8)
    axis.plot(x, y, "o", color="black", label="samples")
    axis.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    draw().savefig("error_bars.png")
