"""The encodings and families of networks that are compared, and how an encoding is built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log2

import torch

from ntkit._core.checks import positive
from ntkit.encodings import AbstractEncoding, Basic, Gaussian, Identity, NeRF, Positional
from ntkit.networks.families import FAMILIES
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget

__all__ = [
    "COMPARED",
    "ENCODINGS",
    "MLP",
    "Candidate",
    "candidates",
    "default_bandwidths",
]

MLP = "mlp"
"""The family of ReLU networks on any of `ENCODINGS`; a candidate of another family has its name."""

_DECADE = (1.0, 1.4, 2.0, 3.0, 4.5, 6.0, 9.0)  # about half an octave apart, in few digits
_LADDER = (
    *(0.25, 0.5, 1, 2, 4, 7, 10, 14, 20, 30, 45, 60, 90, 130, 200, 300, 450, 600),
    *(1000.0 * 10**k * b for k in range(4) for b in _DECADE),
)
_SPAN = 600
"""Largest to smallest bandwidth that is tried: fewer cycles than that fit no long recording."""


@dataclass(frozen=True)
class Candidate:
    """An encoding to try in front of a ReLU network, or a network that has one of its own.

    Attributes:
        name: "identity", "basic", "positional", "nerf" or "gaussian"; or a family of `ntkit.networks.FAMILIES`.
        bandwidth: Standard deviation of the frequencies of "gaussian", the largest frequency of
            "positional" and "nerf", the bandwidth of a family (cycles per unit); None for the others.
        axes: What the bandwidth of "gaussian" is multiplied by along each axis; empty for 1 along all.

    Example:
        >>> str(Candidate("gaussian", 8.0)), str(Candidate("siren", 12.5))
        ('gaussian 8', 'siren 12.5')
    """

    name: str
    bandwidth: float | None = None
    axes: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        """Of networks: "mlp" for those whose encoding it is."""
        return MLP if self.name in _BUILDERS else self.name

    def own(self, budget: Budget, width: int) -> Budget:
        """A budget whose rate is meant for ReLU networks, with that of this family in its place.

        Other families take the multiple of it that their usual rate is of the usual one of ReLU networks, and let it
        fall as they need.

        Args:
            budget: With the rate of a ReLU network.
            width: Units a layer of the network, `NetworkPlan.width_of`.
        """
        family = FAMILIES[self.family]
        rate = budget.lr * family.rate(width) / FAMILIES[MLP].lr
        return replace(budget, lr=rate, falling=max(budget.falling, family.falling))

    def build(
        self, in_dim: int, n_frequencies: int, generator: torch.Generator, *, integer: bool = False
    ) -> AbstractEncoding:
        """The encoding with about `2 * n_frequencies` features.

        Args:
            in_dim: Number of coordinates.
            n_frequencies: Frequencies of a Gaussian encoding; shared out over the axes otherwise.
            generator: Source of random frequencies.
            integer: Whether to round Gaussian frequencies to whole cycles.
        """
        return _BUILDERS[self.name](self, in_dim, n_frequencies, generator, integer)

    def code(self, in_dim: int, n_frequencies: int) -> str:
        """The line of Python that builds it."""
        arguments = {
            "identity": f"Identity({in_dim})",
            "basic": f"Basic({in_dim})",
            "positional": f"Positional({in_dim}, {max(1, n_frequencies // in_dim)}, "
            f"max_frequency={self.bandwidth or 0:g})",
            "nerf": f"NeRF({in_dim}, {_octaves(self.bandwidth or 1.0)})",
            "gaussian": f"Gaussian({in_dim}, {n_frequencies}, bandwidth={self._bandwidth_code})",
        }
        return f"ntkit.encodings.{arguments[self.name]}"

    @property
    def per_axis(self) -> float | tuple[float, ...]:
        """The bandwidth, or one an axis."""
        top = self.bandwidth or 1.0
        return tuple(top * factor for factor in self.axes) if self.axes else top

    @property
    def _bandwidth_code(self) -> str:
        found = self.per_axis
        if isinstance(found, tuple):
            return f"[{', '.join(f'{b:.4g}' for b in found)}]"
        return f"{found:g}"

    @property
    def label(self) -> str:
        """What tables and pictures call it: the identity is no encoding."""
        return "no encoding" if self.name == "identity" else str(self)

    def __str__(self) -> str:
        if self.bandwidth is None:
            return self.name
        found = self.per_axis
        numbers = found if isinstance(found, tuple) else (found,)
        return f"{self.name} {' x '.join(f'{b:.3g}' if self.axes else f'{b:g}' for b in numbers)}"


_Builder = Callable[[Candidate, int, int, torch.Generator, bool], AbstractEncoding]

_BUILDERS: dict[str, _Builder] = {
    "identity": lambda c, d, m, g, whole: Identity(d),
    "basic": lambda c, d, m, g, whole: Basic(d),
    "positional": lambda c, d, m, g, whole: Positional(d, max(1, m // d), c.bandwidth or 1.0),
    "nerf": lambda c, d, m, g, whole: NeRF(d, _octaves(c.bandwidth or 1.0)),
    "gaussian": lambda c, d, m, g, whole: Gaussian(d, m, c.per_axis, g, integer=whole),
}

ENCODINGS = tuple(_BUILDERS)
"""Names that `tune(encodings=...)` takes.

