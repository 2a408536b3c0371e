"""Gram matrices of prepared points: the route, the tiles, and how they are put together."""

import torch
from torch import Tensor

from ntkit.kernels.infinite.by_angle import gram_by_angle
from ntkit.kernels.infinite.by_cosine import gram_by_cosine
from ntkit.kernels.infinite.engine import learn_alone, propagate, run_tiles
from ntkit.kernels.infinite.prepared import Prepared
from ntkit.kernels.infinite.steps import Context, Side

__all__ = ["diagonal_values", "gram_matrices"]

_TILE_BYTES = 2**24
"""For all tables of a tile. More leaves the caches; less makes threads wait for the interpreter."""

_COLUMNS = 64
"""Of a tile, where there are positions."""


def gram_matrices(
    prepared: Prepared, left: Side, right: Side | None, dtype: torch.dtype
) -> list[Tensor]:
    """One `[n, m]` (or `[n, m, *positions]`) for each output; `right` left out is `left`."""
    first, second = next(iter(left.features.values())), None
    if right is not None:
        second = next(iter(right.features.values()))
    tracked = _tracked(prepared, left) or (right is not None and _tracked(prepared, right))
    if prepared.is_elementwise and not tracked:
        quick = gram_by_angle(prepared, first, second, dtype)
        quick = gram_by_cosine(prepared, first, second, dtype) if quick is None else quick
        if quick is not None:
            return [quick]
    other = left if right is None else right
    learn_alone(prepared.reading, prepared.wanted, left)
    if right is not None:
        learn_alone(prepared.reading, prepared.wanted, right)
    n, m = len(first), len(first if second is None else second)
    sizes = _tile_sizes(n, m, prepared)
    symmetric = right is None
    out: list[Tensor] = []

    def states(i: int, i_stop: int, j: int, j_stop: int) -> list[Tensor]:
        same = None
        if symmetric:
            rows = torch.arange(i, i_stop, device=first.device)
            same = rows[:, None] == torch.arange(j, j_stop, device=first.device)
        context = Context(left.rows(i, i_stop), other.rows(j, j_stop), prepared.with_ntk, same)
        found = propagate(prepared.reading, prepared.wanted, context)
        return [prepared.value(state) for state in found]

    if tracked:
        return _joined(states, n, m, sizes)

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        for k, values in enumerate(states(i, i_stop, j, j_stop)):
            out[k][i:i_stop, j:j_stop] = values
            if symmetric:
                out[k][j:j_stop, i:i_stop] = _transposed(values, prepared, k)

    probe = states(0, 1, 0, 1)
    out += [values.new_empty(n, m, *values.shape[2:]) for values in probe]
    for _ in run_tiles(tile, n, m, sizes, symmetric=symmetric, parallel=True):
        pass
    return out


def diagonal_values(prepared: Prepared, points: Side) -> list[Tensor]:
    """`[n]` for each output, each point with itself."""
    learn_alone(prepared.reading, prepared.wanted, points)
    n = len(next(iter(points.features.values())))
    chunk = max(1, _TILE_BYTES // prepared.plan("").bytes_per_pair)
    parts: list[list[Tensor]] = []
    for start in range(0, n, chunk):
        part = points.rows(start, min(n, start + chunk))
        context = Context(part, None, prepared.with_ntk)
        states = propagate(prepared.reading, prepared.wanted, context)
        parts.append([prepared.value(state)[:, 0] for state in states])
    return [torch.cat(values) for values in zip(*parts, strict=True)]


def _tile_sizes(n: int, m: int, prepared: Prepared) -> tuple[int, int]:
    """Rows and columns of a tile.

    With positions a few rows, and columns enough for long runs in memory: what is known of a
    column alone is worked out once a tile.
    """
    pairs = max(1, _TILE_BYTES // prepared.plan("").bytes_per_pair)
    columns = min(m, pairs, _COLUMNS) if prepared.has_positions else min(m, pairs)
    return max(1, min(n, pairs // columns)), columns


def _joined(states, n: int, m: int, sizes: tuple[int, int]) -> list[Tensor]:  # type: ignore[no-untyped-def]
    """All tiles, with their gradients."""
    height, width = sizes
    rows = []
    for i in range(0, n, height):
        row = [states(i, min(n, i + height), j, min(m, j + width)) for j in range(0, m, width)]
        rows.append([torch.cat(parts, 1) for parts in zip(*row, strict=True)])
    return [torch.cat(parts) for parts in zip(*rows, strict=True)]


def _transposed(values: Tensor, prepared: Prepared, output: int) -> Tensor:
    """The same pairs the other way round: points and, where all pairs are kept, positions change places."""
    turned = values.transpose(0, 1)
    positions = prepared.reading.steps[prepared.reading.outputs[output]].value.positions
    k = len(positions)
    if values.ndim == 2 + 2 * k and k:
        order = [0, 1, *range(2 + k, 2 + 2 * k), *range(2, 2 + k)]
        turned = turned.permute(order)
    return turned


def _tracked(prepared: Prepared, points: Side) -> bool:
    """Whether gradients are wanted, of the points or of hyperparameters."""
    if not torch.is_grad_enabled():
        return False
    return any(z.requires_grad for z in points.features.values()) or prepared.has_live_scales
