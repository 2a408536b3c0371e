"""The prediction against real networks, trained by real gradient descent.

A 32x32 photo (its mean colour subtracted, so that the constant mode earns nothing), trained on
every other pixel in both axes; Gaussian encoding (64 frequencies, bandwidth 2), three hidden ReLU
layers in the NTK parametrisation, symmetrised; full-batch SGD without momentum in float32, 120
steps at a quarter of the largest stable learning rate (`lr = 0.5 / lambda_max`). The difference of the trained
network from `ntkit.GradientFlow` is relative to the prediction, over all 1,024 pixels, in the mean
over seeds. Nothing is fitted: the prediction is made from the kernel of each network before it is
trained.
"""

import torch
from torch import Tensor

import ntkit
from benchmarks.report import Row
from benchmarks.signals import photo
from ntkit.encodings import Gaussian
from ntkit.networks import mlp, symmetrise

SEEDS = {256: 8, 1024: 3, 4096: 1}
STEPS = 120
GRID = ntkit.Grid((32, 32))
TRAIN = GRID[::2, ::2]


def target() -> Tensor:
    image = photo(32)
    return image - image.mean((0, 1))


def difference(width: int, seed: int, y: Tensor) -> tuple[float, float, float]:
    """Relative difference, and the factors by which the real and the predicted loss fell."""
    generator = torch.Generator().manual_seed(seed)
    encoding = Gaussian(2, 64, 2.0, torch.Generator().manual_seed(0))
    net = symmetrise(
        mlp(encoding, 3, width=width, depth=3, parametrisation="ntk", generator=generator)
    )
    kernel = ntkit.ntk(net)
    lr = 0.5 / float(torch.linalg.eigvalsh(kernel(TRAIN.points()))[-1])
    t = ntkit.training_time(lr, STEPS)
    flow = ntkit.GradientFlow(kernel, TRAIN, y[::2, ::2])
    predicted = flow.predict(GRID, [t])[0]
    before, after = flow.loss([0.0, t])

    x, targets = TRAIN.points().float(), y[::2, ::2].reshape(-1, 3).float()
    optimiser = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = 0.5 * (net(x) - targets).square().sum()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    with torch.no_grad():
        trained = net(GRID.points().float()).double().reshape(predicted.shape)
    fell = losses[0] / losses[-1]
    return float((trained - predicted).norm() / predicted.norm()), fell, float(before / after)


def measure() -> list[Row]:
    y, means, rows = target(), [], []
    for width, n_seeds in SEEDS.items():
        found = torch.tensor([difference(width, seed, y) for seed in range(n_seeds)]).mean(0)
        means.append(float(found[0]))
        what = f"relative difference at width {width}, mean of {n_seeds}"
        rows.append(Row(what, means[-1], at_most=0.08 if width == 4096 else None))
        rows.append(
            Row(
                f"factor by which the loss fell at width {width} (predicted {found[2]:.2f})",
                float(found[1]),
                at_least=3.0,
            )
        )
    x = torch.tensor(list(SEEDS)).double().log()
    d = torch.tensor(means).double().log()
    slope = float(((x - x.mean()) * (d - d.mean())).sum() / (x - x.mean()).square().sum())
    return [*rows, Row("exponent of the difference in the width", slope, "", -0.35, -0.65)]
