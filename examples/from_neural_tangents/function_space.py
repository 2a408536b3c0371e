"""What training makes of a network, from its kernel at the start: squares, cross-entropy, and momentum.

The `function_space` example of neural-tangents, and its notebook. The rules know all moments at once.

    python examples/from_neural_tangents/function_space.py
"""

from math import sqrt

import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Erf, Linear


def network(in_dim: int, width: int, outputs: int) -> nn.Sequential:
    """One hidden layer in the NTK parametrisation."""
    return nn.Sequential(
        Linear(in_dim, width, b_std=0.05), Erf(), Linear(width, outputs, b_std=0.05)
    )


def half_squares(outputs: Tensor, y: Tensor) -> Tensor:
    """The loss of the original: half of a mean over points and outputs."""
    return 0.5 * (outputs - y).square().mean()


def cross_entropy(outputs: Tensor, y: Tensor) -> Tensor:
    """The mean over points and classes."""
    return -(outputs.log_softmax(-1) * y).mean()


def squares(
    net: nn.Module, x: Tensor, y: Tensor, lr: float = 1.0
) -> tuple[ntkit.GradientFlow, float]:
    """The rule for `half_squares`, and its time a step: `lr / (n o)`."""
    flow = ntkit.GradientFlow(ntkit.empirical_ntk(net), x, y, f0=net)
    return flow, lr / y.numel()


def entropy(net: nn.Module, x: Tensor, y: Tensor) -> ntkit.LossFlow:
    """The rule for `cross_entropy`, integrated; its time is `lr * steps` of that very loss."""
    return ntkit.LossFlow(
        ntkit.empirical_ntk(net), x, y, loss=cross_entropy, f0=net, tolerance=1e-10
    )


def inertia(
    net: nn.Module, x: Tensor, y: Tensor, *, lr: float, beta: float
) -> tuple[ntkit.HeavyBallFlow, float]:
    """The rule for `half_squares` with momentum, and its time a step: `sqrt(lr / (n o))`."""
    step = sqrt(lr / y.numel())
    kernel = ntkit.empirical_ntk(net)
    return ntkit.HeavyBallFlow(kernel, x, y, f0=net, damping=(1 - beta) / step), step


def main() -> None:
    """A network of width 512 beside its prediction."""
    torch.manual_seed(0)
    x = torch.randn(32, 8).double()
    y = nn.functional.one_hot(x[:, :3].argmax(1), 3).double()
    net = network(8, 512, 3).double()
    flow, time = squares(net, x, y)
    steps = [0, 10, 100, 1000]
    predicted = flow.predict(x, [time * step for step in steps])
    optimiser = torch.optim.SGD(net.parameters(), lr=1.0)
    print("step   network   predicted")
    for step in range(steps[-1] + 1):
        loss = half_squares(net(x), y)
        if step in steps:
            foretold = half_squares(predicted[steps.index(step)], y)
            print(f"{step:4d}   {loss.item():.5f}   {foretold.item():.5f}")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


if __name__ == "__main__":
    main()
