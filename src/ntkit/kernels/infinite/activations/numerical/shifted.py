"""Moments of a nonlinearity of Gaussian units that have known means beside their chance.

With `X = m1 + |u| z1`, `Y = m2 + |v| z2`, the correlation `cos t` of `z1, z2`, and `h = m1 / |u|`,
`k = m2 / |v|`, the plane normal distribution has

    P(X > 0, Y > 0) = F2 = (F(h) + F(k)) / 2 - T(h, p / h) - T(k, q / k) - [h k < 0] / 2,
    p = (k - h cos t) / sin t,   q = (h - k cos t) / sin t,
    E[X+ Y+] = (m1 m2 + cov) F2 + m2 |u| f(h) F(p) + m1 |v| f(k) F(q)
               + |u||v| sin(t) exp(-(h^2 + p^2) / 2) / (2 pi)

with the normal distribution `F`, its density `f` and Owen's function `T`. A continuous piecewise linear
function is a line and such ramps. A smooth function has the series
`E[s(X) s(Y)] = sum_i a_i(m1, |u|) a_i(m2, |v|) cos^i t` in its Hermite coefficients
`a_i(m, |u|) = E[s(m + |u| z) h_i(z)]`, and `E[s'(X) s'(Y)]` likewise.

Source: Owen 1956 (tables for bivariate normal probabilities); Rosenbaum 1961 (moments of a truncated
bivariate normal distribution); O'Donnell 2014, section 11.2 (the series).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import pi
from typing import Literal

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError, UnsupportedLayerError
from ntkit._core.quadrature import legendre
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.pair import Pair, safe_sqrt

__all__ = ["AbstractShifted", "Ramps", "ShiftedPairs", "SmoothSeries", "met", "shifted"]

_FAR = 40.0
"""Standard deviations at which the normal distribution is 0 or 1 to the last digit, and its density 0."""

_LINEAR = 1e-11
"""Difference, over the size of the values, from which a function between two kinks is no line."""

_SMOOTH = 1e-8
"""Jump of a function or of its slope below which it counts as none: `Softplus` changes its formula so."""

_REACH = 12.0
"""Standard deviations to which is summed: the normal density is 1e-32 there."""

_SPACING = 0.25
"""Of the nodes of the first sum, over the larger one of 1 and the standard deviation: then it is halved."""

_HALVINGS = 5
_DEGREES = (16, 32, 64, 128, 256, 512)

_SETTLED = 1e-11
"""Change of mean squares as the nodes double, and share of them above the last degree."""

_AT_ONCE = 2**22
"""Values of the function that are held at a time."""

_OWEN = 24
"""Nodes of Owen's integral over at most an eighth of a turn: errors are below 1e-15."""


@dataclass(frozen=True)
class ShiftedPairs:
    """Pairs of Gaussian units, and the known means of the two sides.

    Attributes:
        pair: What is beside the means: tables `[n, m, p]`, or `[n, m, p, p]` of all pairs of positions;
            `[n, 1, ...]` where each point meets itself.
        first: Means `[n, p, c]` of the rows, one for each channel, or one for all.
        second: Of the columns, `[m, p, c]`; None where each point meets itself.
        layout: Which positions are paired.
    """

    pair: Pair
    first: Tensor
    second: Tensor | None
    layout: Literal["each", "pairs"]

    def deviations(self) -> tuple[Tensor, Tensor | None]:
        """Standard deviations `[n, p]` and `[m, p]`."""
        n, p = self.first.shape[:2]
        blank = (1,) if self.layout == "pairs" else ()
        one = safe_sqrt(self.pair.var1).expand(n, 1, p, *blank).reshape(n, p)
        if self.second is None:
            return one, None
        m = len(self.second)
        return one, safe_sqrt(self.pair.var2).expand(1, m, *blank, p).reshape(m, p)

    def channel(self, c: int) -> tuple[Tensor, Tensor]:
        """The means of a channel, shaped as the variances are."""
        second = self.first if self.second is None else self.second
        one, two = self.first[:, None, :, c], second[..., c]
        two = two[:, None] if self.second is None else two[None]
        return (one[..., None], two[..., None, :]) if self.layout == "pairs" else (one, two)


