"""When to stop: the error on held-out points at every moment of a training that never happens.

What neural-tangents gives by `gradient_descent_mse_ensemble(...)(t=...)`; here the best moment is asked for.

    python examples/from_neural_tangents/early_stopping.py
"""

import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Erf, Linear


def network(in_dim: int) -> nn.Sequential:
    """Two hidden layers."""
    return nn.Sequential(
        Linear(in_dim, 8, w_std=1.5, b_std=0.1),
        Erf(),
        Linear(8, 8, w_std=1.5, b_std=0.1),
        Erf(),
        Linear(8, 1, bias=False),
    )


def over_time(net: nn.Module, x: Tensor, y: Tensor) -> ntkit.GradientFlow:
    """The mean over all initialisations, from zero, at any time `lr * steps` of `1/2 * sum`."""
    return ntkit.GradientFlow(ntkit.ntk(net), x, y)


def main() -> None:
    """A noisy target: training to the end fits the noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=generator).double()
    clean = (2 * x[:, :1]).sin()
    y = clean + 0.5 * torch.randn(60, 1, generator=generator).double()
    flow = over_time(network(3), x[:30], y[:30])
    stop = flow.best_time(x[30:], y[30:])
    end = flow.predict(x[30:], [float("inf")])[0]
    print(f"stop at t = {stop.time:.3g}: error {stop.error:.3f}")
    print(f"at the end: error {(end - y[30:]).square().mean():.3f}")


if __name__ == "__main__":
    main()
