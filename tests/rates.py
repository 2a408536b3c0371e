"""How fast an error falls: the exponent of a power law, and how far networks are from their limit."""

import warnings
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from ntkit import ntk
from ntkit.kernels.infinite.rules.variances import Variances
from tests import oracles
from tests.layer_networks import Example, Parametrisation


def fitted_exponent(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """The `p` of `error ~ size^p`, by least squares on logarithms."""
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64).log()
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())


def deviations_from_limit(
    example: Example,
    width: int,
    seeds: Iterable[int],
    parametrisation: Parametrisation,
    *,
    training: bool = False,
    variances: Variances = "measured",
    n: int = 2,
) -> Tensor:
    """Of the kernel of a network's own Jacobian from `ntk` of the very same object, `[seeds, n, n]`.

    In shares of the latter's Frobenius norm.
    """
    points = example.points(n, torch.Generator().manual_seed(1))
    inputs = points if isinstance(points, tuple) else (points,)
    found = []
    for seed in seeds:
        with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
            warnings.filterwarnings("ignore", message=".*(in training mode|padding='same').*")
            torch.manual_seed(seed)  # for masks of dropout, and torch's own initialisations
            net = example.network(width, seed, parametrisation).train(training)
            limit = ntk(net, variances=variances)(points)
            kernel = oracles.jacobian_kernel(net, *inputs)
        found.append((kernel - limit) / limit.norm())
    return torch.stack(found)


def sizes(deviations: Tensor) -> list[float]:
    """The Frobenius norm of each deviation."""
    return deviations.flatten(1).norm(dim=1).tolist()
