"""Circles lifted onto a paraboloid until a plane separates them."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit.dynamics import GradientFlow
from ntkit.grids import Grid
from ntkit.kernels import Polynomial, empirical_ntk
from ntkit.networks import LinearModel
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk
from ntkit.tasks import circles, lifted

__all__ = ["ASKS", "N_POINTS", "REACH", "picture", "rings", "window"]

N_POINTS, REACH, SIDE = 60, 1.4, 40
"""Points of the two circles, half of the window's side, and its pixels."""

_KERNEL = Polynomial(1, offset=1.0)


def rings(values: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The data of two steps: a disc in a ring, and one more point of the disc's kind that is dragged."""
    points, labels = circles(N_POINTS, generator=torch.Generator().manual_seed(1))
    points[0, 0] = number(values, "x", -REACH, REACH)
    points[0, 1] = number(values, "y", -REACH, REACH)
    return points, labels


def window() -> Tensor:
    """The centres of the picture's pixels, row by row from below."""
    step = 2 * REACH / SIDE
    return Grid((SIDE, SIDE), origin=step / 2 - REACH, spacing=step).points().flip(1)


def picture(values: Tensor) -> np.ndarray:
    """What is known at those places, row by row from above."""
    return values.reshape(SIDE, SIDE).flip(0).float().numpy()


def plane(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The plane after some time, and what it cuts out of the picture."""
    del desk
    height, time = number(values, "height", 0, 1), number(values, "time", 0, 1e4)
    points, labels = rings(values)
    space = lifted(points, height)
    model = LinearModel(_KERNEL.features, 4).double()
    flow = GradientFlow(empirical_ntk(model), space, labels)
    sides = flow.predict(space, [time])[0].tolist()
    cut = flow.predict(lifted(window(), height), [time])[0]
    yield Reply(
        {
            "points": space.tolist(),
            "labels": labels.tolist(),
            "plane": flow.weights(time)["readout.weight"][0].tolist(),
            "right": sum(f * y > 0 for f, y in zip(sides, labels.tolist(), strict=True)),
            "all": N_POINTS,
        },
        {"cut": picture(cut)},
    )


ASKS: Mapping[str, Ask] = {"plane": Ask(plane)}
