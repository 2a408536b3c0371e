"""A kernel is a feature map that is never written out.

Kernel regression needs only inner products of features. The polynomial kernel `(1 + x x')^9` has ten features, and the Gaussian
kernel infinitely many; yet each costs one number for a pair of points.

Picture: Two curves through the same ten noisy points, one of a linear model on explicit powers and one of the kernel, which coincide; and a smoother one of the Gaussian kernel.
"""

from math import comb

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from ntkit.kernels import RBF, FeatureMap, Polynomial


def powers(x):
    """`sqrt(9 over k) x^k`: their inner product is `(1 + x x')^9`."""
    return torch.cat([comb(9, k) ** 0.5 * x**k for k in range(10)], 1)


def draw(small: bool = False) -> Figure:
    """Ridge regression with each of three kernels."""
    g = torch.Generator().manual_seed(0)
    x = torch.linspace(-1, 1, 10, dtype=torch.float64)[:, None]
    y = torch.sin(4 * x[:, 0]) + 0.1 * torch.randn(10, generator=g, dtype=torch.float64)
    z = torch.linspace(-1.05, 1.05, 20 if small else 300, dtype=torch.float64)[:, None]

    figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
    styles = {
        "ten features, written out": (FeatureMap(powers), {"lw": 6, "alpha": 0.35}),
        "$(1 + x x')^9$, the same": (Polynomial(9, offset=1.0), {"ls": "--", "color": "black"}),
        "Gaussian: infinitely many": (RBF(0.5), {"color": "tab:orange"}),
    }
    for name, (kernel, style) in styles.items():
        weights = torch.linalg.solve(kernel(x) + 1e-2 * torch.eye(len(x)), y)
        axis.plot(z[:, 0], kernel(z, x) @ weights, label=name, **style)
    axis.plot(x[:, 0], y, "o", color="black", label="samples")
    axis.set(xlabel="$x$", ylabel="$f(x)$", ylim=(-1.2, 2.2))
    axis.legend(frameon=False, fontsize=8, loc="upper left")
    return figure


if __name__ == "__main__":
    draw().savefig("kernel_trick.png")