Example:
    >>> "gaussian" in ENCODINGS
    True
"""

COMPARED = ("identity", "basic", "positional", "gaussian")
"""Those that are compared unless others are asked for.

Example:
    >>> COMPARED
    ('identity', 'basic', 'positional', 'gaussian')
"""


def _octaves(top: float) -> int:
    """How many of NeRF's octaves, from half a cycle per unit, there are up to `top`."""
    return max(1, int(log2(top)) + 2)


def default_bandwidths(task: AbstractTask) -> tuple[float, ...]:
    """A ladder up to a quarter of the training samples along the longest axis, 10 at least."""
    top = max(10.0, max(task.axis_counts) / 4)
    least = max(task.least_bandwidth, top / _SPAN)
    return tuple(float(b) for b in _LADDER if least <= b <= top)


def candidates(
    task: AbstractTask, encodings: Sequence[str], bandwidths: Sequence[float] | None
) -> list[Candidate]:
    """One candidate an encoding, and one a bandwidth for "gaussian", or some, where axes differ in kind.

    "positional" gets the Nyquist frequency of the training samples as its largest, "nerf" the octave below.

    Args:
        task: What is fitted.
        encodings: Names.
        bandwidths: Of "gaussian"; a ladder if left out.

    Raises:
        ValueError: An unknown encoding, a bandwidth that is not above 0, or none at all.
    """
    unknown = [name for name in encodings if name not in _BUILDERS]
    if unknown or not encodings:
        raise ValueError(
            f"`encodings={tuple(encodings)!r}` must name some of {', '.join(ENCODINGS)}."
        )
    ladder = default_bandwidths(task) if bandwidths is None else bandwidths
    if "gaussian" in encodings and not ladder:
        raise ValueError("`bandwidths=()` leaves the gaussian encoding without one to try.")
    nyquist = max(2.0, min(task.axis_counts) / 2)
    found = []
    for name in dict.fromkeys(encodings):
        if name == "gaussian":
            wanted = sorted({positive("bandwidths", b) for b in ladder})
            found += [Candidate(name, b, axes) for axes in task.axis_factors for b in wanted]
        elif name == "positional":
            found.append(Candidate(name, float(f"{nyquist:.4g}")))
        elif name == "nerf":  # its octaves are powers of two
            found.append(Candidate(name, 2.0 ** int(log2(nyquist))))
        else:
            found.append(Candidate(name))
    return found
