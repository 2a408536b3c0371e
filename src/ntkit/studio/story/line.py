"""A line fitted by gradient descent: how one point moves the others never changes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.dynamics import GradientFlow, descend
from ntkit.kernels import Polynomial
from ntkit.networks import LinearModel
from ntkit.spectra import spectrum
from ntkit.studio.asks import Ask, Reply, number, numbers
from ntkit.studio.desk import Desk

__all__ = ["ASKS", "KERNEL", "RATE", "SHOWN", "STEPS"]

KERNEL = Polynomial(1, offset=1.0)
"""`1 + x x'`, of the features `x` and 1."""

RATE, STEPS = 0.03, 100
"""Of gradient descent."""

SHOWN = (*range(0, 16), *range(16, 40, 4), *range(40, STEPS + 1, 10))
"""Steps that are looked at."""

_ENDS = (-1.25, 1.25)
"""Of the line that is drawn: a little past the points."""


@dataclass(frozen=True)
class _Trained:
    """A training at the steps that are looked at: the line's two ends, and the loss."""

    lines: list[list[float]]
    losses: list[float]


def fit(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The line after some steps, its loss at others, and the kernel that foretells them.

    Raises:
        ValueError: There are not as many heights as points.
    """
    across = numbers(values, "x", -1.25, 1.25, most=12)
    heights = numbers(values, "y", -1.5, 1.5, most=12)
    if len(across) != len(heights):
        raise ValueError("`x` and `y` must be equally many.")
    at = round(number(values, "at", 0, len(SHOWN) - 1))
    x, y = _column(across), _column(heights)
    trained = desk.drawer("line").kept((*across, *heights), lambda: _train(x, y))
    flow = GradientFlow(KERNEL, x, y)
    foretold = flow.loss([RATE * step for step in SHOWN]).tolist()
    yield Reply({
        "steps": SHOWN[at],
        "ends": _ENDS,
        "line": trained.lines[at],
        "foretold_line": flow.predict(_column(_ENDS), [RATE * SHOWN[at]])[0, :, 0].tolist(),
        "loss": trained.losses[at],
        "foretold": foretold[at],
        "shown": SHOWN,
        "losses": trained.losses,
        "foretold_losses": foretold,
        "kernel": KERNEL(x).tolist(),
        "eigenvalues": spectrum(KERNEL, x).eigenvalues.tolist()[:2],
    })


def _train(x: Tensor, y: Tensor) -> _Trained:
    model, ends = LinearModel(nn.Identity(), 2).double(), KERNEL.features(_column(_ENDS))
    features = KERNEL.features(x)
    found = _Trained([], [])
    for step, loss in descend(model, features, y, lr=RATE, steps=STEPS):
        if step in SHOWN:
            found.lines.append(model(ends).detach()[:, 0].tolist())
            found.losses.append(loss)
    return found


def _column(numbers: Any) -> Tensor:
    return torch.as_tensor(numbers, dtype=torch.float64)[:, None]


ASKS: Mapping[str, Ask] = {"fit": Ask(fit)}
