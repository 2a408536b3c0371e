"""Tasks whose measurements are samples: the field itself, at points."""

from abc import abstractmethod
from copy import copy
from typing import TypeVar

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkit.grids import Grid
from ntkit.measurements import Samples
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.domain import evaluated
from ntkit.tasks.missing import drawn

__all__ = ["AbstractSamples"]

_Task = TypeVar("_Task", bound="AbstractSamples")


class AbstractSamples(AbstractTask):
    """A field `R^d -> R^o`, known at some points: on some a network is trained, on others it is judged.

    Attributes:
        values: `[*shape, o]`, float64, on the CPU: the field at all points, in levels whose peak is 1.
        measurement: Which of the points are trained on.
        held_out: `[*shape]`, True at the points that a fit is judged on; it may be True nowhere.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Image
        >>> isinstance(Image(torch.rand(8, 8)), AbstractSamples)
        True
    """

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
    def grid(self) -> Grid | None:
        """The grid that the points are; None for scattered ones."""

    @abstractmethod
    def points(self) -> Float[Tensor, "n d"]:
        """All points in [0, 1)^d, float64, in the order of the flattened values."""

    @property
    def n_trained(self) -> int:
        """Points that are trained on."""
        return len(self.measurement.index)

    def on_grid(self) -> Float[Tensor, "..."] | None:
        """The field on a grid of the unit cube, `[*n, o]`, to look at its frequencies; None where it is not known on one."""
        return None if self.grid is None else self.values

    @property
    def truth(self) -> Float[Tensor, "..."]:
        """The field at all points."""
        return self.values

    def shown(self, network: nn.Module) -> Float[Tensor, "..."]:
        """A network at all points, `[*shape, o]`."""
        return evaluated(network, self.points()).double().reshape(self.values.shape)

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """How many training samples there are along each coordinate, on average."""
        return (len(self.measurement.index) ** (1 / self.in_dim),) * self.in_dim

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
