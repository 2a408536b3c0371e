"""Lazy training: the weights of three widths, frame by frame."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.dynamics import LazyProbe, descend, log_steps
from ntkit.networks import Linear
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk
from ntkit.studio.story.taylor import PLACES, samples

__all__ = ["ASKS", "FRAMES", "RATE", "WIDTHS"]

WIDTHS = (8, 64, 256)
"""From a network that learns features to one that is nearly its linearisation."""

RATE, STEPS = 0.1, 300
"""Gradient descent in NTK parametrisation."""

FRAMES = tuple(log_steps(STEPS, per_decade=9))
"""Steps at which the weights are kept."""

_WHOLE, _CHANGE = 2.5, 0.5  # standard deviations of the start that the colours reach to


@dataclass
class _Film:
    """A network in training: its hidden weights, its function and its loss at each frame, and how far it moved."""

    weights: list[Tensor] = field(default_factory=list)
    functions: list[list[float]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    movement: list[float] = field(default_factory=list)
    kernel_change: list[float] = field(default_factory=list)


def _filmed(width: int, x: Tensor, y: Tensor) -> _Film:
    """Two hidden layers in the NTK parametrisation, trained."""
    g = torch.Generator().manual_seed(0)
    first = Linear(1, width, w_std=3.0, b_std=1.0, generator=g)
    layer = Linear(width, width, w_std=3.0, b_std=0.5, generator=g)
    last = Linear(width, 1, w_std=0.5, b_std=0.1, generator=g)
    net = nn.Sequential(first, nn.Tanh(), layer, nn.Tanh(), last)
    film, places = _Film(), PLACES.points().float()
    probe = LazyProbe(net, x.float(), steps=FRAMES)
    for step, loss in descend(net, x.float(), y.float(), lr=RATE, steps=STEPS):
        if step in FRAMES:
            probe.record(step)
            film.weights.append(layer.weight.detach().clone())
            film.functions.append(net(places).detach()[:, 0].tolist())
            film.losses.append(loss)
    film.movement = probe.history.movement.tolist()
    film.kernel_change = probe.history.kernel_change.tolist()
    return film


def _films(desk: Desk) -> list[_Film]:
    found: list[_Film] = desk.drawer("lazy").kept("films", list)
    return found


def train(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """How far each width moved, as each becomes known."""
    x, y = samples(values)
    films = _films(desk)
    films.clear()
    for width in WIDTHS:
        films.append(_filmed(width, x, y))
        yield Reply({
            "widths": WIDTHS,
            "frames": FRAMES,
            "places": PLACES.points()[:, 0].tolist(),
            "losses": [film.losses for film in films],
            "functions": [film.functions for film in films],
            "movement": [film.movement for film in films],
            "kernel_change": [film.kernel_change for film in films],
        })


def frame(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The weight matrices at one frame, or by how much they differ from the first, as levels.

    Raises:
        ValueError: Nothing is trained yet.
    """
    films = _films(desk)
    at = round(number(values, "at", 0, len(FRAMES) - 1))
    is_change = bool(number(values, "change", 0, 1))
    if not films:
        raise ValueError("These networks are not trained yet.")
    shown = {}
    for film, width in zip(films, WIDTHS, strict=False):
        weights = film.weights[at] - film.weights[0] if is_change else film.weights[at]
        shown[f"weights{width}"] = (weights / (_CHANGE if is_change else _WHOLE)).numpy()
    yield Reply({"at": at, "change": is_change}, shown)


ASKS: Mapping[str, Ask] = {"train": Ask(train, is_long=True), "frame": Ask(frame)}
