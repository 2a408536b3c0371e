"""The polynomial kernel: dot products of many features, without the features."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ntkit.dynamics import GradientFlow
from ntkit.kernels import Polynomial
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk
from ntkit.studio.story.lift import N_POINTS, REACH, picture, rings, window

__all__ = ["ASKS", "PICTURE", "RIDGE"]

PICTURE = 784
"""Coordinates of a picture of 28 x 28 pixels."""

RIDGE = 0.01
"""Small beside the kernel's diagonal, so that the border passes between points that touch."""


def pair(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The kernel of two points in both ways, and what it makes of the rings."""
    del desk
    degree = round(number(values, "degree", 1, 8))
    kernel = Polynomial(degree, offset=1.0)
    both = torch.as_tensor(
        [[number(values, f"{name}{i}", -REACH, REACH) for name in "xy"] for i in (1, 2)],
        dtype=torch.float64,
    )
    features = kernel.features(both).tolist()
    products = [a * b for a, b in zip(*features, strict=True)]
    points, labels = rings({"x": 0.1, "y": 0.0})
    flow = GradientFlow(kernel, points, labels, ridge=RIDGE)
    sides = flow.predict(points, [float("inf")])[0].tolist()
    cut = flow.predict(window(), [float("inf")])[0]
    yield Reply(
        {
            "names": kernel.feature_names(2),
            "features": features,
            "products": products,
            "summed": sum(products),
            "kernel": float(kernel(both)[0, 1]),
            "counts": [kernel.n_features(2), kernel.n_features(PICTURE)],
            "points": points.tolist(),
            "labels": labels.tolist(),
            "right": sum(f * y > 0 for f, y in zip(sides, labels.tolist(), strict=True)),
            "all": N_POINTS,
        },
        {"cut": picture(cut)},
    )


ASKS: Mapping[str, Ask] = {"pair": Ask(pair)}
