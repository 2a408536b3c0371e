"""Moments of activations by textbook formulas in many digits: nothing here knows how the library works.

Each function takes the covariance and the variances as mpmath numbers and returns `E[s(u) s(v)]` and
`E[s'(u) s'(v)]`. They are written in the covariance, which cancels badly near parallel and opposite
inputs; `DIGITS` are enough for angles of 1e-9 at norms from 1e-6 to 1e6.
"""

from collections.abc import Callable, Sequence
from math import factorial

from mpmath import acos, asin, cos, exp, mp, mpf, pi, sin, sqrt

__all__ = [
    "DIGITS",
    "Formula",
    "cosine",
    "erf",
    "exponential",
    "gabor",
    "gaussian",
    "gelu",
    "monomial",
    "normalised_exponential",
    "piecewise_linear",
    "polynomial",
    "sign",
    "sine",
]

DIGITS = 100
"""Twelve orders of magnitude in the norms, squared, and 1e-18 in the cosine's distance from 1 and
from -1, cubed, still leave 50."""

Formula = Callable[[mpf, mpf, mpf], tuple[mpf, mpf]]


def _angle(c: mpf, p: mpf, q: mpf) -> mpf:
    cosine = c / sqrt(p * q)
    return acos(max(mpf(-1), min(mpf(1), cosine)))


def _zero(p: mpf, q: mpf) -> bool:
    return p == 0 or q == 0


def _arc_cosine(k: int, t: mpf) -> mpf:
    """`J_k` of Cho and Saul 2009, eqs. 4-6, and `J_3` from `J_3' = -9 sin J_2`."""
    s, c = sin(t), cos(t)
    if k == 0:
        return pi - t
    if k == 1:
        return s + (pi - t) * c
    if k == 2:
        return 3 * s * c + (pi - t) * (1 + 2 * c**2)
    return 4 * s**3 + 15 * s * c**2 + (pi - t) * (9 * c + 6 * c**3)


def monomial(degree: int) -> Formula:
    """`max(0, x)^degree`, Cho and Saul 2009."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        k = degree
        if _zero(p, q):
            at_zero = mpf(1) / 4 if k == 1 else mpf(0)
            return mpf(0), at_zero
        t, r = _angle(c, p, q), sqrt(p * q)
        cov = r**k * _arc_cosine(k, t) / (2 * pi)
        slope = k**2 * r ** (k - 1) * _arc_cosine(k - 1, t) / (2 * pi) if k else mpf(0)
        return cov, slope

    return moments


def piecewise_linear(below: float, above: float) -> Formula:
    """`above relu(x) - below relu(-x)`: pairs of ReLUs at `t` and at `pi - t`."""
    relu = monomial(1)

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        (same, same_slope), (other, other_slope) = relu(c, p, q), relu(-c, p, q)
        squares, product = mpf(above) ** 2 + mpf(below) ** 2, 2 * mpf(above) * mpf(below)
        return squares * same - product * other, squares * same_slope + product * other_slope

    return moments


def sign(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
    """`2 / pi asin(cos t)`; its slope is taken as 0."""
    return (mpf(0) if _zero(p, q) else 1 - 2 * _angle(c, p, q) / pi), mpf(0)


def erf(scale: float, rate: float, shift: float) -> Formula:
    """Williams 1997, eq. 11."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        a = 2 * mpf(rate) ** 2
        square = (1 + a * p) * (1 + a * q)
        height = mpf(scale) ** 2 * 2 / pi
        cov = height * asin(a * c / sqrt(square)) + mpf(shift) ** 2
        return cov, height * a / sqrt(square - (a * c) ** 2)

    return moments


