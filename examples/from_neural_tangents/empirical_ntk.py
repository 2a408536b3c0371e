"""The tangent kernel of a network as it stands, by every method that there is.

The `empirical_ntk` example of neural-tangents, and its `empirical_nngp_fn`.

    python examples/from_neural_tangents/empirical_ntk.py
"""

import torch
from torch import Tensor, nn

import ntkit
from ntkit.kernels import Auto, Contraction, FeatureMap, Structured
from ntkit.networks import Conv2d, Linear

METHODS = (Auto(), Structured(), Contraction())


def network(size: int, channels: int, outputs: int) -> nn.Sequential:
    """A small convolutional network on `[n, 3, size, size]`."""
    return nn.Sequential(
        Conv2d(3, channels, 3, bias=False),
        nn.ReLU(),
        Conv2d(channels, channels, 3, bias=False),
        nn.Flatten(),
        Linear(channels * (size - 4) ** 2, outputs, bias=False),
    )


def tangent_kernels(net: nn.Module, x: Tensor, other: Tensor) -> list[Tensor]:
    """All pairs of points and outputs, `[m, n, o, o]`, by each method."""
    return [ntkit.empirical_ntk(net, "full", method=method)(other, x) for method in METHODS]


def output_kernel(net: nn.Module, x: Tensor, other: Tensor) -> Tensor:
    """Products of outputs, averaged over them, `[m, n]`: the outputs are a feature map."""
    with torch.no_grad():
        return FeatureMap(net)(other, x) / net(x).shape[1]


def main() -> None:
    """The methods agree to rounding."""
    torch.manual_seed(0)
    x, other = torch.randn(2, 3, 8, 8).double(), torch.randn(3, 3, 8, 8).double()
    net = network(8, 8, 10).double()
    first, *rest = tangent_kernels(net, x, other)
    for method, found in zip(METHODS[1:], rest, strict=True):
        print(f"{method}: {tuple(found.shape)}, {float((found - first).abs().max()):.0e} apart")


if __name__ == "__main__":
    main()
