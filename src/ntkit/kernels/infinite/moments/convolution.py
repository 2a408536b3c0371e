"""Convolutions: sums over windows of covariances, and what their weights make of them."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit.kernels.infinite.loops.available import loops_for
from ntkit.kernels.infinite.moments.layout import memory_order
from ntkit.kernels.infinite.moments.state import PairState, covariance_only
from ntkit.kernels.infinite.moments.window import Window, inside, sum_over_taps

__all__ = ["Windows", "convolved", "loop_arguments", "loop_order"]


@dataclass(frozen=True)
class Windows:
    """A convolution: windows, and what it does with the sums over them (see `PairState.affine`).

    Attributes:
        taps: The window along each position axis.
        sums: A factor of the sums, before all else.
        w: Of both kernels.
        b: Of the biases.
        own_weight: What the weights themselves contribute to the tangent kernel.
        own_bias: What the biases contribute.
        is_local: Whether each position has weights of its own: different ones are then independent.
    """

    taps: tuple[Window, ...]
    sums: float | Tensor
    w: float | Tensor
    b: float | Tensor
    own_weight: float | Tensor
    own_bias: float | Tensor
    is_local: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether compiled loops know it: every position keeps its place, and all are numbers."""
        numbers = self.sums, self.w, self.b, self.own_weight, self.own_bias
        plain = all(tap.is_plain for tap in self.taps)
        return plain and not any(isinstance(k, Tensor) for k in numbers) and bool(self.w != 0)

    @property
    def share(self) -> float | Tensor:
        """Of the covariance afterwards, `w cov + b`, in the tangent kernel."""
        return self.own_weight / self.w

    @property
    def shift(self) -> float | Tensor:
        """What is added to that."""
        return self.own_bias - self.share * self.b

    def trained(self, weight: bool, bias: bool) -> "Windows":
        """Without what frozen weights or biases would contribute."""
        return replace(
            self,
            own_weight=self.own_weight if weight else 0.0,
            own_bias=self.own_bias if bias else 0.0,
        )


def convolved(state: PairState, windows: Windows) -> PairState:
    """The sum over all windows, one axis after the other (taps of a box separate), and the weights.

    The variances are dropped: rules that call this have the effect "windows".
    """
    found = _convolved(state, windows)
    return found.decorrelated() if windows.is_local else found


def _convolved(state: PairState, windows: Windows) -> PairState:
    taps = windows.taps
    axes = len(taps)
    copies = 2 if state.layout == "pairs" else 1
    if windows.is_plain:
        quick = _by_loops(state, windows, copies)
        if quick is not None:
            return quick

    def on_pairs(table: Tensor) -> Tensor:
        order = memory_order(table.ndim, axes, copies)
        stored = table.permute(order).contiguous()
        for k, tap in enumerate(taps):
            weight = windows.sums if k == 0 else 1.0
            stored = sum_over_taps(stored, tap, k * copies, copies, weight)
        return stored.permute([order.index(k) for k in range(table.ndim)])

    summed = state.mixed(on_pairs, tuple(t.out_size for t in taps))
    return summed.affine(
        windows.w, windows.b, own_weight=windows.own_weight, own_bias=windows.own_bias
    )


def _by_loops(state: PairState, windows: Windows, copies: int) -> PairState | None:
    """The same by compiled loops, where they serve: a pass for each of the two tables."""
    cov, ntk = state.cov, state.ntk
    starts = ntk is not None and ntk.ndim == 0 and float(ntk) == 0
    loops = loops_for(cov.numel(), *((cov,) if ntk is None or starts else (cov, ntk)))
    if loops is None:
        return None
    axes = len(windows.taps)
    order = loop_order(cov.ndim, axes) if copies == 2 else memory_order(cov.ndim, axes, 1)
    back = [order.index(k) for k in range(cov.ndim)]
    first = cov.ndim - copies * axes if copies == 2 else 0  # where positions begin
    step = 1 if copies == 2 else cov.shape[:-axes].numel()
    size, *layers = loop_arguments((windows,), cov.dtype, copies, step)
    outer, shifts, masks, factors, own_factors = (each[0] for each in layers)

    def on_pairs(table: Tensor, plus: Tensor | None, factors: np.ndarray) -> Tensor:
        stored = table.permute(order).contiguous()
        for k, tap in enumerate(windows.taps[:-2]):
            stored = sum_over_taps(stored, tap, first + copies * k, copies, 1.0)
        out = torch.empty_like(stored)
        added = None if plus is None else plus.permute(order).reshape(-1).numpy()
        sizes = size, size if copies == 2 else 1
        arguments = *sizes, outer, shifts, masks, factors
        loops.window_sums(stored.view(-1).numpy(), added, *arguments, out.view(-1).numpy())
        return out.permute(back)

    after = on_pairs(cov, None, factors)
    if starts:
        ntk = windows.share * after + windows.shift
    elif ntk is not None:
        ntk = on_pairs(ntk.expand_as(cov), after, own_factors)
    return replace(covariance_only(state).without_scales(), cov=after, ntk=ntk)


def loop_order(ndim: int, axes: int) -> list[int]:
    """How compiled loops have a table of all pairs of positions in memory, outermost axis first.

    As `memory_order`, but each pair of points in one piece.
    """
    points = list(range(ndim - 2 * axes))
    return [*points, *memory_order(ndim, axes, 2)[: 2 * axes]]


@lru_cache(maxsize=64)
def loop_arguments(
    layers: tuple[Windows, ...], dtype: torch.dtype, copies: int = 2, step: int = 1
) -> tuple[Any, ...]:
    """Arguments of the compiled loops for plain convolutions of the same positions.

    Args:
        layers: The convolutions.
        dtype: Of the tables.
        copies: How often each axis of positions is there.
        step: Numbers from one position of the last axis to the next.

    Returns:
        Positions along the last axis but one (1 if there is one axis), and for each layer: reaches of
        the taps along that axis, shifts of those along the last, their masks, and the factors of
        covariances and of tangent kernels.
    """
    outers = [w.taps[-2] if len(w.taps) > 1 else Window(1, 1) for w in layers]
    inners = [w.taps[-1] for w in layers]
    most = [-(-max(tap.kernel for tap in taps) // 3) for taps in (outers, inners)]
    along = step * (inners[0].size + 1 if copies == 2 else 1)  # both copies of the axis at once
    factors = [[w.sums * w.w, 0.0, w.b] for w in layers]
    own_factors = [[w.sums * w.w, w.share, w.shift] for w in layers]
    own = torch.tensor(own_factors, dtype=dtype).numpy()
    return (
        outers[0].size,
        np.stack([_reaches(tap, most[0]) for tap in outers]),
        np.stack([_reaches(tap, most[1]) for tap in inners]) * along,
        np.stack([_masks(tap, most[1], copies, step) for tap in inners]).astype(own.dtype),
        torch.tensor(factors, dtype=dtype).numpy(),
        own,
    )


def _reaches(tap: Window, threes: int) -> np.ndarray:
    """Of each tap, in threes: what is missing reaches nowhere, `[threes, 3]`."""
    missing = 3 * threes - tap.kernel
    return np.array(tap.reaches + [tap.size] * missing).reshape(-1, 3)


def _masks(tap: Window, threes: int, copies: int, step: int) -> np.ndarray:
    """For each tap, 1 where it stays within the border, all axes in one: `[3 threes size^copies step]`."""
    masks = torch.stack([inside(tap, int(reach), copies) for reach in _reaches(tap, threes).flat])
    return masks.flatten(1)[..., None].expand(-1, -1, step).flatten().numpy()
