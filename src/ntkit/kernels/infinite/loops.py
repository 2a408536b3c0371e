"""Compiled loops (numba, the extra `fast`): all that is done to an entry at once, in registers.

Each has the form that torch computes pass by pass as its oracle: `PiecewiseLinear.quick`,
`convolved` and the polynomials of `by_angle`. Imported by `compiled.loops_for` alone.
"""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

__all__ = ["DEGREES", "mirror", "piecewise_linear", "profile", "window_sums"]

_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",  # a division that may raise is not made many at a time
    "fastmath": {"contract", "nsz"},
}

DEGREES = (8, 12, 16, 20, 24, 28, 32)
"""Of the polynomials that `profile` has a loop for."""

_BLOCK = 16
"""Rows and columns that are turned at a time: whole lines of the cache on either side."""


def _series(z: Any) -> Any:
    """`(asin(b) - b) / b^3` at `z = b^2 <= 1/2`, best approximations with errors of 1e-17 and 2e-9."""
    raise NotImplementedError


@overload(_series)
def _series_for(z: Any) -> Callable[[Any], Any]:
    """Four short chains, as each step waits for the one before."""
    if z == types.float32:

        def single(z: Any) -> Any:
            z2 = z * z
            a = np.float32(0.1088924104121617)
            a = a * (z2 * z2) + np.float32(0.02719439452945653)
            a = a * (z2 * z2) + np.float32(0.1666666681082116)
            b = np.float32(-0.008723525739347851) * (z2 * z2) + np.float32(0.0749995342318574)
            c = np.float32(0.09377865697330971) * (z2 * z2) + np.float32(0.044667349463938646)
            d = np.float32(-0.1210944285222341) * (z2 * z2) + np.float32(0.029892416916016403)
            return (a + b * z) + (c + d * z) * z2

        return single

    def double(z: Any) -> Any:
        z2 = z * z
        z4 = z2 * z2
        a = 5.436384462318588 * z4 + 0.952265420570822
        a = a * z4 + 0.011310924828955462
        a = a * z4 + 0.0223721770065477
        a = a * z4 + 0.16666666666666669
        b = -3.0948547605199717 * z4 - 2.3535297860232123
        b = b * z4 - 0.0032941927380090922
        b = b * z4 + 0.017352221539201188
        b = b * z4 + 0.07499999999998412
        c = 0.8387674099544927 * z4 + 4.3847119392409954
        c = c * z4 + 0.07377343868679113
        c = c * z4 + 0.013975730180211136
        c = c * z4 + 0.04464285714665563
        d = -5.883233416999023 * z4 - 0.2809947932275328
        d = d * z4 + 0.01139924601483468
        d = d * z4 + 0.030381944084994415
        return (a + b * z) + (c + d * z) * z2

    return double


@register_jitable
def _angle(cosine: Any, sine: Any, half_pi: Any) -> Any:
    """The arc cosine, from the lesser of cosine and sine: every digit at either end."""
    size = abs(cosine)
    least = min(size, sine)
    square = least * least
    angle = least + least * square * _series(square)
    angle = angle if sine < size else half_pi - angle
    return half_pi + half_pi - angle if cosine < half_pi - half_pi else angle


@numba.njit(**_OPTIONS)
def piecewise_linear(
    cov: Any,
    ntk: Any,
    left: Any,
    right: Any,
    row_of: Any,
    column_of: Any,
    constants: Any,
    moments: Any,
    tangents: Any,
) -> None:
    """`linear cov + bend |u||v| (sin t + (pi - t) cos t)` and `ntk (linear + bend (pi - t))`.

    Args:
        cov: `[o, r]`.
        ntk: The same, or None.
        left: Lengths of the first points and their inverses, `[2, *, r]`.
        right: Those of the second points.
        row_of: Which of `left` belongs to each `o`.
        column_of: Which of `right`.
        constants: `linear`, `bend`, 1 and `pi / 2`, in the dtype of `cov`.
        moments: Where the first result goes, `[o, r]`.
        tangents: Where the second goes, `[o, r]`, or None.
    """
    linear, bend, one, half_pi = constants[0], constants[1], constants[2], constants[3]
    for o in range(cov.shape[0]):
        lengths1, inverses1 = left[0, row_of[o]], left[1, row_of[o]]
        lengths2, inverses2 = right[0, column_of[o]], right[1, column_of[o]]
        entries, first = cov[o], moments[o]
        if ntk is not None:
            before, second = ntk[o], tangents[o]
        for r in range(entries.shape[0]):
            entry = entries[r]
            cosine = min(max(entry * (inverses1[r] * inverses2[r]), -one), one)
            sine = math.sqrt((one - cosine) * (one + cosine))
            far = half_pi + half_pi - _angle(cosine, sine, half_pi)
            norms = lengths1[r] * lengths2[r]
            first[r] = linear * entry + bend * norms * (sine + far * cosine)
            if ntk is not None:
                second[r] = before[r] * (linear + bend * far)


