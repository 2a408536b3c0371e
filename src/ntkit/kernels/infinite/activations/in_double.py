"""Moments of float32 pairs, computed in float64 and rounded once."""

from dataclasses import fields

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.base import Dual
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["pair_in_double", "rounded"]


def pair_in_double(pair: Pair) -> Pair:
    """The same pair in float64: squares of large lengths overflow in float32."""
    if pair.cov.dtype == torch.float64:
        return pair
    return Pair(*(getattr(pair, field.name).double() for field in fields(Pair)))


def rounded(dual: Dual, dtype: torch.dtype) -> Dual:
    """The moments in the caller's dtype."""
    if dual.cov.dtype == dtype:
        return dual

    def to(table: Tensor | None) -> Tensor | None:
        return None if table is None else table.to(dtype)

    return Dual(dual.cov.to(dtype), to(dual.slope), to(dual.apart), to(dual.together))
