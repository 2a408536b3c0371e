"""Hermite coefficients of a function at any scale of its input, tabulated once with checked accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.numerical.gauss import derivative

__all__ = ["DEGREE", "Decay", "HermiteTable"]

DEGREE = 384
"""Highest degree that is kept; what this misses is known from the function's own mean square."""

_KNOTS = 24
"""Of a piece; a piece that so many do not hold is halved."""

_TOLERANCE = 1e-13
"""Of interpolation, relative to the root mean square; what the class promises."""

_DEEPEST = 12
"""Halvings of a piece; one that is still wrong then belongs to a function with a jump in its scale."""

_LEAST = 1e-6
"""Of the root mean square at scale 1, as dead zones and cancellations leave less than that at short inputs."""

_REACH = 12.0
"""Standard deviations to which is integrated: the normal density is 1e-32 there."""

_LONGEST = 2.0**40
"""Standard deviation up to which is integrated: an octave of scales takes some seconds there, and minutes far beyond, as
panels are halved towards zero once an octave."""

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Decay:
    """How fast the coefficients at some scales fall off.

    Attributes:
        share: `[2, k]`: largest `|a_k| / sqrt(E s^2)` of each degree, of the function and of its
            derivative.
        missing: Largest share of their mean squares above the last degree.
    """

    share: Tensor
    missing: tuple[float, float]


@dataclass(frozen=True)
class _Piece:
    """Chebyshev interpolation between two scales: `[p, 2 (k + 1) + 2]` values at its knots."""

    low: float
    high: float
    values: Tensor
    decay: Tensor
    missing: tuple[float, float]


