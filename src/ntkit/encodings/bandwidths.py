"""Random frequencies from one draw of unit variance, scaled axis by axis."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import per_axis, positive, positive_int
from ntkit.encodings.base import AbstractFourier

__all__ = ["AbstractDraw", "scaled", "summary", "widths"]


def widths(bandwidth: float | Sequence[float], in_dim: int) -> list[float]:
    """The standard deviation along each axis.

    Raises:
        ValueError: There is not one an axis, or one is not above 0.
    """
    found = [positive("bandwidth", w) for w in per_axis(bandwidth, in_dim)]
    if len(found) != in_dim:
        raise ValueError(
            f"`bandwidth={bandwidth!r}` has {len(found)} entries for `in_dim={in_dim}` axes. "
            "Pass one number, or one an axis."
        )
    return found


def scaled(
    unit: Float[Tensor, "m d"], deviations: Sequence[float], *, integer: bool
) -> Float[Tensor, "m d"]:
    """Frequencies: `unit` times the deviation of each axis; whole cycles where asked."""
    frequencies = torch.tensor(deviations) * unit
    return frequencies.round() if integer else frequencies


def summary(deviations: Sequence[float]) -> float | tuple[float, ...]:
    """One number where all axes have the same, else one an axis."""
    return deviations[0] if len(set(deviations)) == 1 else tuple(deviations)


class AbstractDraw(AbstractFourier):
    """Frequencies drawn independently along each axis, by a law that a class has.

    Attributes:
        bandwidth: Standard deviation of the frequencies, cycles per unit; one an axis where they differ.
    """

    def __init__(
        self,
        in_dim: int,
        n_frequencies: int,
        bandwidth: float | Sequence[float],
        generator: torch.Generator | None = None,
        *,
        integer: bool = False,
    ) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        deviations = widths(bandwidth, d)
        super().__init__(scaled(self._unit(m, d, generator), deviations, integer=integer))
        self.bandwidth: float | tuple[float, ...] = summary(deviations)

    @staticmethod
    @abstractmethod
    def _unit(m: int, d: int, generator: torch.Generator | None) -> Float[Tensor, "m d"]:
        """A draw of standard deviation 1."""
