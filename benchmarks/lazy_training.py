"""Lazy training: what stays of it at which width, and where it fails.

Sixteen points in three dimensions, a smooth target, networks `Linear, tanh, Linear` (one hidden layer
unless said) of `ntkit.networks.Linear` in float64, trained by full-batch gradient descent at half
the inverse of the largest eigenvalue of `ntkit.ntk(net)` until the loss is 5 % of that of the zero
function: equal loss at every width. `ntkit.LazyProbe` measures. Numbers are geometric means over
seeds; exponents are fitted from width 64 to 4096.

"Movement" is `|theta - theta0| / |theta0|`, "kernel change" `|K - K0| / |K0|`, "missed by the
linearisation" `|f - f_lin| / |f - f0|` at the trained weights, "trained apart" the same between the
network and `ntkit.linearize(net)` trained alongside, each with weights of its own. Mean-field scaling
divides the output by another `sqrt(width)` (and so multiplies the learning rate by the width).

The theorems bound kernel change and distance by `width^-1/2` (Lee et al. 2019). From random weights
the leading term averages out over the units, and smooth networks do better, `width^-1` (Dyer and
Gur-Ari 2020). In a deeper network the square weight matrices move by `width^-1` of themselves, being
larger; the outer layers by `width^-1/2`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from math import exp, log, nan
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

import ntkit
from benchmarks.report import Row
from ntkit.dynamics import LazyRow
from ntkit.figures.style import BLUE, GREEN, GREY, ORANGE, STYLE
from ntkit.networks import Linear

FIGURE = Path(__file__).parents[1] / "docs" / "images" / "lazy_training.png"
FITTED = [64, 128, 256, 512, 1024, 2048, 4096]
SMALL = [4, 8, 16, 32]
SEEDS = 6
DEEP_SEEDS = {64: 4, 128: 4, 256: 4, 512: 4, 1024: 2, 2048: 1, 4096: 1}
GOAL = 0.05
MAX_STEPS = 100_000


def points() -> tuple[Tensor, Tensor]:
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = 3**0.5 * nn.functional.normalize(x)
    return x, torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:]


def network(
    width: int,
    seed: int,
    *,
    activation: type[nn.Module] = nn.Tanh,
    depth: int = 1,
    is_mean_field: bool = False,
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for i in range(depth):
        layers += [Linear(width if i else 3, width, generator=generator), activation()]
    w_std = width**-0.5 if is_mean_field else 1.0
    head = Linear(width, 1, bias=False, w_std=w_std, generator=generator)
    return nn.Sequential(*layers, head).double()


@dataclass(frozen=True)
class Outcome:
    """One trained network: the probe's last row, and the linearised network trained alongside."""

    row: LazyRow
    apart: float


def train(net: nn.Module) -> Outcome:
    x, y = points()
    lr = rate(net)
    probe, linear = ntkit.LazyProbe(net, x), ntkit.linearize(net)
    with torch.no_grad():
        start = net(x)
    steps, loss = descend(net, x, y, lr)
    for _ in range(steps):
        descend_once(linear, x, y, lr)
    probe.record(steps, loss=loss)
    with torch.no_grad():
        moved = net(x) - start
        apart = float((net(x) - linear(x)).norm() / moved.norm())
    return Outcome(probe.history.table[-1], apart)


def train_deep(net: nn.Module) -> Outcome:
    """In float32, for the weights alone."""
    x, y = points()
    lr = rate(net)
    probe = ntkit.LazyProbe(net.float(), x.float(), has_kernel=False)
    steps, loss = descend(net, x.float(), y.float(), lr)
    probe.record(steps, loss=loss)
    return Outcome(probe.history.table[-1], nan)


def rate(net: nn.Module) -> float:
    return 0.5 / float(torch.linalg.eigvalsh(ntkit.ntk(net)(points()[0]))[-1])


def descend(net: nn.Module, x: Tensor, y: Tensor, lr: float) -> tuple[int, float]:
    """Down to the goal: the number of steps, and the loss there."""
    goal = GOAL * float(y.square().sum()) / 2
    for step in range(MAX_STEPS):
        with torch.no_grad():
            loss = float(0.5 * (net(x) - y).square().sum())
        if loss <= goal:
            return step, loss
        descend_once(net, x, y, lr)
    raise RuntimeError(f"The loss did not reach {goal:g} in {MAX_STEPS:,} steps.")


def descend_once(net: nn.Module, x: Tensor, y: Tensor, lr: float) -> None:
    parameters = list(net.parameters())
    gradients = torch.autograd.grad(0.5 * (net(x) - y).square().sum(), parameters)
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter -= lr * gradient


Figures = dict[int, list[Outcome]]
"""Outcomes of the seeds, by width."""


def family(widths: list[int], **options) -> Figures:
    return {w: [train(network(w, seed, **options)) for seed in range(SEEDS)] for w in widths}


def deep() -> Figures:
    return {
        w: [train_deep(network(w, seed, depth=2)) for seed in range(n)]
        for w, n in DEEP_SEEDS.items()
    }


MEASURES: dict[str, Callable[[Outcome], float]] = {
    "movement": lambda o: o.row.movement,
    "kernel change": lambda o: o.row.kernel_change,
    "missed by the linearisation": lambda o: o.row.nonlinearity,
    "trained apart": lambda o: o.apart,
}
BOUND = "exponent in the width, from 64 to 4096"


def mean(outcomes: list[Outcome], measure: Callable[[Outcome], float]) -> float:
    return exp(sum(log(measure(o)) for o in outcomes) / len(outcomes))


