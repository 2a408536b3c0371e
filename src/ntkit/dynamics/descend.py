"""Plain gradient descent, one step at a time, to look at a network while it trains."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive, whole

__all__ = ["descend"]


def descend(
    module: nn.Module,
    x: Float[Tensor, "n ..."],
    y: Float[Tensor, "n ..."],
    *,
    lr: float,
    steps: int,
) -> Iterator[tuple[int, float]]:
    """Train in place on all samples, and yield the number of steps taken and the loss there.

    The loss is `1/2 * sum (f - y)^2`, of which gradient flow at `t = lr * steps` is the limit of small
    steps. The first thing yielded is the start; between two yields the network may be looked at.

    Args:
        module: Trained in place, whatever requires gradients.
        x: Samples.
        y: Targets, in the shape of the outputs.
        lr: Learning rate; it diverges from 2 over the largest eigenvalue of the kernel.
        steps: Steps to take, 0 or more.

    Raises:
        ValueError: The targets have another shape than the outputs.

    Example:
        >>> from ntkit.networks import LinearModel
        >>> x = torch.tensor([[1.0], [2.0]])
        >>> [loss for _, loss in descend(LinearModel(lambda x: x, 1), x, 2 * x, lr=0.1, steps=2)]
        [10.0, 2.5, 0.625]
    """
    lr, steps = positive("lr", lr), whole("steps", steps)
    trained = [p for p in module.parameters() if p.requires_grad]
    for step in range(steps + 1):
        with torch.enable_grad():
            outputs = module(x)
            if outputs.shape != y.shape:
                raise ValueError(
                    f"`y` has shape {tuple(y.shape)}, but the outputs have {tuple(outputs.shape)}. "
                    "Reshape it: broadcasting would train on other sums."
                )
            loss = 0.5 * (outputs - y).square().sum()
        yield step, float(loss.detach())
        if step < steps:
            slopes = torch.autograd.grad(loss, trained)
            with torch.no_grad():
                for parameter, slope in zip(trained, slopes, strict=True):
                    parameter -= lr * slope
