"""States of branches that join: their sums and their products."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from ntkit.kernels.infinite.activations.pair import safe_sqrt
from ntkit.kernels.infinite.moments.state import PairState, covariance_only

__all__ = ["multiply", "weighted_sum"]


def weighted_sum(states: Sequence[PairState], weights: Sequence[float]) -> PairState:
    """The sum of independent states, each times the square root of its weight.

    With all but one mean zero it is a residual sum (weights 1); a concatenation of features is one
    whose weights are the shares of the features.
    """
    total = states[0].scaled(weights[0]) if weights[0] != 1 else states[0]
    for state, weight in zip(states[1:], weights[1:], strict=True):
        total = _add(total, state.scaled(weight) if weight != 1 else state)
    return total


def multiply(first: PairState, second: PairState) -> PairState:
    """The elementwise product of two independent states."""
    ntk = None
    if first.ntk is not None and second.ntk is not None:
        ntk = first.ntk * second.cov + first.cov * second.ntk
    state = replace(_with_scales_of_both(first, second), cov=first.cov * second.cov, ntk=ntk)
    if first.var1 is None or second.var1 is None:
        return covariance_only(state)
    p, q = first.pair, second.pair
    state = replace(state, var1=p.var1 * q.var1, var2=p.var2 * q.var2)
    if first.apart is None or second.apart is None:
        return replace(state, apart=None, together=None)
    return replace(
        state,
        apart=(p.apart * q.together + p.together * q.apart) / 4,
        together=(p.apart * q.apart + p.together * q.together) / 4,
    )


def _add(first: PairState, second: PairState) -> PairState:
    ntk = None
    if first.ntk is not None and second.ntk is not None:
        ntk = first.ntk + second.ntk
    state = replace(_with_scales_of_both(first, second), cov=first.cov + second.cov, ntk=ntk)
    if first.var1 is None or second.var1 is None:
        return covariance_only(state)
    assert first.var2 is not None and second.var1 is not None and second.var2 is not None
    var1, var2 = first.var1 + second.var1, first.var2 + second.var2
    if first.apart is None or second.apart is None:
        return replace(state, var1=var1, var2=var2, apart=None, together=None)
    p, q = first.pair, second.pair
    new = safe_sqrt(var1) * safe_sqrt(var2)
    # 2 (new - |p| - |q|) of the products of lengths: the defect in Cauchy and Schwarz's inequality
    cross = safe_sqrt(p.var1) * safe_sqrt(q.var2) - safe_sqrt(q.var1) * safe_sqrt(p.var2)
    below = new + p.norms + q.norms
    defect = 2 * cross**2 / torch.where(below > 0, below, 1)
    return replace(
        state,
        var1=var1,
        var2=var2,
        apart=p.apart + q.apart + defect,
        together=p.together + q.together + defect,
    )


def _with_scales_of_both(first: PairState, second: PairState) -> PairState:
    """The first state, whose trained scales, or those of the second, are no longer its units' own."""
    return first.factorised() if first.has_scales or second.has_scales else first