def gelu(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
    """`x Phi(x)` by Stein's identity, `E[Phi Phi] = 1/4 + asin(c / g) / 2 pi`, `E[phi phi] = 1 / 2 pi d`."""

    def cov(c: mpf) -> mpf:
        square = (1 + p) * (1 + q)
        d = sqrt(square - c**2)
        rest = p * q + c**2 * (1 / (1 + p) + 1 / (1 + q) - 1)
        return c * (mpf(1) / 4 + asin(c / sqrt(square)) / (2 * pi)) + rest / (2 * pi * d)

    return cov(c), _by_price(cov, c)


def sine(frequency: float, phase: float, amplitude: float) -> Formula:
    """`2 sin(a) sin(b) = cos(a - b) - cos(a + b)`, and cosines of Gaussians."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        f, a = mpf(frequency), mpf(amplitude)
        minus, plus = exp(-(f**2) * (p + q - 2 * c) / 2), exp(-(f**2) * (p + q + 2 * c) / 2)
        turned = cos(2 * mpf(phase)) * plus
        return a**2 * (minus - turned) / 2, (a * f) ** 2 * (minus + turned) / 2

    return moments


def cosine(frequency: float) -> Formula:
    """The sine at a quarter turn, which no float is."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        cov, slope = sine(frequency, 0, 1)(c, p, q)
        plus = exp(-(mpf(frequency) ** 2) * (p + q + 2 * c) / 2)
        return cov + plus, slope - mpf(frequency) ** 2 * plus

    return moments


def gaussian(scale: float, decay: float) -> Formula:
    """`scale^2 det(I + 2 decay S)^(-1/2)`; slope by Price."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        a = 2 * mpf(decay)
        det = (1 + a * p) * (1 + a * q) - (a * c) ** 2
        cov = mpf(scale) ** 2 / sqrt(det)
        return cov, cov * a**2 * c / det

    return moments


def exponential(scale: float, rate: float) -> Formula:
    """The moment-generating function."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        cov = mpf(scale) ** 2 * exp(mpf(rate) ** 2 * (p + q + 2 * c) / 2)
        return cov, mpf(rate) ** 2 * cov

    return moments


def normalised_exponential(gamma: float, shift: float) -> Formula:
    """`sqrt(p q) exp(gamma cos t + shift)`, Shankar et al. 2020."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        length = sqrt(p * q)
        factor = exp(mpf(gamma) * (c / length if length else 0) + mpf(shift))
        return length * factor, mpf(gamma) * factor

    return moments


def polynomial(coefficients: Sequence[float]) -> Formula:
    """`E[u^j v^k]` by Isserlis: `r` pairs across, the rest within."""

    def mixed(j: int, k: int, c: mpf, p: mpf, q: mpf) -> mpf:
        total = mpf(0)
        for r in range(min(j, k) + 1):
            if (j - r) % 2 or (k - r) % 2:
                continue
            ways = mpf(factorial(j) * factorial(k)) / factorial(r)
            for power, var in (((j - r) // 2, p), ((k - r) // 2, q)):
                ways *= var**power / (2**power * factorial(power))
            total += ways * c**r
        return total

    def sum_of(values: Sequence[mpf], c: mpf, p: mpf, q: mpf) -> mpf:
        return sum(
            a * b * mixed(j, k, c, p, q)
            for j, a in enumerate(values)
            for k, b in enumerate(values)
            if a and b
        ) + mpf(0)

    values = [mpf(a) for a in coefficients]
    slopes = [j * a for j, a in enumerate(values)][1:]
    return lambda c, p, q: (sum_of(values, c, p, q), sum_of(slopes, c, p, q))


def gabor(frequency: float, decay: float) -> Formula:
    """Sines on the tilted pair, of covariance `S (I + 2 decay S)^-1`; slope by Price."""

    def moments(c: mpf, p: mpf, q: mpf) -> tuple[mpf, mpf]:
        a = 2 * mpf(decay)

        def cov(c: mpf) -> mpf:
            det = (1 + a * p) * (1 + a * q) - (a * c) ** 2
            area = p * q - c**2
            left, right, cross = (p + a * area) / det, (q + a * area) / det, c / det
            return sine(frequency, 0, 1)(cross, left, right)[0] / sqrt(det)

        return cov(c), _by_price(cov, c)

    return moments


def _by_price(cov: Callable[[mpf], mpf], c: mpf) -> mpf:
    """`E[s'(u) s'(v)] = d E[s(u) s(v)] / d cov`, by a central difference in twice the digits."""
    with mp.workdps(2 * DIGITS):
        step = mpf(10) ** (-DIGITS // 2)
        return (cov(c + step) - cov(c - step)) / (2 * step)