class HermiteTable:
    """Coefficients as smooth functions of the scale, interpolated on pieces made when first needed.

    Each piece is integrated with panels that end at the kinks, doubled until the coefficients stay,
    and checked between its knots; one that fails is halved. Errors are below 1e-13 of the root mean
    square of the function (and of its derivative).

    Args:
        function: Elementwise, float64 to float64.
        kinks: Where it or its derivative is not smooth.
    """

    def __init__(self, function: Function, kinks: Sequence[float]) -> None:
        self._function, self._kinks = function, tuple(kinks)
        zero = torch.zeros((), dtype=torch.float64)
        with torch.no_grad():
            self._is_zero_at_zero = float(function(zero)) == 0
        self._pieces: dict[int, list[_Piece]] = {}

    def decay(self, scale: Tensor) -> Decay:
        """The slowest fall among the scales."""
        pieces = [piece for piece, _ in self._located(scale)]
        missing = [max(piece.missing[k] for piece in pieces) for k in range(2)]
        return Decay(
            torch.stack([piece.decay for piece in pieces]).amax(0), (missing[0], missing[1])
        )

    def at(self, scale: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """`E[s(r x) h_k(x)]` and `E[s'(r x) h_k(x)]`, `k < count`, at every scale: `[k, ...]` each.

        `x` is standard normal and `h_k` orthonormal. Differentiable in the scale.
        """
        width = DEGREE + 1
        columns = torch.cat([torch.arange(count), width + torch.arange(count)])
        table = self._values(scale, columns)
        root = scale if self._is_zero_at_zero else torch.ones_like(scale)
        return table[:count] * root, table[count:]

    def mean_square(self, scale: Tensor) -> Tensor:
        """`E[s(r x)^2]`."""
        value = self._values(scale, torch.tensor([-1]))[0]
        return value * scale**2 if self._is_zero_at_zero else value

    def mean_square_slope(self, scale: Tensor) -> Tensor:
        """`E[s'(r x)^2]`."""
        return self._values(scale, torch.tensor([-2]))[0]

    def _values(self, scale: Tensor, columns: Tensor) -> Tensor:
        flat = scale.reshape(-1)
        out = flat.new_zeros(len(columns), len(flat))
        for piece, places in self._located(scale):
            values = _interpolate(piece, flat[places], columns)
            out = values if len(places) == len(flat) else out.index_copy(1, places, values)
        return out.reshape(len(columns), *scale.shape)

    def _located(self, scale: Tensor) -> list[tuple[_Piece, Tensor]]:
        """The pieces that the scales lie in, and which lie there.

        Raises:
            NumericalError: A scale is NaN, infinite, or so large that integrals would take minutes.
        """
        flat = scale.detach().reshape(-1)
        if not bool(torch.isfinite(flat).all()):
            raise NumericalError("An activation met variances that are NaN or infinite.")
        if len(flat) and float(flat.max()) > _LONGEST:
            raise NumericalError(
                f"An activation without a formula met units of a standard deviation of {float(flat.max()):.2g}, and "
                f"its integrals reach {_LONGEST:.2g}. Pass shorter points, or smaller weights (`w_std`); `nn.ReLU`, "
                "`nn.GELU` and `ntkit.networks.Erf` have formulas for units of any length."
            )
        octaves = torch.frexp(flat.clamp_min(0.2)).exponent
        found = []
        for octave in octaves.unique().tolist():
            for piece in self._octave(octave):
                inside = (octaves == octave) & (flat >= piece.low) & (flat < piece.high)
                places = inside.nonzero()[:, 0]
                if len(places):
                    found.append((piece, places))
        return found

    def _octave(self, octave: int) -> list[_Piece]:
        if octave not in self._pieces:
            high = 2.0**octave
            low = high / 2 if high > 0.25 else 0.0
            self._pieces[octave] = self._between(low, high, 0)
        return self._pieces[octave]

    def _between(self, low: float, high: float, depth: int) -> list[_Piece]:
        nodes = torch.pi * (torch.arange(_KNOTS, dtype=torch.float64) + 0.5) / _KNOTS
        knots = (low + high) / 2 + (high - low) / 2 * nodes.cos()
        checks = low + (high - low) * torch.tensor([0.011, 0.173, 0.5, 0.821, 0.983]).double()
        integrated = self._integrate(torch.cat([knots, checks]))
        values, exact = integrated[:_KNOTS], integrated[_KNOTS:]
        piece = _Piece(low, high, values, *self._shares(values, knots))
        every = torch.arange(values.shape[1])
        error = self._error(_interpolate(piece, checks, every).T, exact, checks)
        if error <= 3 * _TOLERANCE or not torch.isfinite(exact).all():
            return [piece]
        if depth == _DEEPEST:
            raise NumericalError(
                f"The Hermite coefficients of `{self._function}` are not smooth in the scale near "
                f"{low:.3g} (error {error:.1g}). Name its kinks: `kinks=(...)`."
            )
        middle = (low + high) / 2
        return self._between(low, middle, depth + 1) + self._between(middle, high, depth + 1)

    def _integrate(self, scales: Tensor) -> Tensor:
        """`[len(scales), 2 (k + 1) + 2]`: with twice the panels until nothing changes.

        The last two columns are the mean squares of the derivative and of the function.

        Raises:
            NumericalError: They never settle.
        """
        panels = 1
        last = self._by_panels(scales, panels)
        while True:
            panels *= 2
            following = self._by_panels(scales, panels)
            error = self._error(last, following, scales)
            if not error > _TOLERANCE:
                return following
            if panels == 16:
                raise NumericalError(
                    f"The integrals of `{self._function}` do not settle (relative change {error:.1g} "
                    "as the nodes double). If it has kinks or jumps, name them: `kinks=(...)`."
                )
            last = following

    def _by_panels(self, scales: Tensor, panels: int) -> Tensor:
        x, weights = _panels(scales, self._kinks, panels)
        with torch.no_grad():
            points = scales[:, None] * x
            value, slope = self._function(points), derivative(self._function, points)
            moment, slope_moment = (value**2 * weights).sum(1), (slope**2 * weights).sum(1)
            value, slope = value * weights, slope * weights
            before, current = torch.zeros_like(x), torch.ones_like(x)
            sums: list[Tensor] = []
            slopes: list[Tensor] = []
            for k in range(DEGREE + 1):
                sums.append((value * current).sum(1))
                slopes.append((slope * current).sum(1))
                following = (x * current - k**0.5 * before) / (k + 1) ** 0.5
                before, current = current, following
        table = torch.stack(sums, 1)
        if self._is_zero_at_zero:
            table, moment = table / scales[:, None], moment / scales**2
        moments = torch.stack([slope_moment, moment], 1)
        return torch.cat([table, torch.stack(slopes, 1), moments], 1)

    def _shares(self, values: Tensor, knots: Tensor) -> tuple[Tensor, tuple[float, float]]:
        k = DEGREE + 1
        norms = self._norms(values, knots)
        parts = values[:, :k], values[:, k : 2 * k]
        wholes = values[:, -1], values[:, -2]
        missing = [
            float(((whole - (part**2).sum(1)).clamp_min(0) / norm[:, 0] ** 2).amax())
            for part, whole, norm in zip(parts, wholes, norms, strict=True)
        ]
        shares = [(part / norm).abs().amax(0) for part, norm in zip(parts, norms, strict=True)]
        return torch.stack(shares), (missing[0], missing[1])

    def _error(self, actual: Tensor, expected: Tensor, scales: Tensor) -> float:
        """Largest difference of any coefficient, over the root mean square."""
        k = DEGREE + 1
        difference = (actual - expected).abs()
        norm, slope_norm = self._norms(expected, scales)
        worst = (difference[:, :k] / norm).amax(), (difference[:, k : 2 * k] / slope_norm).amax()
        return float(torch.maximum(*worst))

    def _norms(self, values: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
        """Root mean squares as the table holds them; a millionth of what they are at scale 1 at least.

        Dead zones and cancellations inside the function leave less than that at short inputs.
        """
        k = DEGREE + 1
        least = _LEAST * self._at_one[0] / (scales.clamp_min(1) if self._is_zero_at_zero else 1)
        norm = torch.maximum(values[:, -1].sqrt(), least)
        slope_norm = (values[:, k : 2 * k] ** 2).sum(1).sqrt().clamp_min(_LEAST * self._at_one[1])
        return norm[:, None].clamp_min(1e-300), slope_norm[:, None].clamp_min(1e-300)

    @cached_property
    def _at_one(self) -> tuple[Tensor, float]:
        """Root mean squares of the function and of its derivative at scale 1."""
        one = torch.ones(1, dtype=torch.float64)
        x, weights = _panels(one, self._kinks, 2)
        with torch.no_grad():
            square = (self._function(x) ** 2 * weights).sum()
        return square.sqrt(), float((derivative(self._function, x) ** 2 * weights).sum().sqrt())


def _panels(scales: Tensor, kinks: Sequence[float], panels: int) -> tuple[Tensor, Tensor]:
    """Nodes `x` and weights with the normal density, panels ending at 0 and where `scale x` is a kink.

    Panels shrink towards zero down to the scale that a function of unit width has.
    """
    high = float(scales.max())
    ends = [0.0]
    for level in range(max(0, ceil(log2(max(1.0, 8 * high)))), 0, -1):
        ends.append(2.0**-level)
    ends += [float(v) for v in torch.linspace(1, _REACH, 12)]
    positive = torch.tensor(ends, dtype=torch.float64)
    fixed = torch.cat([-positive[1:].flip(0), positive]).expand(len(scales), -1)
    nonzero = [t for t in kinks if t]
    if nonzero:
        moving = torch.tensor(nonzero, dtype=torch.float64) / scales[:, None]
        fixed = torch.cat([fixed, moving.clamp(-_REACH, _REACH)], 1).sort(1).values
    points, weights = legendre(16)
    share = torch.arange(panels + 1, dtype=torch.float64) / panels
    starts, lengths = fixed[:, :-1, None], (fixed[:, 1:] - fixed[:, :-1])[:, :, None]
    edges = starts + lengths * share
    half = (edges[..., 1:] - edges[..., :-1])[..., None] / 2
    x = ((edges[..., 1:] + edges[..., :-1])[..., None] / 2 + half * points).flatten(1)
    w = (half * weights).flatten(1)
    return x, w * torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5


def _interpolate(piece: _Piece, scales: Tensor, columns: Tensor) -> Tensor:
    """`[columns, scales]`, of the Chebyshev series through the values at the knots."""
    nodes = torch.pi * (torch.arange(_KNOTS, dtype=torch.float64) + 0.5) / _KNOTS
    degrees = torch.arange(_KNOTS, dtype=torch.float64)[:, None]
    series = torch.cos(degrees * nodes) @ piece.values[:, columns] * (2 / _KNOTS)
    series[0] /= 2
    y = (scales - (piece.low + piece.high) / 2) * (2 / (piece.high - piece.low))
    rows = [torch.ones_like(y), y]
    for _ in range(2, _KNOTS):
        rows.append(2 * y * rows[-1] - rows[-2])
    return series.T.to(y.device) @ torch.stack(rows)
