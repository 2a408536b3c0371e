"""Any elementwise function: Hermite coefficients by quadrature, and close pairs over the plane."""

from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ntkit._core.derivatives import first_order
from ntkit._core.errors import UnsupportedLayerError
from ntkit.kernels.infinite.activations.base import (
    AbstractActivation,
    Dual,
    pair_in_double,
    rounded,
)
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.numerical.gauss import derivative as derivative_of
from ntkit.kernels.infinite.activations.numerical.hermite_table import DEGREE, Decay, HermiteTable
from ntkit.kernels.infinite.activations.numerical.mehler import power_sum, terms_needed
from ntkit.kernels.infinite.activations.numerical.plane import integrate_pairs
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["Quadrature", "scaled_slope"]

_MISSED = 1e-12
"""Share of the root mean squares that the degrees left out may hold, where they are left out."""

_SAME = 1e-28
"""Distance over lengths below which two units are one: nothing of it is left in the moments."""

_REMEMBERED = 3
"""Earlier columns whose values are kept beside the last: those of a few layers come again at each tile."""

_NEAR = 1e-4
"""One less `|rho|` below which the outputs' distance is summed in its own right: the difference has
errors of 1e-15 of the lengths, which is 1e-13 in the angle there."""

_FIRST = (
    "A second derivative of an infinite-width kernel was asked for, at pairs of points where an "
    "activation without a formula (bent, or steep: near or long points) has the first alone. Use an "
    "activation with a formula (`nn.GELU`, `ntkit.networks.Erf`, `Sine`), or differences of first "
    "derivatives."
)

_ROUNDING = 8 * torch.finfo(torch.float64).eps
"""Share of the lengths that a distance got as a difference is not told from 0 below."""