@numba.njit(**_OPTIONS)
def window_sums(
    tables: Any, plus: Any, outer: Any, shifts: Any, masks: Any, factors: Any, out: Any
) -> None:
    """`weight` times the sum over taps along two pairs of axes, and more: `own plus + shift`.

    The two axes of a pair go in step. Taps come in threes, so that sums stay in registers.

    Args:
        tables: `[n, s, s, t]`, the axes of the second pair flattened.
        plus: What is added, of the same shape; None for nothing.
        outer: How far each tap of the first pair reaches, `[k, 3]`: `out[i]` has `table[i + reach]`.
        shifts: The same of the second pair, along the flattened axis.
        masks: 0 where a tap of the second pair would reach over the border, `[k, 3, t]`, else 1.
        factors: `weight`, `own` and `shift`, in the tables' dtype.
        out: Where the sums go, shaped like `tables`.
    """
    count, size, _, length = tables.shape
    weight, own, shift = factors[0], factors[1], factors[2]
    border = np.abs(shifts).max()
    nothing = np.zeros_like(masks[0, 0])
    padded = np.zeros(length + 2 * border, masks.dtype)
    sums = padded[border : border + length]
    for n in range(count):
        for i in range(size):
            for j in range(size):
                for k in range(outer.shape[0]):
                    a = _entries(tables[n], i + outer[k, 0], j + outer[k, 0], nothing)
                    b = _entries(tables[n], i + outer[k, 1], j + outer[k, 1], nothing)
                    c = _entries(tables[n], i + outer[k, 2], j + outer[k, 2], nothing)
                    if k == 0:
                        for q in range(length):
                            sums[q] = weight * (a[q] + b[q] + c[q])
                    else:
                        for q in range(length):
                            sums[q] += weight * (a[q] + b[q] + c[q])
                target = out[n, i, j]
                if plus is None:
                    target[:] = shift
                else:
                    before = plus[n, i, j]
                    for q in range(length):
                        target[q] = own * before[q] + shift
                for k in range(shifts.shape[0]):
                    a = padded[border + shifts[k, 0] :]
                    b = padded[border + shifts[k, 1] :]
                    c = padded[border + shifts[k, 2] :]
                    mask1, mask2, mask3 = masks[k, 0], masks[k, 1], masks[k, 2]
                    for q in range(length):
                        target[q] += mask1[q] * a[q] + mask2[q] * b[q] + mask3[q] * c[q]


@register_jitable
def _entries(table: Any, i: int, j: int, nothing: Any) -> Any:
    """`table[i, j]`; `nothing` beyond the border."""
    size = table.shape[0]
    return table[i, j] if 0 <= i < size and 0 <= j < size else nothing


@numba.njit(**_OPTIONS)
def mirror(matrix: Any, row: int, row_stop: int, column: int, column_stop: int) -> None:
    """Copy a tile of a symmetric matrix to its place below the diagonal, block by block."""
    for i in range(row, row_stop, _BLOCK):
        i_stop = min(i + _BLOCK, row_stop)
        for j in range(column, column_stop, _BLOCK):
            for b in range(j, min(j + _BLOCK, column_stop)):
                for a in range(i, i_stop):
                    matrix[b, a] = matrix[a, b]


@cache
def profile(degree: int, is_of_angle: bool) -> Callable[..., None]:
    """The loop for a polynomial of one of the degrees, of the angle or of its cosine.

    It takes cosines `[n, m]`, coefficients from the highest power `[degree + 1]`, constants (the
    centre, 1 and `pi / 2`, in the same dtype), scales of all rows and of all columns of a matrix, the
    matrix, and the row and column of it at which the values go.
    """

    @numba.njit(**_OPTIONS)
    def evaluate(
        cosines: Any,
        coefficients: Any,
        constants: Any,
        rows: Any,
        columns: Any,
        out: Any,
        row: int,
        column: int,
    ) -> None:
        centre, one, half_pi = constants[0], constants[1], constants[2]
        for i in range(cosines.shape[0]):
            entries, scale = cosines[i], rows[row + i]
            factors = columns[column : column + entries.shape[0]]
            values = out[row + i, column : column + entries.shape[0]]
            for j in range(entries.shape[0]):
                x = entries[j]
                if is_of_angle:
                    x = min(max(x, -one), one)
                    x = _angle(x, math.sqrt((one - x) * (one + x)), half_pi)
                x -= centre
                value = coefficients[0]
                for k in range(degree):
                    value = value * x + coefficients[k + 1]
                values[j] = value * (scale * factors[j])

    return evaluate
