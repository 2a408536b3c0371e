"""Theory against practice in one dimension: figure 3 of the Fourier-features paper.

Thirty-two samples of a 1/f signal, and networks that see its coordinate through the features
`a_j cos(2 pi j x)`, `a_j sin(2 pi j x)` with `a_j = 1 / j^p`. The kernel of each network gives its
spectrum, and the spectrum gives the loss of every later step, on the samples and between them, before
a step is taken. Then the networks are trained, and their losses drawn over the predictions.

    python examples/fourier_features_1d.py docs/images/fourier_features_1d.png

Source: Tancik et al. 2020 (arXiv:2006.10739), section 5 and figure 3.
"""

from collections.abc import Sequence
from math import inf, pi

import torch
from torch import Tensor, nn

import ntkit
from ntkit.encodings import AbstractEncoding, AbstractFourier, Identity

N_TRAIN, OVERSAMPLING = 32, 8
GRID = ntkit.Grid(N_TRAIN * OVERSAMPLING)
TRAIN = GRID[::OVERSAMPLING]
POWERS: dict[str, float | None] = {
    "no mapping": None,
    "p = ∞": inf,
    "p = 1.5": 1.5,
    "p = 1": 1.0,
    "p = 0.5": 0.5,
    "p = 0": 0.0,
}


class PowerLaw(AbstractFourier):
    """Whole-cycle frequencies with falling amplitudes: `b_j = j`, `a_j = 1 / j^p`, `j = 1..m`.

    Args:
        power: `p`; infinity keeps the first frequency alone.
        n_frequencies: `m`.
    """

    def __init__(self, power: float, n_frequencies: int = len(GRID) // 2) -> None:
        cycles = torch.arange(1.0, 2.0 if power == inf else n_frequencies + 1.0)
        super().__init__(cycles[:, None], cycles ** -(0.0 if power == inf else power))


def one_over_f(generator: torch.Generator) -> Tensor:
    """A signal on `GRID` whose Fourier coefficients fall as `1 / k`, of mean 0 and range 1."""
    k = torch.arange(1, len(GRID) // 4 + 1)
    waves = torch.randn(len(k), 2, generator=generator, dtype=torch.float64) / k[:, None]
    phase = 2 * pi * GRID.points() * k
    values = phase.cos() @ waves[:, 0] + phase.sin() @ waves[:, 1]
    values = values - values.mean()
    return values / (values.max() - values.min())


def network(power: float | None, width: int, generator: torch.Generator) -> nn.Module:
    """Four layers, as in the paper, in the NTK parametrisation."""
    encoding: AbstractEncoding = Identity(1) if power is None else PowerLaw(power)
    return ntkit.networks.mlp(
        encoding, 1, width=width, depth=3, parametrisation="ntk", generator=generator
    )


def descend(
    net: nn.Module, y: Tensor, lr: float, steps: Sequence[int], *, stop: float = 0.0
) -> tuple[list[float], list[float]]:
    """Train on `TRAIN` by gradient descent; the losses on it, and on all of `GRID`, at some steps.

    What is fitted is the change of the network since its start, so that it starts at zero. Losses are
    `1/2 * sum (f - y)^2` over the samples; those on the grid are divided by the oversampling.

    Args:
        net: A network; trained in place, in its own dtype.
        y: Targets on `GRID`.
        lr: Rate for that loss.
        steps: When to look, ascending.
        stop: Look no more once the loss is below this share of its start.
    """
    dtype = next(net.parameters()).dtype
    x, y = GRID.points().to(dtype), y.to(dtype)
    with torch.no_grad():
        start = net(x)[:, 0]
    target = (start + y)[::OVERSAMPLING]
    optimiser = torch.optim.SGD(net.parameters(), lr=lr)
    losses: tuple[list[float], list[float]] = [], []
    for step in range(steps[-1] + 1):
        optimiser.zero_grad()
        loss = 0.5 * (net(x[::OVERSAMPLING])[:, 0] - target).square().sum()
        if step in steps:
            with torch.no_grad():
                error = 0.5 * (net(x)[:, 0] - start - y).square().sum() / OVERSAMPLING
            losses[0].append(loss.item())
            losses[1].append(error.item())
            if losses[0][-1] < stop * losses[0][0]:
                break
        loss.backward()
        optimiser.step()
    return losses
