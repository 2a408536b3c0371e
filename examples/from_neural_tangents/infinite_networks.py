"""What an infinitely wide network predicts once it is trained: fully connected, and convolutional.

The `infinite_fcn` example of neural-tangents. Nothing is trained: a kernel is read off the module, and a linear
system is solved.

    python examples/from_neural_tangents/infinite_networks.py
"""

import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Conv2d, Linear


def fully_connected(in_dim: int) -> nn.Module:
    """Two dense layers. The widths (here 8) do not matter: the limit has none."""
    return nn.Sequential(
        Linear(in_dim, 8, w_std=2.0, b_std=0.05), nn.ReLU(), Linear(8, 1, w_std=2.0, b_std=0.05)
    )


def convolutional(size: int) -> nn.Module:
    """Two convolutions of 3 x 3 pixels on `[n, 3, size, size]`, without padding, flattened."""
    scales = {"w_std": 1.4, "b_std": 0.1}
    return nn.Sequential(
        Conv2d(3, 8, 3, **scales),
        nn.ReLU(),
        Conv2d(8, 8, 3, **scales),
        nn.ReLU(),
        nn.Flatten(),
        Linear(8 * (size - 4) ** 2, 1, **scales),
    )


def infer(net: nn.Module, x: Tensor, y: Tensor, other: Tensor, ridge: float) -> dict[str, Tensor]:
    """Predictions at `other` for a network whose last layer is trained (`nngp`), or all (`ntk`).

    Args:
        net: The network, of any width.
        x: Training points.
        y: Targets, `[n, outputs]`.
        other: Where to predict.
        ridge: Share of the kernel's mean diagonal that is added to it (`diag_reg` there).
    """
    found = {}
    for name, kernel in (("nngp", ntkit.nngp(net)), ("ntk", ntkit.ntk(net))):
        noise = ridge * float(kernel.diag(x).mean())
        found[name] = ntkit.GaussianProcess(kernel, x, y, noise=noise).predict(other).mean
    return found


def main() -> None:
    """Stripes against checks, as images and as plain vectors."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    patterns = torch.stack([rows % 2, (rows + columns) % 2]).double() - 0.5
    images = patterns[labels][:, None].repeat(1, 3, 1, 1)
    images = images + 0.7 * torch.randn(images.shape, generator=generator).double()
    y = nn.functional.one_hot(labels, 2).double() - 0.5
    for name, net, x in (
        ("fully connected", fully_connected(192), images.flatten(1)),
        ("convolutional", convolutional(8), images),
    ):
        found = infer(net, x[:40], y[:40], x[40:], ridge=1e-3)
        for kernel, outputs in found.items():
            right = (outputs.argmax(1) == labels[40:]).double().mean()
            print(f"{name}, {kernel}: {right:.0%} of the test images")


if __name__ == "__main__":
    main()
