"""Compiled loops (numba): all that is done to an entry at once, in registers; why one file, `options` says."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, no_type_check

import numba
import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from ntkit.kernels.infinite.loops.options import OPTIONS

__all__ = ["DEGREES", "chain", "piecewise_linear", "profile", "window_sums"]

DEGREES = (8, 12, 16, 20, 24, 28, 32)
"""Of the polynomials that `profile` has a loop for."""


def _series(z: Any) -> Any:
    """`(asin(b) - b) / b^3` at `z = b^2 <= 1/2`, best approximations with errors of 1e-17 and 2e-9."""
    raise NotImplementedError


@overload(_series)
@no_type_check
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
@no_type_check
def _angle(cosine: Any, sine: Any, half_pi: Any) -> Any:
    """The arc cosine, from the lesser of cosine and sine: every digit at either end."""
    size = abs(cosine)
    least = min(size, sine)
    square = least * least
    angle = least + least * square * _series(square)
    angle = angle if sine < size else half_pi - angle
    return half_pi + half_pi - angle if cosine < half_pi - half_pi else angle


@numba.njit(**OPTIONS)
@no_type_check
def piecewise_linear(
    cov: Any,
    ntk: Any,
    left: Any,
    right: Any,
    row_of: Any,
    column_of: Any,
    n_left: Any,
    constants: Any,
    new_cov: Any,
    new_ntk: Any,
) -> None:
    """`linear cov + bend |u||v| (sin t + (pi - t) cos t)` and `ntk (linear + bend (pi - t))`.

    Args:
        cov: Rows of `r` numbers, flat as all tables here.
        ntk: The same, or None.
        left: Rows of lengths of the first points, each with a row of their inverses after it; or a
            number each instead of a row.
        right: Rows of those of the second points.
        row_of: Which two rows of `left` belong to each row of `cov`, `[o]`.
        column_of: Which of `right`.
        n_left: How many rows of lengths `left` has.
        constants: `linear`, `bend`, 1, `pi / 2` and what cosines are multiplied by before they are
            cut off at 1, in the dtype of `cov`.
        new_cov: Where the first result goes.
        new_ntk: Where the second goes, or None.
    """
    count = cov.shape[0] // row_of.shape[0]
    length, zero = _unsigned(count), _unsigned(0)
    rows = left.shape[0] == 2 * count * n_left
    row = np.empty(2 * count, cov.dtype)
    for o in range(row_of.shape[0]):
        at, second = _unsigned(o) * length, _unsigned(2 * column_of[o]) * length
        if rows:
            first = _unsigned(2 * row_of[o]) * length
            _bent(cov, ntk, at, left, first, right, second, length, constants, new_cov, new_ntk, at)
        else:
            row[:count] = left[2 * row_of[o]]
            row[count:] = left[2 * row_of[o] + 1]
            _bent(cov, ntk, at, row, zero, right, second, length, constants, new_cov, new_ntk, at)


@register_jitable
@no_type_check
def _bent(
    cov: Any,
    ntk: Any,
    at: Any,
    left: Any,
    first: Any,
    right: Any,
    second: Any,
    length: Any,
    constants: Any,
    new_cov: Any,
    new_ntk: Any,
    to: Any,
) -> None:
    """A row of `piecewise_linear`: each table with the place where its row begins."""
    linear, bend, one = constants[0], constants[1], constants[2]
    half_pi, stretch = constants[3], constants[4]
    for q in range(length):
        entry = cov[at + q]
        inverse = left[first + length + q] * right[second + length + q]
        cosine = min(max(entry * inverse * stretch, -one), one)
        sine = math.sqrt((one - cosine) * (one + cosine))
        far = half_pi + half_pi - _angle(cosine, sine, half_pi)
        norms = left[first + q] * right[second + q]
        new_cov[to + q] = linear * entry + bend * norms * (sine + far * cosine)
        if ntk is not None:
            new_ntk[to + q] = ntk[at + q] * (linear + bend * far)


@numba.njit(**OPTIONS)
@no_type_check
def window_sums(
    tables: Any,
    plus: Any,
    size: Any,
    copies: Any,
    outer: Any,
    shifts: Any,
    masks: Any,
    factors: Any,
    out: Any,
) -> None:
    """`weight` times the sum over taps along two axes or pairs of axes, and more: `own plus + shift`.

    The two axes of a pair go in step. Taps come in threes, so that sums stay in registers.

    Args:
        tables: Flat tables `[s, s, t]` of two pairs of axes, or `[s, t]` of two axes, one after the
            other; the second pair (and all after it) is one axis of `t`.
        plus: What is added, of the same shape; None for nothing.
        size: `s`.
        copies: `s` for pairs of axes, 1 for axes.
        outer: How far each tap of the first pair reaches, `[k, 3]`: `out[i]` has `table[i + reach]`.
        shifts: The same of the second pair, along `t`.
        masks: 0 where a tap of the second pair would reach over the border, else 1: `[k, 3, t]`, flat.
        factors: `weight`, `own` and `shift`, in the tables' dtype.
        out: Where the sums go, shaped like `tables`.
    """
    length = masks.shape[0] // (3 * shifts.shape[0])
    padded = np.zeros(length + 2 * np.abs(shifts).max(), masks.dtype)
    for n in range(tables.shape[0] // (size * copies * length)):
        start = n * size * copies * length
        for i in range(size):
            for j in range(copies):
                to = start + (i * copies + j) * length
                taps = outer, shifts, masks, factors
                _summed(tables, start, size, copies, i, j, plus, to, *taps, padded, out, to)


@numba.njit(**OPTIONS)
@no_type_check
def chain(
    covs: Any,
    ntks: Any,
    size: Any,
    outer: Any,
    shifts: Any,
    masks: Any,
    factors: Any,
    own_factors: Any,
    left: Any,
    right: Any,
    constants: Any,
    new_covs: Any,
    new_ntks: Any,
) -> None:
    """Several times `window_sums` of both kernels and `piecewise_linear` of these, a pair at a time.

    Args:
        covs: For each pair of points, `[s, s, t]`, flat: `[n, m, s * s * t]`.
        ntks: The same; None for nothing so far.
        size: As in `window_sums`; the next five for each layer, along their first axis.
        outer: Reaches of the first pair of axes.
        shifts: Of the second pair.
        masks: Of the second pair.
        factors: Of the covariance.
        own_factors: Of the tangent kernel, to which the covariance is added.
        left: Lengths by layer and first point: `[layers, n, s, w]`, with `t = w^2`.
        right: The same by the second point.
        constants: As in `piecewise_linear`, by layer.
        new_covs: Where the first result goes, shaped like `covs`.
        new_ntks: Where the second goes, or None.
    """
    layers, n, _, width = left.shape
    spare, spare_ntk = (
        np.empty((2, covs.shape[2]), covs.dtype),
        np.empty((2, covs.shape[2]), covs.dtype),
    )
    first = np.empty((layers, 2 * size * width * width), covs.dtype)
    second = np.empty_like(first[0])
    last = layers - 1
    for i in range(n):
        for k in range(layers):
            _spread(left[k, i], True, first[k])
        for j in range(covs.shape[1]):
            for k in range(layers):
                _spread(right[k, j], False, second)
                windows = outer[k], shifts[k], masks[k], factors[k], own_factors[k]
                bend = first[k], second, constants[k]
                cov = covs[i, j] if k == 0 else spare[(k + 1) % 2]
                new_cov = new_covs[i, j] if k == last else spare[k % 2]
                if new_ntks is None:
                    _link(cov, None, size, windows, bend, new_cov, None)
                    continue
                new_ntk = new_ntks[i, j] if k == last else spare_ntk[k % 2]
                if k > 0:
                    _link(cov, spare_ntk[(k + 1) % 2], size, windows, bend, new_cov, new_ntk)
                elif ntks is None:
                    _link(cov, None, size, windows, bend, new_cov, new_ntk)
                else:
                    _link(cov, ntks[i, j], size, windows, bend, new_cov, new_ntk)


@register_jitable
@no_type_check
def _spread(lengths: Any, is_first: bool, rows: Any) -> None:
    """Lengths `[s, w]` as rows `[s, 2, w, w]`, flat, with their inverses: along the axis that is theirs."""
    size, width = lengths.shape
    for i in range(size):
        for a in range(width):
            start = (2 * i * width + a) * width
            inverse = start + width * width
            for b in range(width):
                length = lengths[i, a] if is_first else lengths[i, b]
                rows[start + b] = length
                rows[inverse + b] = 1 / length


@numba.njit(**OPTIONS)
@no_type_check
def _link(
    cov: Any, ntk: Any, size: Any, windows: Any, bend: Any, new_cov: Any, new_ntk: Any
) -> None:
    """A layer of a chain, of one pair of points."""
    outer, shifts, masks, factors, own_factors = windows
    left, right, constants = bend
    length = masks.shape[0] // (3 * shifts.shape[0])
    padded = np.zeros(length + 2 * np.abs(shifts).max(), masks.dtype)
    summed, tangent = np.empty(length, masks.dtype), np.empty(length, masks.dtype)
    count, zero = _unsigned(length), _unsigned(0)
    taps = outer, shifts, masks
    for i in range(size):
        for j in range(size):
            _summed(cov, 0, size, size, i, j, None, 0, *taps, factors, padded, summed, 0)
            to = _unsigned((i * size + j) * length)
            first, second = _unsigned(2 * i * length), _unsigned(2 * j * length)
            row = left, first, right, second, count, constants
            if new_ntk is None:
                _bent(summed, None, zero, *row, new_cov, None, to)
                continue
            if ntk is None:
                for q in range(count):
                    tangent[q] = own_factors[1] * summed[q] + own_factors[2]
            else:
                _summed(ntk, 0, size, size, i, j, summed, 0, *taps, own_factors, padded, tangent, 0)
            _bent(summed, tangent, zero, *row, new_cov, new_ntk, to)


@register_jitable
@no_type_check
def _summed(
    table: Any,
    start: Any,
    size: Any,
    copies: Any,
    i: Any,
    j: Any,
    plus: Any,
    at: Any,
    outer: Any,
    shifts: Any,
    masks: Any,
    factors: Any,
    padded: Any,
    out: Any,
    to: Any,
) -> None:
    """Row `i, j` of the table that begins at `start`: one row of `window_sums`, into `out` at `to`.

    `padded` is a row between zeros to work in; rows of `plus` begin at `at`. Places are plain numbers
    and tables flat, since to cut out a view takes as long as a row of it.
    """
    weight, own, shift = factors[0], factors[1], factors[2]
    count = masks.shape[0] // (3 * shifts.shape[0])
    margin = (padded.shape[0] - count) // 2
    length, border, at, to = _unsigned(count), _unsigned(margin), _unsigned(at), _unsigned(to)
    for k in range(outer.shape[0]):
        a, share1 = _reached(start, size, copies, i, j, outer[k, 0], count, weight)
        b, share2 = _reached(start, size, copies, i, j, outer[k, 1], count, weight)
        c, share3 = _reached(start, size, copies, i, j, outer[k, 2], count, weight)
        if k == 0:
            for q in range(length):
                sums = share1 * table[a + q] + share2 * table[b + q] + share3 * table[c + q]
                padded[border + q] = sums
        else:
            for q in range(length):
                sums = share1 * table[a + q] + share2 * table[b + q] + share3 * table[c + q]
                padded[border + q] += sums
    for k in range(shifts.shape[0]):
        a = _unsigned(shifts[k, 0] + margin)
        b = _unsigned(shifts[k, 1] + margin)
        c = _unsigned(shifts[k, 2] + margin)
        mask1 = _unsigned(3 * k) * length
        mask2, mask3 = mask1 + length, mask1 + length + length
        for q in range(length):
            sums = masks[mask1 + q] * padded[a + q] + masks[mask2 + q] * padded[b + q]
            sums += masks[mask3 + q] * padded[c + q]
            if k > 0:
                sums += out[to + q]
            elif plus is not None:
                sums += own * plus[at + q] + shift
            else:
                sums += shift
            out[to + q] = sums


@register_jitable
@no_type_check
def _reached(
    start: Any, size: Any, copies: Any, i: Any, j: Any, reach: Any, length: Any, weight: Any
) -> Any:
    """Where the row that a tap reaches begins, and its weight: none beyond the border."""
    row, column = i + reach, j + reach if copies > 1 else 0
    if 0 <= row < size and 0 <= column < copies:
        return _unsigned(start + (row * copies + column) * length), weight
    return _unsigned(start), weight - weight


@register_jitable
@no_type_check
def _unsigned(place: Any) -> Any:
    """A place that needs no check for being counted from the end."""
    return np.uintp(place)


@cache
@no_type_check
def profile(degree: int, is_of_angle: bool) -> Callable[..., None]:
    """The loop for a polynomial of one of the degrees, of the angle or of its cosine.

    It takes cosines `[n, m]`, coefficients from the highest power `[degree + 1]`, constants (the
    centre, 1 and `pi / 2`, in the same dtype), scales of all rows and of all columns of a matrix, the
    matrix, and the row and column of it at which the values go.
    """

    @numba.njit(**OPTIONS)
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