def met(first: Tensor, second: Tensor | None, layout: Literal["each", "pairs"]) -> Tensor:
    """The mean over channels of products of `[n, p, c]` and `[m, p, c]`: `[n, m, p]` or `[n, m, p, p]`.

    `[n, 1, ...]`, of each point with itself, where `second` is None.
    """
    pairs = layout == "pairs"
    if second is None:
        rule, second = "npc,nqc->npq" if pairs else "npc,npc->np", first
        return torch.einsum(rule, first, second)[:, None] / first.shape[-1]
    rule = "npc,mqc->nmpq" if pairs else "npc,mpc->nmp"
    return torch.einsum(rule, first, second) / first.shape[-1]


class AbstractShifted(ABC):
    """A nonlinearity of units with means."""

    @abstractmethod
    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """`E[s(X)]`, at standard deviations `[n, p]` and means `[n, p, c]`."""

    @abstractmethod
    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """The mean over channels of `E[s(X)^2]`, `[n, p]`."""

    @abstractmethod
    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """The means over channels of `E[s(X) s(Y)]` and `E[s'(X) s'(Y)]`."""


def shifted(activation: AbstractActivation) -> AbstractShifted | None:
    """How a nonlinearity acts on units with means: in closed form, or by a series.

    None where there is no way: functions that bend or jump, and are no lines in between, have no series
    that holds for close pairs.
    """
    if not activation.is_elementwise:
        return None
    kinks = sorted(t for t in set(activation.kinks) if _bends_at(activation, t))
    return _ramps(activation, kinks) if kinks else SmoothSeries(activation)


