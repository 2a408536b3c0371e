"""Polynomials, through their Hermite coefficients at each variance."""

from collections.abc import Sequence
from math import comb, factorial

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.closed_form import AbstractClosedForm
from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["PolynomialActivation", "hermite"]


class PolynomialActivation(AbstractClosedForm):
    """`sum_j coefficients[j] x^j`.

    `E[s s] = sum_k a_k(var1) a_k(var2) cov^k`, where `a_k(v)` is a polynomial of the variance:
    `x^j` has `j! v^((j - k) / 2) / (sqrt(k!) ((j - k) / 2)! 2^((j - k) / 2))`.

    Source: O'Donnell 2014, section 11.2 (Mehler's formula).
    """

    def __init__(self, coefficients: Sequence[float]) -> None:
        self.coefficients: tuple[float, ...] = tuple(float(c) for c in coefficients)
        powers = [j for j, c in enumerate(self.coefficients) if c]
        self.is_odd: bool = all(j % 2 for j in powers)
        self.is_even: bool = all(j % 2 == 0 for j in powers)
        self.is_homogeneous: bool = powers == [1]
        self.keeps_rays: bool = len(powers) == 1
        self._table = _hermite_table(self.coefficients)
        slopes = [j * c for j, c in enumerate(self.coefficients)][1:]
        self._slope_table = _hermite_table(slopes)

    def variance(self, var: Tensor) -> Tensor:
        """`sum_k a_k(var)^2 var^k`."""
        total = torch.zeros_like(var)
        for row in reversed(self._table):
            total = total * var + _horner(row, var) ** 2
        return total

    def moments(self, pair: Pair, *, slope: bool) -> tuple[Tensor, Tensor | None]:
        """Horner's rule in the covariance."""
        cov = _series(self._table, pair)
        return cov, _series(self._slope_table, pair) if slope else None

    def fall(self, pair: Pair) -> Tensor:
        """`apart / 2` times the divided difference of the series."""
        norms, cov = pair.norms, pair.cov
        total = torch.zeros_like(cov)
        divided = torch.zeros_like(cov)
        for row in reversed(self._table):  # (p(n) - p(c)) / (n - c), by Horner's rule in both
            divided = divided * norms + total
            total = total * cov + _horner(row, pair.var1) * _horner(row, pair.var2)
        return pair.apart / 2 * divided

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return _horner(self.coefficients, x)


def hermite(degree: int) -> PolynomialActivation:
    """Hermite's polynomial with `E[h_j h_k] = 1[j = k]` at unit variance."""
    table = [0.0] * (degree + 1)
    for m in range(degree // 2 + 1):
        sign = (-1) ** m * factorial(degree) / (factorial(m) * factorial(degree - 2 * m) * 2**m)
        table[degree - 2 * m] = sign / factorial(degree) ** 0.5
    return PolynomialActivation(table)


def _hermite_table(coefficients: Sequence[float]) -> tuple[tuple[float, ...], ...]:
    """Row `k`: `a_k` as coefficients of powers of the variance."""
    size = len(coefficients)
    rows: list[list[float]] = []
    for k in range(size):
        row = [0.0] * ((size - 1 - k) // 2 + 1)
        for m in range(len(row)):
            j = k + 2 * m
            pairs = comb(j, k) * factorial(2 * m) / (factorial(m) * 2**m)  # of m pairings
            row[m] = coefficients[j] * pairs * factorial(k) ** 0.5
        rows.append(row)
    return tuple(map(tuple, rows))


def _horner(row: Sequence[float], x: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for value in reversed(row):
        total = total * x + value
    return total


def _series(table: tuple[tuple[float, ...], ...], pair: Pair) -> Tensor:
    total = torch.zeros_like(pair.cov)
    for row in reversed(table):
        total = total * pair.cov + _horner(row, pair.var1) * _horner(row, pair.var2)
    return total