class Quadrature(AbstractActivation):
    """An elementwise function given as code, its derivative from autograd.

    `E[s(u) s(v)] = sum_k a_k(var1) a_k(var2) rho^k` and `E[s' s']` likewise (Mehler), with Hermite
    coefficients by Gauss and Legendre's rule between the kinks, the nodes doubled until nothing
    changes, once for all lengths: a table of `n` pairs costs some tens of passes for smooth functions,
    with errors below 1e-12 of the root mean squares `sqrt(E[s(u)^2] E[s(v)^2])`, and
    `sqrt(E[s'(u)^2] E[s'(v)^2])` for the slope.
    Where 384 degrees do not hold the function (kinks, steep slopes: long inputs) the sum serves as
    far as the powers make up for it, `|rho|` below 0.97 or so; pairs closer than that are integrated
    over the plane one by one, to 1e-9, at 0.3 to 3 ms each. Standard deviations above 1e12 are refused. A unit paired with itself is an integral over the
    line, from the same table.

    A jump (threshold, hard shrinkage) has no slope: the derivative is taken without it, as autograd
    and gradient descent take it. Parameters inside the function count as constants.

    Both moments have derivatives by the covariance and the variances: of every order where the
    series serves, and of the first order over the plane and for bent functions of one and the same
    unit, where a second one is refused.

    Args:
        function: Elementwise, float64 to float64.
        kinks: Where it or its derivative is not smooth.
        is_odd: Whether `s(-x) = -s(x)`.

    Raises:
        NumericalError: (when used) The integrals do not settle, or would take minutes: units are too long.

    Attributes:
        function: As given.
        kinks: As given.

    Source: O'Donnell 2014, section 11.2; Daniely et al. 2016 (arXiv:1602.05897), section 4.

    Example:
        >>> import torch
        >>> tanh = Quadrature(torch.tanh, is_odd=True)
        >>> tanh.variance(torch.ones(1).double())
        tensor([0.3943], dtype=torch.float64)
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        kinks: Sequence[float] = (),
        *,
        is_odd: bool = False,
    ) -> None:
        self.function = function
        self.kinks: tuple[float, ...] = tuple(float(t) for t in kinks)
        self._table = HermiteTable(function, self.kinks)
        self._recent: list[tuple[Tensor, int, tuple[Tensor, Tensor]]] = []
        self.is_odd = is_odd

    @property
    def identity(self) -> Hashable:
        """The function: tables are made from it."""
        return self.function, self.kinks, self.is_odd

    def variance(self, var: Tensor) -> Tensor:
        """`E[s(u)^2]`, by the same quadrature."""
        return self._table.mean_square(safe_sqrt(var.double())).to(var.dtype)

    def dual(self, pair: Pair, *, slope: bool = True) -> Dual:
        """By the series, and over the plane where that does not hold."""
        dtype, pair = pair.cov.dtype, pair_in_double(pair)
        scale1, scale2 = safe_sqrt(pair.var1), safe_sqrt(pair.var2)
        decays = self._table.decay(scale1), self._table.decay(scale2)
        norms = pair.norms
        rho = _correlation(pair, norms)
        tracked = scale1.requires_grad or scale2.requires_grad or rho.requires_grad
        far = rho.detach().abs() > _limit(*decays)
        same = ((pair.apart <= _SAME * norms) & (scale1 == scale2)).detach()
        if tracked:  # the series knows its derivatives of any order, the line the first
            same = same & far
        far = far & ~same
        rho = torch.where(same, 0, rho)
        close = bool(far.any())
        within = torch.where(far, 0, rho) if close else rho
        largest = float(within.detach().abs().max()) if within.numel() else 0.0
        shares = decays[0].share * decays[1].share
        counts = [
            terms_needed(share, largest, derivatives=2 if tracked else 0)
            for share in (shares if slope else shares[:1])
        ]
        tables = [self._coefficients(scale, max(counts)) for scale in (scale1, scale2)]
        cov, *rest = (
            power_sum(one[:count], two[:count], within, _parity(share[:count]))
            for one, two, count, share in zip(*tables, counts, shares, strict=False)
        )
        derivative = rest[0] if slope else None
        if bool(same.any()):
            cov, derivative = self._alone((scale1, scale2), same, cov, derivative)
        length1, length2 = (safe_sqrt(self.variance(var)) for var in (pair.var1, pair.var2))
        exact: list[_Exact] = []
        if close:
            places, found = self._over_plane(pair, far, (scale1, scale2), (length1, length2))
            cov = cov.index_put(places, found[0])
            derivative = None if derivative is None else derivative.index_put(places, found[1])
            exact.append((places, found[2], found[3]))
        near = ~far & (rho.detach().abs() > 1 - _NEAR)
        if bool(near.any()):
            exact.append(_by_series(pair, near, tables[0][0], tables[1][0]))
        if tracked:
            cov, derivative = self._at_zero(pair, (scale1, scale2), cov, derivative)
        apart, together = _distances(pair, cov, length1 * length2, exact)
        return rounded(Dual(cov, derivative, apart, together), dtype)

    def value(self, x: Tensor) -> Tensor:
        """The function itself."""
        return self.function(x)

    def _coefficients(self, scale: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Those of the table, kept for the next tile of the same columns."""
        if scale.requires_grad:
            return self._table.at(scale, count)
        for known, reach, values in self._recent:
            if known.shape != scale.shape or known.device != scale.device or reach < count:
                continue
            if torch.equal(known, scale):
                return values
        reach = min(DEGREE + 1, -(-count // 32) * 32)
        values = self._table.at(scale, reach)
        self._recent = [(scale, reach, values), *self._recent[:_REMEMBERED]]
        return values

    def _alone(
        self,
        scales: tuple[Tensor, Tensor],
        same: Tensor,
        cov: Tensor,
        derivative: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """The tables with units that are one: integrals over the line.

        To turn one of the two away lowers both moments, on whichever side: they bend there, or are
        flat, and have no slope in that direction. To stretch one moves them half as far as both do.
        """
        places = same.expand(cov.shape).nonzero(as_tuple=True)
        one, two = (scale.expand(cov.shape)[places] for scale in scales)
        own = (one + two) / 2
        found = first_order(
            torch.stack([self._table.mean_square(own), self._table.mean_square_slope(own)]),
            _FIRST,
            own,
        )
        cov = cov.index_put(places, found[0])
        return cov, None if derivative is None else derivative.index_put(places, found[1])

    def _at_zero(
        self,
        pair: Pair,
        scales: tuple[Tensor, Tensor],
        cov: Tensor,
        derivative: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        """The tables with their gradients at zero vectors, whose correlation has none.

        There `d E[s s] / d cov = E[s'] E[s']` and `d E[s' s'] / d cov = E[s''] E[s'']`; a function
        that bends at zero has no second derivative there, and the slope no gradient.
        """
        dead = ((scales[0] == 0) | (scales[1] == 0)).detach()
        if not bool(dead.any()):
            return cov, derivative
        moved = torch.where(dead, pair.cov - pair.cov.detach(), 0)
        first, second = (self._table.at(scale, 2)[1] for scale in scales)
        cov = cov + moved * first[0] * second[0]
        if derivative is not None:
            steep = self._bend(scales[0], first[1]), self._bend(scales[1], second[1])
            derivative = derivative + moved * steep[0] * steep[1]
        return cov, derivative

    def _bend(self, scale: Tensor, coefficient: Tensor) -> Tensor:
        """`E[s''(u)]`, which by Stein is `E[s'(r x) x] / r`."""
        alive = scale > 0
        return torch.where(
            alive, coefficient / torch.where(alive, scale, 1), self._second_derivative_at_zero
        )

    @cached_property
    def _second_derivative_at_zero(self) -> float:
        """`s''(0)`; 0 where it bends."""
        if 0.0 in self.kinks:
            return 0.0
        with torch.inference_mode(False), torch.enable_grad():
            zero = torch.zeros((), dtype=torch.float64, requires_grad=True)
            slope = derivative_of(self.function, zero)
            if not slope.requires_grad:
                return 0.0
            (second,) = torch.autograd.grad(slope, zero, allow_unused=True, materialize_grads=True)
        return float(second)

    def _over_plane(
        self,
        pair: Pair,
        far: Tensor,
        scales: tuple[Tensor, Tensor],
        lengths: tuple[Tensor, Tensor],
    ) -> tuple[tuple[Tensor, ...], Tensor]:
        """The entries at `far`, and `[4, e]`: their moments, and their distances over the lengths."""
        shape = pair.cov.shape
        places = far.expand(shape).nonzero(as_tuple=True)

        def taken(table: Tensor) -> Tensor:
            return table.expand(shape)[places]

        scale1, scale2 = (taken(scale) for scale in scales)
        near, opposite = (taken(angle) for angle in pair.angles())
        sources = (scale1, scale2, near)
        is_tracked = torch.is_grad_enabled() and any(t.requires_grad for t in sources)
        found = integrate_pairs(
            *(self.function, self.kinks, scale1, scale2, near, opposite),
            *(taken(length) for length in lengths),
            with_partials=is_tracked,
        )
        values = torch.stack([found.cov, found.slope, found.apart, found.together])
        if found.partials is None:
            return places, values
        for k, source in enumerate(sources):
            values = values + found.partials[:, k] * (source - source.detach())
        return places, first_order(values, _FIRST, *sources)


_Exact = tuple[tuple[Tensor, ...], Tensor, Tensor]
"""Places in a table, and both distances there over the lengths."""


def _by_series(pair: Pair, near: Tensor, first: Tensor, second: Tensor) -> _Exact:
    """Distances at the entries `near`, `2 (1 -+ sum_k a_k b_k rho^k)` with unit vectors `a` and `b`.

    With `|rho| = 1 - y` and the signs of `rho^k` given to `b`, it is
    `sum_k (a_k -+ b_k)^2 +- 2 sum_k a_k b_k (1 - (1 - y)^k)`.
    """
    shape = pair.cov.shape
    places = near.expand(shape).nonzero(as_tuple=True)

    def taken(table: Tensor) -> Tensor:
        return table.expand(shape)[places]

    def every(tables: Tensor) -> Tensor:
        return torch.stack([taken(table) for table in tables])

    size = min(len(first), len(second))
    a, b = every(first[:size]), every(second[:size])
    a, b = (t / t.norm(dim=0).clamp_min(1e-300) for t in (a, b))
    degrees = torch.arange(size, dtype=torch.float64, device=a.device)[:, None]
    b = torch.where((taken(pair.cov) < 0) & (degrees % 2 == 1), -b, b)
    smaller = torch.minimum(taken(pair.apart), taken(pair.together))
    left = -torch.expm1(degrees * torch.log1p(-smaller / (2 * taken(pair.norms))))
    lost = 2 * (a * b * left).sum(0)
    return places, ((a - b) ** 2).sum(0) + lost, ((a + b) ** 2).sum(0) - lost


def _distances(
    pair: Pair, cov: Tensor, lengths: Tensor, exact: Sequence[_Exact]
) -> tuple[Tensor, Tensor]:
    """`2 (lengths -+ cov)`, and at some places the values that are known better.

    A distance over the lengths is the least, or the largest, at the lengths that these are: they
    count as constants there.
    """
    found = []
    fixed = lengths.detach().expand(cov.shape)
    for k, sign in enumerate((-1, 1)):
        plain = 2 * (lengths + sign * cov)
        value = torch.where(plain > _ROUNDING * lengths, plain, 0)
        for places, *shares in exact:
            value = value.index_put(places, (shares[k] * fixed[places]).clamp_min(0))
        found.append(value)
    apart, together = found
    return torch.where(pair.gap == 0, apart - apart.detach(), apart), together


def _correlation(pair: Pair, norms: Tensor) -> Tensor:
    """`cov / norms` within `[-1, 1]`, with its gradient at the ends too; 0 at a zero vector."""
    alive = norms > 0
    rho = torch.where(alive, pair.cov / torch.where(alive, norms, 1), 0)
    beyond = (rho.detach().abs() - 1).clamp_min(0)
    return rho - torch.where(rho.detach() < 0, -beyond, beyond)


def _limit(first: Decay, second: Decay) -> float:
    """The largest `|rho|` at which the degrees above the last add no more than is allowed."""
    limit = 1.0
    for one, two in zip(first.missing, second.missing, strict=True):
        missed = (one * two) ** 0.5
        if missed > _MISSED:
            limit = min(limit, (_MISSED / missed) ** (1 / DEGREE))
    return limit


def _parity(share: Tensor) -> int | None:
    """The parity of all degrees, where they have one."""
    return next((p for p in (0, 1) if float(share[1 - p :: 2].sum()) < 1e-17), None)


def scaled_slope(activation: AbstractActivation) -> AbstractActivation:
    """`t(x) = x s'(x)`, as an activation: `d s(g x) / dg` at `g = 1`.

    What a trained scale in front of a nonlinearity needs of it. That is `s` itself for the ReLU family; others are integrated numerically.

    Raises:
        UnsupportedLayerError: `s` depends on the length of its units.
    """
    if activation.is_homogeneous and activation.is_elementwise:
        return activation  # Euler: x s'(x) = s(x)
    if not activation.is_elementwise:
        raise UnsupportedLayerError(
            f"A trained scale in front of `{type(activation).__name__}`, which takes the length of "
            "its units, has no rule. Normalise without a scale (`elementwise_affine=False`)."
        )
    if activation not in _known:

        def scaled(x: Tensor) -> Tensor:
            return x * derivative(activation.value, x)

        _known[activation] = Quadrature(scaled, activation.kinks, is_odd=activation.is_odd)
    return _known[activation]


_known: WeakKeyDictionary[AbstractActivation, AbstractActivation] = WeakKeyDictionary()
