"""Fourier features: the encoding says which frequencies come first."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from ntkit.encodings import Basic, Gaussian
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk
from ntkit.studio.story.bias import CIRCLE, CYCLES, CircleKernel, target

__all__ = ["ASKS", "encoding"]

_KEPT = 4  # encodings


def encoding(values: Mapping[str, Any]) -> Gaussian:
    """Random whole frequencies, so that the circle stays one."""
    seed = round(number(values, "seed", 0, 1e6))
    return Gaussian(
        1,
        round(number(values, "count", 1, 512)),
        number(values, "bandwidth", 0.1, 64),
        torch.Generator().manual_seed(seed),
        integer=True,
    )


def compare(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The same target at the same time, on the plain circle and on random frequencies."""
    wanted, time = target(values), number(values, "time", 0, 1e9)
    features = encoding(values)
    key = (features.bandwidth, len(features.frequencies), values.get("seed"))
    plain: CircleKernel = desk.drawer("bias").kept("plain", lambda: CircleKernel(Basic(1)))
    encoded: CircleKernel = desk.drawer("fourier", _KEPT).kept(key, lambda: CircleKernel(features))
    yield Reply({
        "turns": CIRCLE.points()[:, 0].tolist(),
        "target": wanted.tolist(),
        "cycles": CYCLES,
        "time": time,
        "drawn": features.frequencies[:, 0].abs().tolist(),
        "plain": plain.learned(wanted, time),
        "features": encoded.learned(wanted, time),
    })


ASKS: Mapping[str, Ask] = {"compare": Ask(compare)}
