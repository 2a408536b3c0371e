"""What a task is: an unknown field, what of it is measured, what is held out, and how a fit is judged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from math import inf, log10
from typing import TYPE_CHECKING, ClassVar, TypeVar

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkit.grids import Grid
from ntkit.measurements import Samples
from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.missing import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AbstractTask", "Baseline", "psnr"]

_Task = TypeVar("_Task", bound="AbstractTask")


def psnr(mean_square_error: float) -> float:
    """Peak signal-to-noise ratio in decibels, for signals whose peak is 1.

    Example:
        >>> psnr(0.01)
        20.0
    """
    return inf if mean_square_error <= 0 else -10 * log10(mean_square_error)


@dataclass(frozen=True)
class Baseline:
    """What a fit must beat: an interpolation that needs no network.

    Attributes:
        name: Of the method.
        held_out: PSNR on the held-out samples, dB.
    """

    name: str
    held_out: float


class AbstractTask(ABC):
    """A field `R^d -> R^o`, known at some points: on some a network is trained, on others it is judged.

    Attributes:
        values: `[*shape, o]`, float64, on the CPU: the field at all points, in levels whose peak is 1.
        measurement: Which of the points are trained on.
        held_out: `[*shape]`, True at the points that a fit is judged on; it may be True nowhere.
    """

    kind: ClassVar[str]
    """What the command line calls the job."""

    sample: ClassVar[str] = "sample"
    """What one point is called: a pixel, a voxel."""

    least_bandwidth: ClassVar[float] = 1.0
    """Where the ladder of bandwidths begins, in cycles per unit."""

    domain: Domain
    """What the coordinates and the numbers stand for."""

    notes: tuple[str, ...] = ()
    """What was converted while it was read, in words."""

    values: Float[Tensor, "..."]
    measurement: Samples
    held_out: Bool[Tensor, "..."]

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape))
        trained, judged = len(self.measurement.index), int(self.held_out.sum())
        return (
            f"{type(self).__name__}({size} {self.sample}s, {self.n_outputs} outputs, {trained:,} trained on, "
            f"{judged:,} held out)"
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the grid; of scattered points, how many there are."""
        return tuple(self.values.shape[:-1])

    @property
    def n_outputs(self) -> int:
        """Number of channels."""
        return self.values.shape[-1]

    @property
    @abstractmethod
    def in_dim(self) -> int:
        """Number of coordinates."""

    @property
    @abstractmethod
    def grid(self) -> Grid | None:
        """The grid that the points are; None for scattered ones."""

    @abstractmethod
    def points(self) -> Float[Tensor, "n d"]:
        """All points in [0, 1)^d, float64, in the order of the flattened values."""

    @abstractmethod
    def baseline(self) -> Baseline | None:
        """What needs no network; None where nothing is held out, or there is no such method."""

    @abstractmethod
    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Fields `[*shape, o]` beside each other, each with its title; the truth first."""

    @classmethod
    @abstractmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
    ) -> Rendered:
        """The field of a network at other points than those of the task.

        Args:
            network: Coordinates to outputs.
            domain: Of the task that it was trained on.
            size: Points along each axis.
            crop: From where to where along each.
        """

    def scores(self, prediction: Float[Tensor, "..."]) -> dict[str, float]:
        """What else people ask of a fit of this kind, by name and unit."""
        del prediction
        return {}

    def frequency(self, bandwidth: float) -> str:
        """A bandwidth in the unit of the data, in words; nothing where cycles per unit is all there is."""
        del bandwidth
        return ""

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """How many training samples there are along each coordinate, on average."""
        return (len(self.measurement.index) ** (1 / self.in_dim),) * self.in_dim

    @property
    def axis_factors(self) -> tuple[tuple[float, ...], ...]:
        """What bandwidths may be multiplied by along each axis, one tuple a kind to try; () for 1 along all."""
        return ((),)

    @property
    def judges(self) -> bool:
        """Whether anything is held out."""
        return bool(self.held_out.any())

    def training(self) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n o"]]:
        """Points and values to train on."""
        return self.points()[self.measurement.index], self.measurement(self.values)

    def judged(self) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n o"]]:
        """Points and values that are held out."""
        mask = self.held_out.flatten()
        return self.points()[mask], self.values.reshape(-1, self.n_outputs)[mask]

    def errors(self, prediction: Float[Tensor, "..."]) -> tuple[float, float]:
        """Mean square errors of `[*shape, o]` on the training samples and on the held-out ones.

        The second is NaN where nothing is held out.

        Raises:
            ValueError: `prediction` has another shape.
        """
        if prediction.shape != self.values.shape:
            raise ValueError(
                f"`prediction` has shape {tuple(prediction.shape)}, the {self.kind} "
                f"{tuple(self.values.shape)}: one last axis of channels, also for a single one."
            )
        square = (prediction.cpu().double() - self.values) ** 2
        seen, unseen = self.measurement(square), square[self.held_out]
        return float(seen.mean()), float(unseen.mean())

    def train_on(self: _Task, seen: Bool[Tensor, "..."], held_out: Bool[Tensor, "..."]) -> _Task:
        """The same field with other points to train on, and others to be judged on.

        Args:
            seen: `[*shape]`, True where it is trained on.
            held_out: `[*shape]`, True where it is judged.

        Raises:
            ValueError: A point is in both, or the shape is another.
        """
        if seen.shape != self.shape or held_out.shape != self.shape:
            raise ValueError(
                f"`seen` {tuple(seen.shape)} and `held_out` {tuple(held_out.shape)} need the shape of "
                f"the points, {self.shape}."
            )
        if bool((seen & held_out).any()):
            raise ValueError(
                "`seen` and `held_out` share points: what is trained on judges nothing."
            )
        whole = bool(seen.all())
        measurement = Samples.everywhere(self.shape) if whole else Samples.mask(seen)
        other = copy(self)
        other.measurement, other.held_out = measurement, held_out
        return other

    def keep_out(self: _Task, share: float, *, seed: int = 0) -> _Task:
        """Train on all known points but this share of them, drawn at random; on all of them for 0.

        Raises:
            ValueError: The share is not from 0 to 0.9, or leaves nothing to judge.
        """
        if not 0 <= share <= 0.9:
            raise ValueError(f"`hold_out={share!r}` must be a share of the samples, from 0 to 0.9.")
        known = self.measurement.seen | self.held_out
        held_out = drawn(known, share, seed=seed)
        if share > 0 and not bool(held_out.any()):
            raise ValueError(f"`hold_out={share!r}` of {int(known.sum())} samples holds out none.")
        return self.train_on(known & ~held_out, held_out)
