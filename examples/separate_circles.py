"""Lift data that no line separates until a plane does, and watch gradient descent find the plane.

Two rings, and the four quadrants of "exclusive or". A linear model on the raw coordinates fails on
both; on one more feature (the squared radius, the product of the coordinates) it separates them. It
stays a linear model, so its kernel predicts its whole training before a step is taken.

    python examples/separate_circles.py docs/images/lift.png
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
from torch import Tensor

import ntkit
from ntkit.kernels import FeatureMap

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

BLUE, ORANGE, INK = "#2f6db5", "#e07b39", "#333333"
N_POINTS, STEPS = 160, 1000


@dataclass(frozen=True)
class Problem:
    """Labelled points of the plane, and the one more feature that separates them."""

    name: str
    x: Tensor
    y: Tensor
    height: Callable[[Tensor], Tensor]
    formula: str


def circles(generator: torch.Generator) -> Problem:
    """A disc, and a ring around it."""
    x, y = ntkit.tasks.circles(N_POINTS, generator=generator)
    return Problem("Circles", x, y, lambda p: (p**2).sum(1), r"$x_1^2 + x_2^2$")


def exclusive_or(generator: torch.Generator) -> Problem:
    """Quadrants: the label is the sign of the product of the coordinates."""
    size = 0.12 + 0.95 * torch.rand(N_POINTS, 2, generator=generator)
    signs = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]]).repeat(N_POINTS // 4, 1)
    x = (size * signs).double()
    return Problem("Exclusive or", x, signs.prod(1).double(), lambda p: p.prod(1), "$x_1 x_2$")


def raw(x: Tensor) -> Tensor:
    """A constant and the coordinates: what a line is drawn by."""
    return torch.cat([torch.ones_like(x[:, :1]), x], 1)


def lifted(problem: Problem) -> Callable[[Tensor], Tensor]:
    """The same and the height."""
    return lambda x: torch.cat([raw(x), problem.height(x)[:, None]], 1)


def train(
    problem: Problem, feature_map: Callable[[Tensor], Tensor], n_features: int
) -> tuple[ntkit.LinearModel, list[float], Tensor]:
    """A linear model after gradient descent, its losses, and those that the kernel predicted."""
    kernel = FeatureMap(feature_map)
    lr = 0.1 / float(torch.linalg.eigvalsh(kernel(problem.x))[-1])
    flow = ntkit.GradientFlow(kernel, problem.x, problem.y)
    predicted = flow.loss([lr * step for step in range(STEPS + 1)])
    model = ntkit.LinearModel(feature_map, n_features).double()
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    losses = []
    for _ in range(STEPS + 1):
        optimiser.zero_grad()
        loss = 0.5 * ((model(problem.x)[:, 0] - problem.y) ** 2).sum()
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
    return model, losses, predicted


def accuracy(model: ntkit.LinearModel, problem: Problem) -> float:
    """Share of the points on the right side."""
    with torch.no_grad():
        return float((model(problem.x)[:, 0] * problem.y > 0).double().mean())


def draw_plane(axes: Axes, problem: Problem, model: ntkit.LinearModel, title: str) -> None:
    """The points, and which side of the boundary each place of the plane is on."""
    reach = 1.25
    line = torch.linspace(-reach, reach, 301, dtype=torch.float64)
    places = torch.cartesian_prod(line, line)
    with torch.no_grad():
        values = model(places)[:, 0].reshape(301, 301).T
    colours = ListedColormap([ORANGE, BLUE])
    axes.contourf(
        line, line, values > 0, levels=[-0.5, 0.5, 1.5], colors=[ORANGE, BLUE], alpha=0.16
    )
    if bool((values > 0).any()) and bool((values < 0).any()):
        axes.contour(line, line, values, levels=[0.0], colors=INK, linewidths=1.4)
    axes.scatter(*problem.x.T, c=problem.y, cmap=colours, s=13, linewidths=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
    axes.set_title(f"{title}: {accuracy(model, problem):.0%} right", fontsize=10)
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$", rotation=0, labelpad=8)


def draw_lift(axes, problem: Problem, model: ntkit.LinearModel) -> None:
    """The points at their height, and the plane that the model found between them."""
    height = problem.height(problem.x)
    for label, colour in ((1, BLUE), (-1, ORANGE)):
        own = problem.y == label
        axes.scatter(*problem.x[own].T, height[own], color=colour, s=11, depthshade=False)
    constant, first, second, slope = model.readout.weight.detach()[0].tolist()
    line = torch.linspace(-1.15, 1.15, 2, dtype=torch.float64)
    x1, x2 = torch.meshgrid(line, line, indexing="ij")
    plane = -(constant + first * x1 + second * x2) / slope
    axes.plot_surface(x1.numpy(), x2.numpy(), plane.numpy(), color=INK, alpha=0.22, shade=False)
    axes.set(xticks=[], yticks=[], zticks=[], xlabel="$x_1$", ylabel="$x_2$")
    axes.set_zlabel(problem.formula)
    axes.xaxis.labelpad = axes.yaxis.labelpad = axes.zaxis.labelpad = -11
    axes.view_init(elev=14, azim=-62)
    axes.set_box_aspect((1, 1, 0.85), zoom=1.28)
    axes.set_title("lifted: a plane between them", fontsize=10)


def draw_losses(axes: Axes, losses: list[float], predicted: Tensor) -> None:
    """The loss of the lifted model as it trained, and what its kernel had said."""
    steps = torch.arange(1, STEPS + 1)
    axes.plot(steps, losses[1:], color=BLUE, lw=4, alpha=0.35, label="gradient descent")
    axes.plot(steps, predicted[1:], color=INK, lw=1.2, ls="--", label="predicted from the kernel")
    axes.set(xscale="log", xlabel="step", ylabel="half the sum of squares", ylim=(0, 105))
    axes.set_title("loss of the lifted model", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Draw both problems to the PNG that the first argument names."""
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "runs/lift.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = plt.figure(figsize=(12.5, 6.2))
    generator = torch.Generator().manual_seed(0)
    for row, problem in enumerate((circles(generator), exclusive_or(generator))):
        flat, _, _ = train(problem, raw, 3)
        model, losses, predicted = train(problem, lifted(problem), 4)
        axes = [
            figure.add_subplot(2, 4, 4 * row + k, projection="3d" if k == 2 else None)
            for k in range(1, 5)
        ]
        draw_plane(axes[0], problem, flat, f"{problem.name}, raw")
        draw_lift(axes[1], problem, model)
        draw_plane(axes[2], problem, model, "from above")
        draw_losses(axes[3], losses, predicted)
        print(
            f"{problem.name}: raw {accuracy(flat, problem):.0%}, lifted {accuracy(model, problem):.0%}"
        )
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
