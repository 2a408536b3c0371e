"""In what a fit is judged: sums over rows, an error to compare by, and the number that people read."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, isnan, log10, nan
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["PSNR", "SNR", "AbstractMetric", "IntersectionOverUnion", "psnr", "psnr_between"]


def psnr(mean_square_error: float) -> float:
    """Peak signal-to-noise ratio in decibels, for signals whose peak is 1.

    Example:
        >>> psnr(0.01)
        20.0
    """
    return inf if mean_square_error <= 0 else -10 * log10(mean_square_error)


def psnr_between(found: Float[Tensor, "*n"], truth: Float[Tensor, "*n"]) -> float:
    """Peak signal-to-noise ratio of one signal beside another, in decibels, for a peak of 1.

    Example:
        >>> psnr_between(torch.tensor([0.5, 1.5]), torch.tensor([0.0, 1.0]))
        6.020599913279624
    """
    return psnr(float((found - truth).double().square().mean()))


class AbstractMetric(ABC):
    """A quality of a fit, from sums that add up over batches of rows.

    Example:
        >>> from ntkit.tasks import PSNR
        >>> issubclass(PSNR, AbstractMetric)
        True
    """

    name: ClassVar[str]
    """What it is called."""

    key: ClassVar[str]
    """What it is called in JSON."""

    error_name: ClassVar[str]
    """What its error is."""

    unit: ClassVar[str] = ""
    """Of the number that people read."""

    digits: ClassVar[int] = 1
    """Shown behind the point."""

    perfect: ClassVar[float] = inf
    """Above it a number says nothing more."""

    @abstractmethod
    def sums(self, found: Float[Tensor, "n o"], true: Float[Tensor, "n o"]) -> Float[Tensor, " k"]:
        """What of some rows counts, float64; it adds up over rows."""

    @abstractmethod
    def error(self, sums: Float[Tensor, " k"]) -> float:
        """0 for a perfect fit, more for a worse one; NaN of no rows."""

    @abstractmethod
    def quality(self, error: float) -> float:
        """The number that people read, more for a better fit."""

    @property
    def label(self) -> str:
        """Name and unit, for an axis: "PSNR (dB)"."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    def number(self, quality: float) -> str:
        """The number alone, rounded: "26.1"."""
        if isnan(quality):
            return "-"
        return "perfect" if quality > self.perfect else f"{quality:.{self.digits}f}"

    def difference(self, quality: float) -> str:
        """Of two qualities, with its sign: "+0.3"."""
        return "-" if isnan(quality) else f"{quality:+.{self.digits}f}"

    def written(self, quality: float) -> str:
        """The number with its unit, or its name where it has none: "26.1 dB", "IoU 0.973"."""
        number = self.number(quality)
        if not self.unit:
            return f"{self.name} {number}"
        return number if number == "perfect" else f"{number} {self.unit}"

    def words(self, error: float) -> str:
        """The quality of an error, written."""
        return self.written(self.quality(error))


@dataclass(frozen=True)
class PSNR(AbstractMetric):
    """Peak signal-to-noise ratio of values whose peak is 1; its error is the mean square error.

    Example:
        >>> PSNR().words(0.01)
        '20.0 dB'
    """

    name = "PSNR"
    key = "psnr"
    error_name = "mean square error"
    unit = "dB"
    perfect: ClassVar[float] = 100.0

    def sums(self, found: Float[Tensor, "n o"], true: Float[Tensor, "n o"]) -> Float[Tensor, " k"]:
        """Of squares, and how many."""
        squares = ((found - true) ** 2).sum(dtype=torch.float64)
        return torch.stack([squares, squares.new_tensor(float(true.numel()))])

    def error(self, sums: Float[Tensor, " k"]) -> float:
        """The mean square error."""
        total, count = sums.tolist()
        return total / count if count else nan

    def quality(self, error: float) -> float:
        """In decibels."""
        return psnr(error)


@dataclass(frozen=True)
class SNR(AbstractMetric):
    """Signal-to-noise ratio of data without a peak; its error is what is missed of their square, `|r|^2 / |y|^2`.

    Example:
        >>> metric = SNR()
        >>> y = torch.tensor([[30.0, -40.0]])
        >>> metric.words(metric.error(metric.sums(y + torch.tensor([[3.0, 4.0]]), y)))
        '20.0 dB'
    """

    name = "SNR"
    key = "snr"
    error_name = "relative square error"
    unit = "dB"
    perfect: ClassVar[float] = 100.0

    def sums(self, found: Float[Tensor, "n o"], true: Float[Tensor, "n o"]) -> Float[Tensor, " k"]:
        """Of squares of what is missed, and of what is true."""
        missed, size = ((v**2).sum(dtype=torch.float64) for v in (found - true, true))
        return torch.stack([missed, size])

    def error(self, sums: Float[Tensor, " k"]) -> float:
        """What is missed over what is true."""
        missed, size = sums.tolist()
        if size:
            return missed / size
        return inf if missed else nan

    def quality(self, error: float) -> float:
        """In decibels."""
        return psnr(error)


@dataclass(frozen=True)
class IntersectionOverUnion(AbstractMetric):
    """Of the points that are inside: above 0, for a fit as for the truth. Its error is one less it.

    Example:
        >>> metric = IntersectionOverUnion()
        >>> inside = torch.tensor([[1.0], [1.0], [0.0]])
        >>> metric.error(metric.sums(torch.tensor([[0.3], [-1.0], [-0.1]]), inside))
        0.5
    """

    name = "IoU"
    key = "iou"
    error_name = "share of the union that is not shared"
    digits = 3

    def sums(self, found: Float[Tensor, "n o"], true: Float[Tensor, "n o"]) -> Float[Tensor, " k"]:
        """Points that both say are inside, and those that either says, and all; NaN where a fit is NaN."""
        a, b = found > 0, true > 0
        both, either = (a & b).sum(), (a | b).sum()
        sums = torch.stack([both, either, both.new_tensor(a.numel())]).double()
        return torch.where(found.isnan().any(), torch.nan, sums)

    def error(self, sums: Float[Tensor, " k"]) -> float:
        """One less the intersection over the union; 0 where neither says that a point is inside."""
        both, either, count = sums.tolist()
        if not count:
            return nan
        return 1 - both / either if either else 0.0

    def quality(self, error: float) -> float:
        """Intersection over union."""
        return 1 - error
