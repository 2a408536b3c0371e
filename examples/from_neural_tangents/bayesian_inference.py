"""Exact Bayesian inference, and all networks after training: the cookbook of neural-tangents.

python examples/from_neural_tangents/bayesian_inference.py
"""

from math import inf, pi

import torch
from torch import Tensor, nn

import ntkit
from ntkit.networks import Erf, Linear


def network(width: int = 8) -> nn.Sequential:
    """Two hidden layers of one input."""
    scales = {"w_std": 1.5, "b_std": 0.05}
    return nn.Sequential(
        Linear(1, width, **scales),
        Erf(),
        Linear(width, width, **scales),
        Erf(),
        Linear(width, 1, **scales),
    )


def posterior(net: nn.Module, x: Tensor, y: Tensor, noise: float) -> ntkit.GaussianProcess:
    """The Gaussian process of the network, given `y` with noise of that variance."""
    return ntkit.GaussianProcess(ntkit.nngp(net), x, y, noise=noise)


def ensemble(net: nn.Module, x: Tensor, y: Tensor, ridge: float) -> ntkit.Ensemble:
    """The networks of all initialisations, trained by gradient descent."""
    return ntkit.Ensemble(ntkit.nngp(net), ntkit.ntk(net), x, y, ridge=ridge)


def expected_loss(all_networks: ntkit.Ensemble, x: Tensor, y: Tensor, times: list[float]) -> Tensor:
    """Mean of `1/2 (f - y)^2` over points and networks, at each time."""
    found = all_networks.predict(x, times)
    variance = found.covariance.diagonal(dim1=1, dim2=2)
    return 0.5 * ((found.mean - y)[..., 0] ** 2 + variance).mean(1)


def main() -> None:
    """Five noisy samples of a sine: the two agree near the data, and differ away from them."""
    generator = torch.Generator().manual_seed(10)
    x = 2 * pi * (torch.rand(5, 1, generator=generator).double() - 0.5)
    y = x.sin() + 0.1 * torch.randn(5, 1, generator=generator).double()
    other, net = torch.linspace(-pi, pi, 7).double()[:, None], network()
    bayes = posterior(net, x, y, noise=1e-4).predict(other)
    trained = ensemble(net, x, y, ridge=1e-4).predict(other, [inf])
    print("    x   Bayesian inference   gradient descent")
    for i, point in enumerate(other[:, 0]):
        left = f"{bayes.mean[i, 0]:6.3f} +- {bayes.deviation[i, 0]:.3f}"
        right = f"{trained.mean[0, i, 0]:6.3f} +- {trained.deviation[0, i, 0]:.3f}"
        print(f"{point:5.1f}   {left:18s}   {right}")


if __name__ == "__main__":
    main()