def curve(found: Figures, measure: Callable[[Outcome], float]) -> dict[int, float]:
    return {width: mean(outcomes, measure) for width, outcomes in found.items()}


def exponent(values: dict[int, float]) -> float:
    x = torch.tensor(FITTED).double().log()
    y = torch.tensor([values[w] for w in FITTED]).double().log()
    x = x - x.mean()
    return float((x * y).sum() / x.square().sum())


def measure() -> list[Row]:
    ntk, relu = family(SMALL + FITTED), family(FITTED, activation=nn.ReLU)
    mean_field = family(SMALL + FITTED, is_mean_field=True)
    layers = deep()
    draw(ntk, mean_field, layers)
    rows = []
    losses = [o.row.loss for o in chain(*ntk.values())]
    rows.append(Row("loss at the end, largest over smallest", max(losses) / min(losses), "", 1.1))
    for name, of in MEASURES.items():
        values = curve(ntk, of)
        rows += [Row(f"{name}, width {w}", values[w]) for w in SMALL + FITTED]
        low = -0.65 if name == "movement" else None
        rows.append(Row(f"{name}, {BOUND}", exponent(values), "", -0.35, low))
    for name, of in MEASURES.items():
        low = -0.65 if name == "movement" else None
        rows.append(Row(f"ReLU: {name}, {BOUND}", exponent(curve(relu, of)), "", -0.35, low))
    failing = curve(ntk, MEASURES["missed by the linearisation"])[8]
    rows.append(
        Row("lazy training fails: missed by the linearisation, width 8", failing, "", None, 0.25)
    )
    for name, of in MEASURES.items():
        values = curve(mean_field, of)
        low = 0.25 if name in {"kernel change", "missed by the linearisation"} else None
        rows.append(Row(f"mean field: {name}, width 4096", values[4096], "", None, low))
        rows.append(Row(f"mean field: {name}, {BOUND}", exponent(values), "", 0.1, -0.1))
    for name, word, low, high in LAYERS:
        value = exponent(curve(layers, lambda o, name=name: o.row.movements[name]))
        rows.append(
            Row(f"two hidden layers: movement of the {word}, {BOUND}", value, "", high, low)
        )
    return rows


LAYERS = [
    ("0.weight", "input layer", -0.65, -0.35),
    ("2.weight", "hidden layer", -1.15, -0.85),
    ("4.weight", "output layer", -0.65, -0.35),
]


def draw(ntk: Figures, mean_field: Figures, layers: Figures) -> None:
    """`docs/images/lazy_training.png`: what moves with the width, and what does not."""
    titles = {
        "movement": "Weights moved by\n" + r"$|\theta-\theta_0|\,/\,|\theta_0|$",
        "kernel change": "Kernel changed by\n" + r"$|K-K_0|\,/\,|K_0|$",
        "missed by the linearisation": "Missed by the linearisation\n"
        + r"$|f-f_{\rm lin}|\,/\,|f-f_0|$",
    }
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(13.5, 3.9), layout="constrained")
        axes = list(figure.subplots(1, 4))
        for axis, (name, title) in zip(axes, titles.items(), strict=False):
            for found, color, label in (
                (mean_field, ORANGE, "mean-field scaling"),
                (ntk, BLUE, "NTK parametrisation"),
            ):
                _spread(axis, found, MEASURES[name], color, label)
            _guide(axis, curve(ntk, MEASURES[name]), -0.5 if name == "movement" else -1.0)
            axis.set_title(title, fontsize=10.5)
        for (name, word, *_), color in zip(LAYERS, (GREEN, BLUE, GREY), strict=True):
            of = lambda o, name=name: o.row.movements[name]  # noqa: E731
            _spread(axes[3], layers, of, color, word)
        _guide(axes[3], curve(layers, lambda o: o.row.movements["2.weight"]), -1.0)
        axes[3].set_title("Two hidden layers:\nweights moved, by layer", fontsize=10.5)
        axes[3].legend(fontsize=9, loc="lower left")
        axes[0].legend(fontsize=9, loc="lower left")
        for axis in axes:
            axis.set(xscale="log", yscale="log", xlabel="width")
            ticks = [w for w in (4, 16, 64, 256, 1024, 4096) if w >= axis.dataLim.x0 * 0.9]
            axis.set_xticks(ticks, [str(w) for w in ticks])
            axis.minorticks_off()
        figure.savefig(FIGURE, dpi=130, bbox_inches="tight", facecolor="white")


def _spread(
    axis: Axes, found: Figures, of: Callable[[Outcome], float], color: str, label: str
) -> None:
    """The mean, and every seed."""
    for width, outcomes in found.items():
        axis.plot([width] * len(outcomes), [of(o) for o in outcomes], ".", ms=4, color=color,
                  alpha=0.3, mew=0)  # fmt: skip
    values = curve(found, of)
    axis.plot(list(values), list(values.values()), "o-", ms=4, color=color, label=label)


def _guide(axis: Axes, values: dict[int, float], power: float) -> None:
    """The slope of a power law, a little above the curve."""
    widths = [128, 4096]
    top = 2.0 * values[128]
    ends = [top * (w / widths[0]) ** power for w in widths]
    axis.plot(widths, ends, "--", lw=1.1, color="black")
    word = r"$\mathrm{width}^{-1/2}$" if power == -0.5 else r"$\mathrm{width}^{-1}$"
    axis.annotate(word, (720, 1.25 * top * (720 / widths[0]) ** power), fontsize=10)
