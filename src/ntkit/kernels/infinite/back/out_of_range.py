"""Kernels beyond the range of their numbers, and rules that make NaN of sound ones."""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.back.angle import state_at_angle
from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.back.interpreter import learn_alone, propagate
from ntkit.kernels.infinite.moments.state import PairState
from ntkit.kernels.infinite.program.op import Context, Side

__all__ = ["Why", "check_range", "nan_of_points", "nan_of_variance"]

Why = Callable[[int, int], str | None]
"""Of a pair of points, what an error says of the layer that makes NaN of it; None where there is none."""

_LOOKED_AT = 32
"""Rows of a matrix that are looked at for what is not finite: points are as long as others are."""

_ORDINARY = 1e100
"""Size of covariances up to which the points are not to blame for NaN: squares of larger ones leave float64."""

_FEW = torch.tensor([0.0, 0.7, 1.5], dtype=torch.float64)
"""Angles that stand for all."""


def check_range(table: Tensor, why: Why) -> None:
    """Refuse a kernel beyond the range of its numbers; of a large table some rows are looked at.

    Args:
        table: `[n, m, ...]`, or `[n]` of each point with itself.
        why: Asked of the first pair that is not finite.

    Raises:
        NumericalError: An entry is infinite or NaN.
    """
    rows = table.detach()[:: max(1, len(table) // _LOOKED_AT)]
    if isfinite(float(rows.sum())) or bool(torch.isfinite(rows).all()):
        return
    place = (~torch.isfinite(table.detach())).nonzero()[0].tolist()
    if (words := why(place[0], place[min(1, table.ndim - 1)])) is not None:
        raise NumericalError(words)
    wider = " or in float64" if table.dtype == torch.float32 else ""
    raise NumericalError(
        f"The kernel at these points is beyond the range of {table.dtype}: they are too long, or its "
        f"layers grow too fast. Pass shorter points{wider}, or a smaller `w_std`."
    )


def nan_of_points(executable: Executable, left: Side, right: Side | None) -> Why:
    """Which layer makes NaN of the pair of row `i` and column `j`.

    Args:
        executable: The program.
        left: Points of the rows.
        right: Points of the columns; None for those of the rows.
    """

    def why(i: int, j: int) -> str | None:
        one = left.rows(i, i + 1)
        other = None if right is None and i == j else (right or left).rows(j, j + 1)
        for side in (one, other):
            if side is not None:
                learn_alone(executable.program, executable.wanted, side)
        return _nan_of(executable, Context(one, other, executable.with_ntk))

    return why


def nan_of_variance(executable: Executable, variance: float) -> Why:
    """The same of points of one length, by a few of their angles, whichever pair it is."""
    points = state_at_angle(_FEW, variance, with_ntk=executable.with_ntk)
    nothing = Side({})
    context = Context(nothing, nothing, executable.with_ntk, points=points)
    return lambda i, j: _nan_of(executable, context)


@torch.no_grad()
def _nan_of(executable: Executable, context: Context) -> str | None:
    """The first layer that makes NaN of sound covariances, as an error says it; None where no layer does."""
    wanted = executable.wanted
    places = tuple(k for k, demand in enumerate(wanted) if demand is not None)
    program = replace(executable.program, outputs=places)
    states = dict(zip(places, propagate(program, wanted, context), strict=True))
    for k, state in states.items():
        op = program.ops[k]
        largest = max((_largest(states[before]) for before in op.inputs), default=0.0)
        if largest <= _ORDINARY and any(bool(t.isnan().any()) for t in _moments(state)):
            return (
                f"At {program.lines[k]}: `{op.name}` makes NaN of covariances of at most {largest:.2g}. The points "
                "are not to blame: correct the rule that is filed for it, or the numbers that it holds."
            )
    return None


def _moments(state: PairState) -> list[Tensor]:
    return [t for t in (state.cov, state.ntk, state.var1, state.var2) if t is not None]


def _largest(state: PairState) -> float:
    """Infinite where one is infinite or NaN."""
    sizes = [t.abs().nan_to_num(nan=torch.inf).max() for t in _moments(state)]
    return float(torch.stack(sizes).max())