@dataclass(frozen=True)
class Ramps(AbstractShifted):
    """`start + slope x + sum_i bends_i max(x - kinks_i, 0)`.

    Attributes:
        start: At zero, of the line.
        slope: Of the line.
        kinks: Where it bends.
        bends: By how much.
    """

    start: float
    slope: float
    kinks: tuple[float, ...]
    bends: tuple[float, ...]

    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """The line's value, and `E[X+] = m F(h) + |u| f(h)` of each ramp."""
        sd = sd[..., None]
        found = self.start + self.slope * means
        for t, bend in zip(self.kinks, self.bends, strict=True):
            found = found + bend * _ramp(sd, means - t)
        return found

    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """Of a unit with itself, whose angle is zero."""
        zero, var = torch.zeros_like(sd)[:, None], (sd**2)[:, None]
        alone = ShiftedPairs(Pair(var, zero, 4 * var, var, var), means, None, "each")
        return self.moments(alone)[0][:, 0]

    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """Channel by channel.

        Raises:
            UnsupportedLayerError: Gradients are asked for.
        """
        pair, count = pairs.pair, pairs.first.shape[-1]
        tables = (pair.cov, pair.var1, pair.var2, pairs.first)
        if torch.is_grad_enabled() and any(t.requires_grad for t in tables):
            raise UnsupportedLayerError(
                "A gradient of an infinite-width kernel was asked for, where units with a known mean go "
                "through a nonlinearity that bends (ReLU): only values have a formula. Take differences "
                "of values, or a smooth nonlinearity (`nn.GELU`)."
            )
        angles = _Angles.of(pair)
        cov = slope = torch.zeros((), dtype=pair.cov.dtype, device=pair.cov.device)
        for c in range(count):
            one, two = self._moments(angles, *pairs.channel(c))
            cov, slope = cov + one, slope + two
        return cov / count, slope / count

    def _moments(self, angles: "_Angles", one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """Of one channel: lines with lines, lines with ramps, ramps with ramps."""
        sd1, sd2, cov = angles.sd1, angles.sd2, angles.cov
        start, slope = self.start, self.slope
        found = (start + slope * one) * (start + slope * two) + slope**2 * cov
        slopes = slope**2 + torch.zeros_like(cov)
        ramps = list(zip(self.kinks, self.bends, strict=True))
        for t, bend in ramps:
            for sd, here, there in ((sd1, one, two), (sd2, two, one)):
                share = _normal(_over(here - t, sd))
                line = (start + slope * there) * _ramp(sd, here - t) + slope * cov * share
                found = found + bend * line
                slopes = slopes + bend * slope * share
        for t, bend in ramps:
            for t2, bend2 in ramps:
                both, positive = angles.ramps(one - t, two - t2)
                found = found + bend * bend2 * both
                slopes = slopes + bend * bend2 * positive
        return found, slopes


@dataclass(frozen=True)
class _Angles:
    """What the angles of a table of pairs are needed for."""

    cov: Tensor
    sd1: Tensor
    sd2: Tensor
    below: Tensor
    above: Tensor
    sine: Tensor
    angle: Tensor

    @staticmethod
    def of(pair: Pair) -> "_Angles":
        """`1 - cos t`, `1 + cos t` and `sin t`; a right angle where one has no variance."""
        norms = pair.norms
        alive = norms > 0
        safe = torch.where(alive, 2 * norms, 1)
        below = torch.where(alive, pair.apart / safe, 1)
        above = torch.where(alive, pair.together / safe, 1)
        sine = (below * above).clamp_min(0).sqrt()
        sd1, sd2 = safe_sqrt(pair.var1), safe_sqrt(pair.var2)
        return _Angles(pair.cov, sd1, sd2, below, above, sine, pair.angles()[0])

    def ramps(self, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
        """`E[X+ Y+]` and `P(X > 0, Y > 0)`."""
        h, k = _over(one, self.sd1), _over(two, self.sd2)
        p, q = self._across(h, k), self._across(k, h)
        unlike = (h >= 0) != (k >= 0)
        owen = _owen(h, p) + _owen(k, q)
        origin = (h == 0) & (k == 0)
        owen = torch.where(origin, self.angle / (2 * pi), owen)
        positive = ((_normal(h) + _normal(k)) / 2 - owen - 0.5 * unlike).clamp(0, 1)
        norms = self.sd1 * self.sd2
        both = (
            (one * two + self.cov) * positive
            + two * self.sd1 * _density(h) * _normal(p)
            + one * self.sd2 * _density(k) * _normal(q)
            + norms * self.sine * torch.exp(-(h**2 + p**2) / 2) / (2 * pi)
        )
        return both, positive

    def _across(self, h: Tensor, k: Tensor) -> Tensor:
        """`(k - h cos t) / sin t`, from the smaller one of the two distances of `cos t` from +-1."""
        rise = torch.where(self.below < self.above, k - h + self.below * h, k + h - self.above * h)
        alive = self.sine > 0
        ratio = rise / torch.where(alive, self.sine, 1)
        return torch.where(alive, ratio, _FAR * torch.sign(rise)).clamp(-_FAR, _FAR)


class SmoothSeries(AbstractShifted):
    """A smooth function: Hermite coefficients by the trapezoidal rule, at each mean of its own.

    The rule converges exponentially for what is smooth; its nodes are doubled until the mean squares
    stay.

    Args:
        activation: The function.
    """

    def __init__(self, activation: AbstractActivation) -> None:
        self._activation = activation

    def mean(self, sd: Tensor, means: Tensor) -> Tensor:
        """The first coefficient."""
        return self._coefficients(sd, means, 1, slope=False)[..., 0]

    def square(self, sd: Tensor, means: Tensor) -> Tensor:
        """The same sum, of the square."""
        return self._squares(sd, means)[0].mean(-1)

    def moments(self, pairs: ShiftedPairs) -> tuple[Tensor, Tensor]:
        """The series, with as many degrees as the coefficients need.

        Raises:
            NumericalError: 512 do not hold the function.
        """
        pair, (sd1, sd2) = pairs.pair, pairs.deviations()
        norms = pair.norms
        cosine = torch.where(norms > 0, pair.cov / torch.where(norms > 0, norms, 1), 0)
        found = []
        for slope in (False, True):
            first = self._series(sd1, pairs.first, slope=slope)
            second = None
            if pairs.second is not None and sd2 is not None:
                second = self._series(sd2, pairs.second, slope=slope)
            count = first.shape[-1] if second is None else min(first.shape[-1], second.shape[-1])
            total = torch.zeros_like(cosine)
            for i in reversed(range(count)):
                one, two = first[..., i], None if second is None else second[..., i]
                total = total * cosine + met(one, two, pairs.layout)
            found.append(total)
        return found[0], found[1]

    def _series(self, sd: Tensor, means: Tensor, *, slope: bool) -> Tensor:
        """`[n, p, c, k]`, with `k` such that what is left out is nothing.

        Raises:
            NumericalError: 512 degrees do not hold the function.
        """
        whole = self._squares(sd, means)[int(slope)].detach()
        for count in _DEGREES:
            table = self._coefficients(sd, means, count, slope=slope)
            missing = whole - (table.detach() ** 2).sum(-1)
            if bool((missing <= _SETTLED * whole.amax()).all()):
                return table
        raise NumericalError(
            f"The moments of `{self._activation}` of units with a known mean do not settle: "
            f"{_DEGREES[-1]} Hermite degrees do not hold it. Its inputs are too long, or it has kinks "
            "that are not named (`kinks=(...)`)."
        )

    def _squares(self, sd: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
        """`E[s(X)^2]` and `E[s'(X)^2]`, `[n, p, c]`."""
        x, w = _nodes(self._spacing(sd, means), sd)
        return self._summed(sd, means, x, w, slope=False), self._summed(sd, means, x, w, slope=True)

    def _summed(self, sd: Tensor, means: Tensor, x: Tensor, w: Tensor, *, slope: bool) -> Tensor:
        """The mean square of the function or of its slope."""
        return torch.cat([(s**2) @ w for s in self._values(sd, means, x, slope=slope)]).reshape(
            means.shape
        )

    def _spacing(self, sd: Tensor, means: Tensor) -> float:
        """Of nodes that are close enough for both mean squares.

        Raises:
            NumericalError: None are.
        """
        with torch.no_grad():
            spacing = _SPACING / max(1.0, float(sd.max()))
            last = None
            for _ in range(_HALVINGS):
                x, w = _nodes(spacing, sd)
                new = [self._summed(sd, means, x, w, slope=slope) for slope in (False, True)]
                if last is not None and all(
                    bool(((a - b).abs() <= _SETTLED * a.amax()).all())
                    for a, b in zip(new, last, strict=True)
                ):
                    return spacing
                last, spacing = new, spacing / 2
        raise NumericalError(
            f"The moments of `{self._activation}` of units with a known mean do not settle as the nodes "
            "double. If it has kinks or jumps, name them: `kinks=(...)`."
        )

    def _coefficients(self, sd: Tensor, means: Tensor, count: int, *, slope: bool) -> Tensor:
        """`E[s(X) h_i(z)]`, or of the slope, `[n, p, c, count]`."""
        # A product with a polynomial of degree `count` wants nodes as close as its zeros are.
        spacing = min(self._spacing(sd, means), 1 / (1 + count) ** 0.5)
        x, w = _nodes(spacing, sd)
        rows, before, current = [], torch.zeros_like(x), torch.ones_like(x)
        for k in range(count):
            rows.append(current * w)
            before, current = current, (x * current - k**0.5 * before) / (k + 1) ** 0.5
        basis = torch.stack(rows, 1)
        parts = [s @ basis for s in self._values(sd, means, x, slope=slope)]
        return torch.cat(parts).reshape(*means.shape, count)

    def _values(self, sd: Tensor, means: Tensor, x: Tensor, *, slope: bool) -> list[Tensor]:
        """The function at `m + |u| x`, `[rows, nodes]`, a few rows at a time."""
        centres = means.reshape(-1, 1)
        lengths = sd[..., None].expand(means.shape).reshape(-1, 1)
        step = max(1, _AT_ONCE // len(x))
        found = []
        for k in range(0, len(centres), step):
            points = centres[k : k + step] + lengths[k : k + step] * x
            value = self._activation.value
            found.append(derivative(value, points) if slope else value(points))
        return found


def _nodes(spacing: float, like: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes and weights of the normal density."""
    half = int(_REACH / spacing) + 1
    x = torch.arange(-half, half + 1, dtype=torch.float64, device=like.device) * spacing
    return x, spacing * _density(x)


def _bends_at(activation: AbstractActivation, kink: float) -> bool:
    """Whether a function or its slope jumps there."""
    step = 1e-9 * max(1.0, abs(kink))
    x = torch.tensor([kink - step, kink + step], dtype=torch.float64)
    value, slope = activation.value(x), derivative(activation.value, x)
    far = float((value[1] - value[0]).abs()) > _SMOOTH + 4 * step * float(slope.abs().max())
    return far or float((slope[1] - slope[0]).abs()) > _SMOOTH * max(1.0, float(slope.abs().max()))


def _ramps(activation: AbstractActivation, kinks: list[float]) -> Ramps | None:
    """The function as a line and ramps; None where it is something else."""
    ends = [kinks[0] - 8.0, *kinks, kinks[-1] + 8.0]
    starts, slopes = [], []
    for low, high in zip(ends, ends[1:], strict=False):
        x = low + (high - low) * torch.tensor([0.02, 0.25, 0.5, 0.71, 0.98], dtype=torch.float64)
        y = activation.value(x)
        slope = float((y[-1] - y[0]) / (x[-1] - x[0]))
        start = float(y[0] - slope * x[0])
        size = float(y.abs().max()) + abs(slope) * float(x.abs().max()) + 1e-300
        if float((y - start - slope * x).abs().max()) > _LINEAR * size:
            return None
        starts.append(start)
        slopes.append(slope)
    bends = tuple(after - before for before, after in zip(slopes, slopes[1:], strict=False))
    lines = list(zip(starts, slopes, strict=True))
    for t, (start, slope), (start2, slope2) in zip(kinks, lines, lines[1:], strict=False):
        if abs(start + slope * t - start2 - slope2 * t) > _LINEAR * (1 + abs(start) + abs(start2)):
            return None  # a jump
    return Ramps(starts[0], slopes[0], tuple(kinks), bends)


def _over(means: Tensor, sd: Tensor) -> Tensor:
    """`m / |u|`, as far as it tells; without variance it is as far as can be."""
    alive = sd > 0
    ratio = means / torch.where(alive, sd, 1)
    return torch.where(alive, ratio, _FAR * torch.sign(means)).clamp(-_FAR, _FAR)


def _ramp(sd: Tensor, means: Tensor) -> Tensor:
    """`E[X+]`."""
    h = _over(means, sd)
    return means * _normal(h) + sd * _density(h)


def _density(h: Tensor) -> Tensor:
    return torch.exp(-(h**2) / 2) / (2 * pi) ** 0.5


def _normal(h: Tensor) -> Tensor:
    """The normal distribution, to all digits at either end."""
    return torch.erfc(-h / 2**0.5) / 2


def _owen(h: Tensor, p: Tensor) -> Tensor:
    """Owen's `T(h, p / h)`, the share of a wedge of the plane; `h` counts as positive at zero."""
    size, across = h.abs(), p.abs()
    steep = across > size
    long, short = torch.maximum(size, across), torch.minimum(size, across)
    angle = torch.atan2(short, long)
    nodes, weights = legendre(_OWEN)
    total = torch.zeros_like(angle)
    for x, w in zip(nodes.tolist(), weights.tolist(), strict=True):
        total = total + w / 2 * torch.exp(-((long / torch.cos(angle * (1 + x) / 2)) ** 2) / 2)
    inner = angle / (2 * pi) * total
    outer = (1 - torch.erf(size / 2**0.5) * torch.erf(across / 2**0.5)) / 4 - inner
    sign = torch.where((h >= 0) == (p >= 0), 1.0, -1.0)
    return sign * torch.where(steep, outer, inner)
