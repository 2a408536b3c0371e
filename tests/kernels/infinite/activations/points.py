"""Pairs of Gaussian units at chosen lengths and angles, exact in many digits, and their float tensors."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import mpmath
import torch
from mpmath import mp, mpf

from ntkit.kernels.infinite.activations.pair import Pair
from tests.kernels.infinite.activations.formulas import DIGITS

__all__ = ["ANGLES", "NORMS", "Exact", "exact_pairs", "pair_of"]

ANGLES = ("0", "1e-9", "1e-4", "0.3", "1")
"""Taken from 0 and from pi; a right angle comes with them."""

NORMS = (
    *((1e-6, 1e-6), (1.0, 1.0), (1e6, 1e6)),
    *((1e-6, 1e6), (2.0, 3.0), (1e-6, 2e-6)),
    *((1.0, 1 + 1e-6), (1e6, 1e6 + 1.0), (0.0, 0.0), (0.0, 1.0)),
)


@dataclass(frozen=True)
class Exact:
    """One pair: representable variances, and the distance of the nearer of `v` and `-v`.

    The floats of `Pair` say the same thing several times over, rounded. What counts as true are the
    two variances and the smaller of `apart` and `together`, which float32 holds exactly; the rest
    follows.
    """

    var1: mpf
    var2: mpf
    cov: mpf
    apart: mpf
    together: mpf


def exact_pairs(
    lengths: Iterable[tuple[float, float]] = NORMS,
) -> list[Exact]:
    """All norms at all angles, from 0 and from pi."""
    found = []
    with mp.workdps(DIGITS):
        for lengths_of_pair in lengths:
            var1, var2 = (_rounded(mpf(n) ** 2) for n in lengths_of_pair)
            norms = mpmath.sqrt(var1 * var2)
            for is_far, name in product((False, True), (*ANGLES, "pi/2")):
                if name == "pi/2" and is_far:
                    continue
                angle = mp.pi / 2 if name == "pi/2" else mpf(name)
                small = _rounded(4 * norms * mpmath.sin(angle / 2) ** 2)
                large = 4 * norms - small
                apart, together = (large, small) if is_far else (small, large)
                found.append(Exact(var1, var2, (together - apart) / 4, apart, together))
    return found


def pair_of(exact: list[Exact], dtype: torch.dtype) -> Pair:
    """Their tensors, each number rounded once."""

    def column(name: str) -> torch.Tensor:
        return torch.tensor([float(getattr(e, name)) for e in exact], dtype=torch.float64).to(dtype)

    return Pair(*(column(name) for name in ("cov", "apart", "together", "var1", "var2")))


def _rounded(x: mpf) -> mpf:
    return mpf(float(torch.tensor(float(x), dtype=torch.float64).float()))
