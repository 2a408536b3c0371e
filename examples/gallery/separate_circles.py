"""A line cannot separate circles; one more coordinate can.

A linear model draws straight borders. Give it the squared radius as a third number, and a flat plane in three dimensions is a
circle in two. That is all that a feature map does, and kernels are feature maps that are never written out.

Picture: On the left two rings of points and a straight border that cuts through both; on the right a round border between them.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

import ntkit


def flat(x):
    """A constant and the two coordinates."""
    return torch.cat([torch.ones(len(x), 1), x], 1)


def lifted(x):
    """The same, and the height on a paraboloid."""
    return torch.cat([flat(x), (x**2).sum(1, keepdim=True)], 1)


def draw(small: bool = False) -> Figure:
    """Both models, trained by gradient descent."""
    points, labels = ntkit.tasks.circles(
        40 if small else 160, generator=torch.Generator().manual_seed(0)
    )
    points, labels = points.float(), labels.float()
    line = torch.linspace(-1.3, 1.3, 41 if small else 201)
    window = torch.cartesian_prod(line, line)

    figure, axes = plt.subplots(1, 2, figsize=(7, 3.6), layout="constrained")
    for axis, features, name in ((axes[0], flat, "flat"), (axes[1], lifted, "lifted")):
        model = ntkit.LinearModel(features, n_features=features(points).shape[1])
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(50 if small else 500):
            optimiser.zero_grad()
            ((model(points)[:, 0] - labels) ** 2).mean().backward()
            optimiser.step()
        with torch.no_grad():
            right = (model(points)[:, 0] * labels > 0).float().mean()
            values = model(window)[:, 0].reshape(len(line), -1).T
        axis.contourf(line, line, values > 0, levels=1, cmap="coolwarm", alpha=0.3)
        axis.scatter(*points.T, c=labels, s=12, cmap="coolwarm")
        axis.set(title=f"{name}: {right:.0%} right", aspect="equal", xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    draw().savefig("separate_circles.png")
