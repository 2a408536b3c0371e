"""First layers of few inputs: sums of a few weights that are not Gaussian at any width."""

from collections.abc import Sequence
from math import sqrt

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

from ntkit._core.outside import warn
from ntkit.kernels.infinite.evidence.first_layers import ENOUGH, FirstLayer, first_layers
from ntkit.kernels.infinite.evidence.segment import End, Segment, segment
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.program.op import Side
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["check_inputs", "few_inputs"]

_SAID = 0.015
"""Relative difference from which a warning is worth its line: twelve inputs of a smooth nonlinearity."""

_TIMES = 4
"""Independent estimates of the difference: the mean product of two of them has no part of their noise."""

_UNITS = 2**12
"""Units of each, with weights that fill their cube evenly."""

_LEAST = 2**9
"""And no fewer, however many positions a unit has."""

_NUMBERS = 2**20
"""Units times points and positions beyond which there are fewer: some tenths of a second in all."""

_POINTS = 8
"""Points that the law is checked on at most; the largest deviation counts."""

_AXES = 512
"""Weights of a unit up to which draws that fill their cube evenly are quickly had."""


def check_inputs(
    traced: Traced, lowered: Lowered, variances: Variances, inputs: Sequence[Tensor], points: Side
) -> str | None:
    """Warn where uniform first layers of few inputs make the moments differ by a per cent and more.

    Args:
        traced: The module.
        lowered: Its steps.
        variances: Where those of plain layers come from.
        inputs: A few points, one tensor an input.
        points: Their features.

    Returns:
        The name of the layer; None if none is warned of.
    """
    found = few_inputs(traced, lowered, variances, inputs, points)
    if found is None or found[1] <= _SAID:
        return None
    first, size = found
    warn(
        f"`{first.name}` sums few inputs with uniform weights (PyTorch's default), so its units "
        "are not Gaussian at any width: at these points the moments of its nonlinearity are off "
        f"by about {100 * size:.0f} %. Draw its weights and biases from a normal law "
        f"(`nn.init.normal_`), use `ntkit.networks.{type(first.layer).__name__}`, or put an encoding with "
        "more features in front."
    )
    return first.name


def few_inputs(
    traced: Traced, lowered: Lowered, variances: Variances, inputs: Sequence[Tensor], points: Side
) -> tuple[FirstLayer, float] | None:
    """The uniform first layer of few inputs whose units differ most from Gaussian ones, and by how much.

    The module's own calls are run, from the first layers up to the next fresh weights, with units
    drawn by the one law and by the other, at the same quantiles and with the same second moments.
    What is compared are the second moments that the next layers get: relative, in the Frobenius norm
    over the pairs of points. Those of slopes count little: they come with the first layer's own part
    of the tangent kernel, one in the width of the whole.

    Returns:
        None where there is no such layer.
    """
    heard = {}
    for first in first_layers(traced, lowered, variances):
        size, count = first.heard(_features(first, points))
        total = float(size.sum())
        mean = float((size * count).sum()) / total if total else ENOUGH
        if mean < ENOUGH:
            heard[first] = mean, size[:1].numel()
    found = segment(traced, lowered, list(heard)) if heard else None
    if found is None:
        return None
    few = found.copied()
    positions = max(heard[first][1] for first in few.firsts)
    n = max(2, min(_POINTS, _NUMBERS // (positions * _UNITS)))
    like = next(traced.body.parameters())
    sizes = _differences(
        few, [x[:n].detach().to(like.dtype) for x in inputs], positions * n, points
    )
    if not sizes:
        return None
    end, size = max(sizes, key=lambda pair: pair[1])
    return min(end.firsts, key=lambda first: heard[first][0]), size


def _features(first: FirstLayer, points: Side) -> Tensor:
    """As the layer takes them."""
    return points.features[first.source].detach().movedim(-1, first.axis)


def _differences(
    few: Segment, inputs: list[Tensor], rows: int, points: Side
) -> list[tuple[End, float]]:
    """At each end, of the second moments, uniform weights against Gaussian ones."""
    seen = {first.name: _seen(first, points) for first in few.firsts}
    axes = sum(int(own.sum()) for own in seen.values())
    if axes > _AXES:
        return []
    units = max(_LEAST, 2 * axes, min(_UNITS, _NUMBERS // rows))
    found = [_off_and_whole(few, inputs, seen, units, seed) for seed in range(_TIMES)]
    sizes = []
    for end, *times in zip(few.ends, *found, strict=True):
        off, whole = (torch.stack(tables) for tables in zip(*times, strict=True))
        products = float(off.sum(0).square().sum() - off.square().sum()) / (_TIMES * (_TIMES - 1))
        sizes.append((end, sqrt(max(0.0, products)) / max(float(whole.mean(0).norm()), 1e-300)))
    return sizes


def _off_and_whole(
    few: Segment, inputs: list[Tensor], seen: dict[str, Tensor], units: int, seed: int
) -> list[tuple[Tensor, Tensor]]:
    """At each end, the difference of second moments, and those of Gaussian units."""
    axes = [int(own.sum()) for own in seen.values()]
    networks = max(1, units // max(first.units for first in few.firsts))
    most = max(networks * first.units for first in few.firsts)
    draws = SobolEngine(sum(axes), scramble=True, seed=seed).draw(most).double()
    quantiles = dict(zip(seen, draws.clamp(1e-9, 1 - 1e-9).split(axes, 1), strict=True))
    one, other = (
        few.moments(inputs, {
            first.name: _table(
                first,
                quantiles[first.name][: networks * first.units],
                seen[first.name],
                is_uniform=is_uniform,
            )
            for first in few.firsts
        })
        for is_uniform in (True, False)
    )  # fmt: skip
    return [(a - b, b) for a, b in zip(one, other, strict=True)]


def _seen(first: FirstLayer, points: Side) -> Tensor:
    """Which numbers of a unit have an input other than zero: of a table of words, those that occur."""
    seen = torch.ones(first.numbers, dtype=torch.bool)
    if first.axis == -1:
        seen[:-1] = (_features(first, points).flatten(0, -2) != 0).any(0).cpu()
    return seen


def _table(first: FirstLayer, quantiles: Tensor, seen: Tensor, *, is_uniform: bool) -> Tensor:
    """Draws of a unit's numbers, `[units, numbers]`, with a mean of zero and a covariance of one.

    Exactly so where they are enough: then whatever is linear has no difference at all.
    """
    uniform = sqrt(12) * (quantiles - 0.5)
    gaussian = sqrt(2) * torch.erfinv(2 * quantiles - 1)
    drawn = uniform if is_uniform else gaussian
    if not first.is_bias_uniform:
        drawn = torch.cat([drawn[:, :-1], gaussian[:, -1:]], 1)
    if len(drawn) >= 2 * drawn.shape[1]:
        drawn = drawn - drawn.mean(0)
        factor = torch.linalg.cholesky(drawn.T @ drawn / len(drawn))
        drawn = torch.linalg.solve_triangular(factor, drawn.T, upper=False).T
    table = drawn.new_zeros(len(drawn), len(seen))
    table[:, seen] = drawn
    return table
