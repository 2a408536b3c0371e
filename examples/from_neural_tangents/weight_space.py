"""A network and its linearisation, trained side by side by momentum on the cross-entropy of minibatches.

The `weight_space` example of neural-tangents. `ntkit.linearize(net)` is a module with the parameters' names and
values: any optimiser of PyTorch trains it.

    python examples/from_neural_tangents/weight_space.py
"""

import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Erf, Linear


def network(in_dim: int, width: int, outputs: int) -> nn.Sequential:
    """One hidden layer in the NTK parametrisation."""
    return nn.Sequential(
        Linear(in_dim, width, b_std=0.05), Erf(), Linear(width, outputs, b_std=0.05)
    )


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean over points and classes, as the original has it."""
    return -(outputs.log_softmax(-1) * y).mean()


def train(net: nn.Module, x: Tensor, y: Tensor, *, steps: int, batch: int) -> list[float]:
    """Losses on all points after each step.

    Args:
        net: What is trained, in place.
        x: Points.
        y: One-hot labels.
        steps: How many.
        batch: Points a step, taken in turn.
    """
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0, momentum=0.9)
    losses, per_epoch = [], len(x) // batch
    for step in range(steps):
        rows = slice(batch * (step % per_epoch), batch * (step % per_epoch + 1))
        optimiser.zero_grad()
        cross_entropy(net(x[rows]), y[rows]).backward()
        optimiser.step()
        with torch.no_grad():
            losses.append(float(cross_entropy(net(x), y)))
    return losses


def main() -> None:
    """The wider the network, the closer the two."""
    torch.manual_seed(0)
    x = torch.randn(120, 8).double()
    y = nn.functional.one_hot(x[:, :3].argmax(1), 3).double()
    print("width   network   linear")
    for width in (8, 64, 512):
        net = network(8, width, 3).double()
        linear = ntkit.linearize(net)
        ends = [train(f, x, y, steps=60, batch=40)[-1] for f in (net, linear)]
        print(f"{width:5d}   {ends[0]:.5f}   {ends[1]:.5f}")


if __name__ == "__main__":
    main()
