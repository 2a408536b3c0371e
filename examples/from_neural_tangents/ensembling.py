"""Finite networks from many starts, trained at once, beside the ensemble of infinite ones.

`torch.func` trains all members together, as `vmap` does in the cookbook of neural-tangents.

    python examples/from_neural_tangents/ensembling.py
"""

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

import ntkit
from ntkit.networks import Erf, Linear


def network(width: int, generator: torch.Generator | None = None) -> nn.Sequential:
    """One hidden layer of one input."""
    return nn.Sequential(
        Linear(1, width, w_std=1.5, b_std=0.5, generator=generator),
        Erf(),
        Linear(width, 1, w_std=1.5, b_std=0.5, generator=generator),
    )


def trained(
    make: Callable[[], nn.Module], x: Tensor, y: Tensor, *, members: int, lr: float, steps: int
) -> Callable[[Tensor], Tensor]:
    """The function of `members` trained networks: points `[m, 1]` to outputs `[members, m, 1]`."""
    nets = [make().double() for _ in range(members)]
    stacked, buffers = stack_module_state(nets)
    parameters = {name: p.detach() for name, p in stacked.items()}
    skeleton = nets[0]

    def loss(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return 0.5 * (functional_call(skeleton, (parameters, buffers), (x,)) - y).square().sum()

    slopes = vmap(grad(loss))
    for _ in range(steps):
        step = slopes(parameters, buffers)
        parameters = {name: p - lr * step[name] for name, p in parameters.items()}
    return lambda points: vmap(
        lambda p, b: functional_call(skeleton, (p, b), (points,)), in_dims=(0, 0)
    )(parameters, buffers).detach()


def main() -> None:
    """Mean and spread of 200 networks, and those of all."""
    generator = torch.Generator().manual_seed(0)
    x = torch.tensor([[-2.0], [-1.0], [0.5], [1.5]]).double()
    y, other = x.sin(), torch.linspace(-3, 3, 7).double()[:, None]
    nets = trained(lambda: network(128, generator), x, y, members=200, lr=0.1, steps=500)(other)
    net = network(8, generator)
    exact = ntkit.Ensemble(ntkit.nngp(net), ntkit.ntk(net), x, y).predict(other, [inf])
    print("    x   200 networks      all networks")
    for i, point in enumerate(other[:, 0]):
        left = f"{nets[:, i].mean():6.3f} +- {nets[:, i].std():.3f}"
        right = f"{exact.mean[0, i, 0]:6.3f} +- {exact.deviation[0, i, 0]:.3f}"
        print(f"{point:5.1f}   {left}   {right}")


if __name__ == "__main__":
    main()
