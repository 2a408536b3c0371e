"""Smooth functions of units with means: a series in the cosine of their angle.

`E[s(X) s(Y)] = sum_i a_i(m1, |u|) a_i(m2, |v|) cos^i t`, with the Hermite coefficients
`a_i(m, |u|) = E[s(m + |u| z) h_i(z)]`; `E[s'(X) s'(Y)]` likewise.

Source: O'Donnell 2014, section 11.2.
"""

import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.kernels.infinite.activations.base import AbstractActivation
from ntkit.kernels.infinite.activations.numerical.gauss import derivative
from ntkit.kernels.infinite.activations.shifted.base import AbstractShifted, ShiftedPairs, met
from ntkit.kernels.infinite.activations.shifted.quadrants import density

__all__ = ["SmoothSeries"]

_REACH = 12.0
"""Standard deviations to which is summed: the normal density is 1e-32 there."""

_SPACING = 0.25
"""Of the nodes of the first sum, over the larger one of 1 and the standard deviation: then it is halved."""

_HALVINGS = 5
"""Of the spacing, to 1/128 of a deviation; what is not settled then is not smooth."""

_DEGREES = (16, 32, 64, 128, 256, 512)
"""That are tried in turn, until what lies above the last is small."""

_SETTLED = 1e-11
"""Change of mean squares as the nodes double, and share of them above the last degree."""

_AT_ONCE = 2**22
"""Values of the function that are held at a time."""


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
        """The series, with as many degrees as the coefficients need."""
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
    return x, spacing * density(x)
