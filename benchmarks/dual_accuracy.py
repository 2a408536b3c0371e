"""Dual activations against textbook formulas in 100 digits (mpmath).

Pairs of units at 0, 1e-9, 1e-4, 0.3 and 1 radians from parallel and from opposite, and at a right
angle, with norms from 1e-6 to 1e6, equal, nearly equal (1e-6) and very unlike, zero vectors too; the
formulas are those of `tests/kernels/infinite/activations/formulas.py`, written in the covariance.
Errors are relative to the moment itself. What is zero to the last digit of the covariance (the sine's
moment at a right angle) is taken over the root mean squares instead. The angle of the outputs, which
the next layer sees, has its error in radians. All pairs are exact in float32, and the same in both.
"""

from math import inf

import mpmath
import torch
from mpmath import mp, mpf

from benchmarks.report import Row
from tests.kernels.infinite.activations import points
from tests.kernels.infinite.activations.formulas import DIGITS
from tests.kernels.infinite.activations.table import CLOSED
from tests.kernels.infinite.activations.table import Row as Case

PROMISED = ("relu", "erf", "gelu", "sin")
OTHERS = ("leaky_relu", "abs", "cos", "sin30", "gaussian", "monomial2", "sign")
TARGETS = {torch.float64: 1e-13, torch.float32: 2e-6}


def errors(case: Case, dtype: torch.dtype) -> tuple[float, float, float]:
    """Largest errors of `E[s s]`, of `E[s' s']` and of the outputs' angle; infinite for NaN and Inf."""
    pairs = points.exact_pairs()
    activation, pair = case.dual, points.pair_of(pairs, dtype)
    dual = activation.dual(pair)
    lengths = activation.variance(pair.var1.double()) * activation.variance(pair.var2.double())
    tables = dual.cov, dual.slope, dual.apart, dual.together
    if not all(bool(torch.isfinite(t).all()) for t in tables):
        return inf, inf, inf
    worst = [0.0, 0.0, 0.0]
    with mp.workdps(DIGITS):
        for k, e in enumerate(pairs):
            one, two, both = (
                case.formula(*moments)
                for moments in ((e.var1,) * 3, (e.var2,) * 3, (e.cov, e.var1, e.var2))
            )
            for place, table in enumerate(tables[:2]):
                scale = mpmath.sqrt(abs(one[place] * two[place]))
                size = max(abs(both[place]), scale * mpf(10) ** -40)
                error = abs(mpf(float(table[k])) - both[place])
                if error and size > torch.finfo(dtype).tiny:
                    crosses = abs(e.cov) < torch.finfo(dtype).eps * e.apart
                    worst[place] = max(worst[place], float(error / (scale if crosses else size)))
            length = mpmath.sqrt(one[0] * two[0])
            if length > torch.finfo(dtype).tiny and float(lengths[k]) > 0:
                exact = _angle(length - both[0], length + both[0])
                found = _angle(mpf(float(dual.apart[k])), mpf(float(dual.together[k])))
                worst[2] = max(worst[2], abs(float(found - exact)))
    return worst[0], worst[1], worst[2]


def _angle(apart: mpf, together: mpf) -> mpf:
    return 2 * mpmath.atan2(mpmath.sqrt(abs(apart)), mpmath.sqrt(abs(together)))


def measure() -> list[Row]:
    rows = []
    for name in (*PROMISED, *OTHERS):
        for dtype, target in TARGETS.items():
            bits = str(dtype)[6:]
            cov, slope, angle = errors(CLOSED[name], dtype)
            at_most = target if name in PROMISED else None
            rows.append(Row(f"{name}: E[s s], {bits}", cov, at_most=at_most))
            rows.append(Row(f"{name}: E[s' s'], {bits}", slope, at_most=at_most))
            rows.append(Row(f"{name}: angle of the outputs, {bits}", angle, "rad"))
    return rows
