"""Which pictures does an untrained CNN take for alike?

The kernel of a network says how much a step on one picture changes the answer on another. Here are discs, squares and crosses at
random places. The plain network compares pixel by pixel; the convolutional one, with its mean over all places, sees that a moved
disc is a disc.

Picture: Two matrices of similarities of 24 pictures, in order of their shapes: that of the plain network shows little order, that of the CNN three blocks along the diagonal.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import nn

import ntkit


def shapes(n, size, g):
    """`n` pictures of each shape, `[3 n, 1, size, size]`."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pictures = []
    for kind in range(3):
        for a, b in torch.randint(4, size - 4, (n, 2), generator=g).tolist():
            u, v = (y - a).abs(), (x - b).abs()
            disc, square, cross = u**2 + v**2 < 10, torch.maximum(u, v) == 3, (u == v) & (u < 4)
            pictures.append([disc, square, cross][kind].float())
    pictures = torch.stack(pictures)[:, None]
    return pictures / pictures.flatten(1).norm(dim=1)[:, None, None, None]


def draw(small: bool = False) -> Figure:
    """The kernels of two networks, as cosines."""
    torch.manual_seed(0)
    x = shapes(2 if small else 8, 12 if small else 16, torch.Generator().manual_seed(0))
    side = x.shape[-1]
    conv = [
        nn.Conv2d(1, 64, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, bias=False),
        nn.ReLU(),
    ]
    networks = {
        "plain": nn.Sequential(
            nn.Flatten(), nn.Linear(side**2, 64, bias=False), nn.ReLU(), nn.Linear(64, 1)
        ),
        "convolutional": nn.Sequential(
            *conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 1)
        ),
    }
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.5), layout="constrained")
    for axis, (name, network) in zip(axes, networks.items(), strict=True):
        kernel = ntkit.ntk(network)(x)
        cosines = kernel / torch.outer(kernel.diag(), kernel.diag()).sqrt()
        axis.imshow(cosines.numpy())
        axis.set(title=name, xticks=[], yticks=[])
    return figure


if __name__ == "__main__":
    draw().savefig("cnn_kernel.png")
