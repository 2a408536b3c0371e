"""Training through a measurement: `predict_training` against real gradient descent, over the width.

A field of 32 x 32 points is known by 12 views of parallel rays: the Shepp-Logan phantom, and beside it what is harder, a
grey photo without its mean, which has no large constant that would be learned in no time and make all differences
small. Networks of a Gaussian encoding (64 frequencies, bandwidth 2) and three hidden ReLU layers in the NTK
parametrisation, symmetrised, are trained on `1/2 |A f - y|^2` in float32 by full-batch gradient descent, 300 steps at the
learning rate 1 over the largest eigenvalue of `A K A^T`. The difference of the fields is relative to the prediction, in
the root mean square over four seeds of the weights. Nothing is fitted: the prediction of infinite width knows the
architecture alone, the other one the network before it is trained. What is promised is promised of the phantom.

Width 4,096 is predicted from each network's own kernel in place of trained: the narrower ones show how far that is
from the training. At width 2,048 a training takes ten minutes of an idle core: the table says how many there are. Each
case is kept in `measured_training_cases.json` as it ends, and a second start goes on (delete the file to begin afresh); `NTKIT_CASES=phantom|256,photo|512` takes some of the fields and widths.
"""

import os
from functools import cache
from math import pi
from time import perf_counter

import torch
from skimage.data import shepp_logan_phantom
from skimage.transform import resize
from torch import Tensor, nn

import ntkit
from benchmarks.kept import Entry, keep, read
from benchmarks.report import RESULTS, Row
from benchmarks.signals import photo
from ntkit.encodings import Gaussian
from ntkit.measurements import Radon
from ntkit.networks import mlp, symmetrise
from ntkit.reconstruction import PredictedTraining, predict_training

PATH = RESULTS / "measured_training_cases.json"
CASES = (
    *(f"phantom|{width}" for width in (256, 512, 1024, 4096, 2048)),
    *(f"photo|{width}" for width in (256, 512, 4096, 1024)),
)
"""Quick ones first; the photo without the longest."""

SEEDS, STEPS, VIEWS, N = 4, 300, 12, 32

LINEARISED = 4096
GRID = ntkit.Grid((N, N))
A = Radon.parallel((N, N), [pi * view / VIEWS for view in range(VIEWS)])


def network(width: int, seed: int) -> nn.Sequential:
    encoding = Gaussian(2, 64, 2.0, torch.Generator().manual_seed(0))
    draw = torch.Generator().manual_seed(seed)
    return mlp(encoding, 1, width=width, depth=3, parametrisation="ntk", generator=draw)


@cache
def data(item: str) -> Tensor:
    """What is measured, `[views, detectors, 1]`."""
    if item == "phantom":
        phantom = resize(shepp_logan_phantom(), (N, N), anti_aliasing=True)
        return A(torch.from_numpy(phantom)[..., None])
    image = photo(N).mean(-1, keepdim=True)
    return A(image - image.mean())


@cache
def infinite(item: str) -> PredictedTraining:
    """The prediction of infinite width."""
    return predict_training(data(item), A, ntkit.ntk(network(8, 0)), GRID, steps=[STEPS])


def trained(item: str, net: nn.Module, lr: float) -> tuple[Tensor, float]:
    """The field after training, and the factor by which the loss fell."""
    x, y, losses = GRID.points().float(), data(item).float(), []
    optimiser = torch.optim.SGD(net.parameters(), lr=lr)
    for _ in range(STEPS):
        optimiser.zero_grad()
        loss = 0.5 * (A(net(x).reshape(N, N, 1)) - y).square().sum()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        return net(x).double().reshape(N, N, 1), losses[0] / losses[-1]


def case(item: str, width: int, seed: int) -> Entry:
    """Relative differences of the fields of one network."""
    began, lr, limit = perf_counter(), infinite(item).lr, infinite(item).field[0]
    assert lr is not None
    net = network(width, seed)
    kernel = ntkit.empirical_ntk(network(width, seed).double())
    own = predict_training(data(item), A, kernel, GRID, steps=[STEPS], lr=lr).field[0]
    found: Entry = {"own_from_infinite": float((own - limit).norm() / limit.norm())}
    if width != LINEARISED:
        field, fell = trained(item, symmetrise(net), lr)
        found["infinite"] = float((field - limit).norm() / limit.norm())
        found["own"] = float((field - own).norm() / own.norm())
        found["fell"] = fell
    return {**found, "seconds": round(perf_counter() - began, 1)}


def measure() -> list[Row]:
    asked = [name for name in os.environ.get("NTKIT_CASES", "").split(",") if name] or CASES
    cases = read(PATH)
    for name in asked:
        item, width = name.split("|")
        for seed in range(SEEDS):
            key = f"{item}|{width:>4}|{seed}"
            if key not in cases:
                cases = keep(PATH, key, case(item, int(width), seed))
    return [row for item in ("phantom", "photo") for row in rows(item, cases)]


def rows(item: str, cases: dict[str, Entry]) -> list[Row]:
    """Of one field: a row a width, and the exponent."""
    predicted, start = infinite(item), 0.5 * float(data(item).square().sum())
    fell, is_promised = start / float(predicted.loss[0]), item == "phantom"
    found, table = {}, [Row(f"{item}: factor by which the loss falls, predicted", fell)]
    for width in (256, 512, 1024, 2048, LINEARISED):
        own = [e for key, e in cases.items() if key.startswith(f"{item}|{width:>4}|")]
        if not own:
            continue
        is_linear = width == LINEARISED
        found[width] = _mean([e["own_from_infinite" if is_linear else "infinite"] for e in own])
        how = "by its own kernel" if is_linear else "trained"
        seeds = "1 seed" if len(own) == 1 else f"{len(own)} seeds"
        what = f"{item}, width {width}, {how}, {seeds}: from infinite width"
        asked = 8.0 if is_promised and is_linear else None
        table.append(Row(what, 100 * found[width], "%", asked))
        if not is_linear:
            what = f"{item}, width {width}, trained: from the prediction by its own kernel at the start"
            asked = 1.0 if is_promised else None
            table.append(Row(what, 100 * _mean([e["own"] for e in own]), "%", asked))
    if len(found) > 1:
        x, d = (torch.tensor(v).double().log() for v in (list(found), list(found.values())))
        slope = float(((x - x.mean()) * (d - d.mean())).sum() / (x - x.mean()).square().sum())
        ends = (-0.40, -0.55) if is_promised else (None, None)
        table.append(Row(f"{item}: exponent of the difference in the width", slope, "", *ends))
    return table


def _mean(values: list[float]) -> float:
    """Root mean square."""
    return float(torch.tensor(values).square().mean().sqrt())
