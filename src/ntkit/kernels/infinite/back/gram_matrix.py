"""Gram matrices of points: the route, the tiles, and how they are put together."""

from collections.abc import Callable

import torch
from torch import Tensor

from ntkit._core.chunk_sizes import TILE_TABLES
from ntkit.kernels.infinite.back.by_angle import chosen, gram_by_angle
from ntkit.kernels.infinite.back.by_cosine import gram_by_cosine, pays
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.interpreter import learn_alone, propagate, run_tiles
from ntkit.kernels.infinite.back.request import Request
from ntkit.kernels.infinite.back.result_memory import result_memory
from ntkit.kernels.infinite.program.op import Context, Side

__all__ = ["diagonal_values", "gram_matrices", "is_by_angle"]

_COLUMNS = 64
"""Of a tile, where there are positions."""

States = Callable[[int, int, int, int], list[Tensor]]


def gram_matrices(
    executable: Executable, left: Side, right: Side | None, dtype: torch.dtype, job: Request
) -> list[Tensor]:
    """One `[n, m]` (or `[n, m, *positions]`) in `dtype` for each output.

    Args:
        executable: The program.
        left: Points of the rows.
        right: Points of the columns; `left` if left out.
        dtype: Of the result.
        job: Where it goes, and in how much memory.

    Raises:
        ValueError: The result cannot go where the job says.
    """
    symmetric = right is None
    other = left if right is None else right
    first, second = _points(left), _points(other)
    n, m = len(first), len(second)
    like = first.new_empty(0, dtype=dtype)
    is_tracked = _tracked(executable, left) or (right is not None and _tracked(executable, right))
    if job.out is not None and (is_tracked or len(executable.program.outputs) > 1):
        why = "gradients are wanted" if is_tracked else "the module has several outputs"
        raise ValueError(
            f"`out=` takes one matrix without gradients, and {why}. Leave it out, or "
            + ("work under `torch.no_grad()`." if is_tracked else "return one output.")
        )
    choice = None
    if not is_tracked:
        choice = chosen(executable, first, None if symmetric else second, dtype)
    if choice is not None:
        out = result_memory(job.out, (n, m), like)
        gram_by_angle(choice, first, None if symmetric else second, out, job)
        return [out]
    if not is_tracked and pays(executable, n, m, job, first.device):
        out = result_memory(job.out, (n, m), like)
        gram_by_cosine(executable, first, None if symmetric else second, out, job)
        return [out]
    bytes_per_pair = executable.bytes_per_pair
    threads = job.threads(bytes_per_pair, first.device)
    learn_alone(executable.program, executable.wanted, left)
    if right is not None:
        learn_alone(executable.program, executable.wanted, right)
    budget = min(TILE_TABLES.on(first.device), job.memory // threads)
    sizes = _tile_sizes(n, m, max(1, budget // bytes_per_pair), executable)
    states = _states(executable, left, right)
    if is_tracked:
        found = _joined(states, n, m, sizes)
        return [_mirrored(k) if symmetric and k.ndim == 2 else k for k in found]
    shapes = [(n, m)] * len(executable.program.outputs)
    if executable.has_positions:
        shapes = [(n, m, *values.shape[2:]) for values in states(0, 1, 0, 1)]
    out = [result_memory(job.out, shape, like) for shape in shapes]

    def tile(i: int, i_stop: int, j: int, j_stop: int) -> None:
        for k, found in enumerate(states(i, i_stop, j, j_stop)):
            values = found.to(dtype)
            if symmetric and j < i_stop:
                # Both ways of a pair are here, and may round in two ways: one is written twice.
                here, there = out[k][i:i_stop, j:j_stop], out[k][j:j_stop, i:i_stop]
                here.copy_(torch.where(_above(values, i - j), values, here))
                turned = _transposed(values, executable, k)
                there.copy_(torch.where(_above(values, i - j + 1).transpose(0, 1), turned, there))
                continue
            out[k][i:i_stop, j:j_stop] = values
            if symmetric:
                out[k][j:j_stop, i:i_stop] = _transposed(values, executable, k)

    run_tiles(tile, n, m, sizes, job, symmetric=symmetric, threads=threads)
    return out


def diagonal_values(executable: Executable, points: Side) -> list[Tensor]:
    """`[n]` for each output, each point with itself."""
    learn_alone(executable.program, executable.wanted, points)
    n, device = len(_points(points)), _points(points).device
    chunk = max(1, TILE_TABLES.on(device) // executable.bytes_per_pair)
    parts: list[list[Tensor]] = []
    for start in range(0, n, chunk):
        part = points.rows(start, min(n, start + chunk))
        context = Context(part, None, executable.with_ntk)
        states = propagate(executable.program, executable.wanted, context)
        parts.append([executable.value(state)[:, 0] for state in states])
    return [torch.cat(values) for values in zip(*parts, strict=True)]


def is_by_angle(executable: Executable, points: Side, dtype: torch.dtype) -> bool:
    """Whether the symmetric matrix of these points takes the quick route."""
    if _tracked(executable, points):
        return False
    return chosen(executable, _points(points), None, dtype) is not None


def _points(side: Side) -> Tensor:
    return next(iter(side.features.values()))


def _states(executable: Executable, left: Side, right: Side | None) -> States:
    """`states(i, i_stop, j, j_stop)`: the kernels of a tile."""
    other = left if right is None else right
    device = _points(left).device

    def states(i: int, i_stop: int, j: int, j_stop: int) -> list[Tensor]:
        same = None
        if right is None:
            rows = torch.arange(i, i_stop, device=device)
            same = rows[:, None] == torch.arange(j, j_stop, device=device)
        context = Context(left.rows(i, i_stop), other.rows(j, j_stop), executable.with_ntk, same)
        found = propagate(executable.program, executable.wanted, context, executable.chains)
        return [executable.value(state) for state in found]

    return states


def _tile_sizes(n: int, m: int, pairs: int, executable: Executable) -> tuple[int, int]:
    """Rows and columns of a tile.

    With positions a few rows, and columns enough for long runs in memory: what is known of a
    column alone is worked out once a tile.
    """
    columns = min(m, pairs, _COLUMNS) if executable.has_positions else min(m, pairs)
    return max(1, min(n, pairs // columns)), columns


def _joined(states: States, n: int, m: int, sizes: tuple[int, int]) -> list[Tensor]:
    """All tiles, with their gradients."""
    height, width = sizes
    rows = []
    for i in range(0, n, height):
        row = [states(i, min(n, i + height), j, min(m, j + width)) for j in range(0, m, width)]
        rows.append([torch.cat(parts, 1) for parts in zip(*row, strict=True)])
    return [torch.cat(parts) for parts in zip(*rows, strict=True)]


def _mirrored(matrix: Tensor) -> Tensor:
    """The upper triangle, on both sides of the diagonal."""
    return matrix.triu() + matrix.triu(1).T


def _above(values: Tensor, diagonal: int) -> Tensor:
    """Which pairs of a tile lie on its diagonal of this number or above it, `[n, m, ...]`."""
    above = values.new_ones(values.shape[:2], dtype=torch.bool).triu(diagonal)
    return above.reshape(*above.shape, *(1,) * (values.ndim - 2))


def _transposed(values: Tensor, executable: Executable, output: int) -> Tensor:
    """The same pairs the other way round: points and, where all pairs are kept, positions change places."""
    turned = values.transpose(0, 1)
    positions = executable.program.ops[executable.program.outputs[output]].units.positions
    k = len(positions)
    if values.ndim == 2 + 2 * k and k:
        order = [0, 1, *range(2 + k, 2 + 2 * k), *range(2, 2 + k)]
        turned = turned.permute(order)
    return turned


def _tracked(executable: Executable, points: Side) -> bool:
    """Whether gradients are wanted, of the points or of hyperparameters."""
    if not torch.is_grad_enabled():
        return False
    return any(z.requires_grad for z in points.features.values()) or executable.is_live
