"""The same network, the same steps: with Fourier features it sees detail.

Coordinates go through `cos(2 pi b x)` and `sin(2 pi b x)` before the first layer, with random frequencies `b`. Nothing else changes.
Two networks are trained by Adam for the same number of steps.

Picture: A signal with edges and fast waves; the plain network follows its trend only, the one with Fourier features all of it.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit
from ntkit.encodings import Gaussian, Identity


def draw(small: bool = False) -> Figure:
    """Both networks after their training."""
    x = ntkit.Grid(32 if small else 256).points().float()
    y = torch.sin(6 * torch.pi * x) * torch.exp(-x) + 0.3 * torch.sign(torch.sin(26 * torch.pi * x))
    n_steps, width = (5, 16) if small else (400, 128)

    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axis.plot(x, y, color="black", lw=4, alpha=0.25, label="signal")
    encodings = {
        "plain coordinates": Identity(1),
        "Fourier features": Gaussian(
            1, 64, bandwidth=12.0, generator=torch.Generator().manual_seed(0)
        ),
    }
    for name, encoding in encodings.items():
        g = torch.Generator().manual_seed(1)
        net = ntkit.networks.mlp(encoding, 1, width=width, depth=3, generator=g)
        optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
        loss = torch.tensor(0.0)
        for _ in range(n_steps):
            optimiser.zero_grad()
            loss = ((net(x) - y) ** 2).mean()
            loss.backward()
            optimiser.step()
        axis.plot(x, net(x).detach(), label=f"{name}: error {float(loss.detach()) ** 0.5:.2f}")
    axis.set(xlabel="$x$")
    axis.legend(frameon=False, fontsize=8)
    return figure


if __name__ == "__main__":
    draw().savefig("fourier_features.png")
