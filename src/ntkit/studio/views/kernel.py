"""Kernel: what one pixel says of the others, with the encoding and without."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from ntkit.grids import Grid
from ntkit.kernels import InfiniteKernel, ntk, profile_of, seen_from
from ntkit.studio.asks import Ask, Reply, number
from ntkit.studio.desk import Desk, Drawer
from ntkit.tuning import Candidate, NetworkPlan

__all__ = ["ASKS"]

_COARSE = 4  # every so many-th pixel of a raw kernel, which is smooth and no table of lags

_KEPT = 20  # kernels, of some megabytes each


def _kernel(desk: Desk, candidate: Candidate, values: Mapping[str, Any]) -> InfiniteKernel:
    """Of the network of a plan; one output, as all share it. Kept while only the pixel or the bandwidth moves."""
    task = desk.signal.task
    plan = NetworkPlan(
        task.in_dim,
        1,
        width=task.width,
        depth=round(number(values, "depth", 1, 10)),
        n_frequencies=round(number(values, "frequencies", 4, 2048)),
    )
    known: Drawer[tuple[Candidate, NetworkPlan], InfiniteKernel] = desk.drawer("kernel", _KEPT)
    return known.kept((candidate, plan), lambda: ntk(plan.build(candidate)[0], variances="default"))


def encoded(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The kernel around a pixel with Gaussian features of a bandwidth."""
    bandwidth = number(values, "bandwidth", 0.1, 1e6)
    kernel = _kernel(desk, Candidate("gaussian", 1.0), values)
    seen, content = _seen(desk, kernel, values, 1, stretch=bandwidth)
    cut = profile_of(seen[content["row"]] if seen.ndim == 2 else seen, content["column"])
    said = {"floor": cut.floor, "width": cut.width, "lobe": cut.lobe, "lobe_at": cut.lobe_at}
    yield Reply({**content, **said}, {"kernel": seen.float().numpy()})


def raw(desk: Desk, values: Mapping[str, Any]) -> Iterator[Reply]:
    """The same without an encoding: no spot, of which a width could be told."""
    every = _COARSE if desk.signal.task.in_dim > 1 else 1
    seen, content = _seen(desk, _kernel(desk, Candidate("identity"), values), values, every)
    yield Reply(content, {"kernel": seen.float().numpy()})


def _seen(
    desk: Desk,
    kernel: InfiniteKernel,
    values: Mapping[str, Any],
    every: int,
    *,
    stretch: float = 1.0,
) -> tuple[Tensor, dict[str, int]]:
    """The kernel from a pixel, and which one, on every so many-th pixel, that one among them; a line is one row."""
    shape = desk.signal.task.shape
    height, width = (1, *shape) if len(shape) == 1 else shape
    row = round(number(values, "row", 0, height - 1))
    column = round(number(values, "column", 0, width - 1))
    pixel = (row, column)[-len(shape) :]
    grid: Grid = Grid(shape)[tuple(slice(i % every, None, every) for i in pixel)]
    seen = seen_from(kernel, grid, [i // every for i in pixel], stretch=stretch)
    return seen, {"row": row, "column": column, "every": every}


ASKS: Mapping[str, Ask] = {"encoded": Ask(encoded), "raw": Ask(raw)}
