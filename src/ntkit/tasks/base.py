"""What a task is: an unknown field, what of it is measured, what is held out, and how a fit is judged."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from jaxtyping import Float
from torch import Generator, Tensor, nn

from ntkit.tasks.domain import Domain, Rendered
from ntkit.tasks.metrics import PSNR, AbstractMetric, psnr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["AbstractTask", "Baseline"]

_Task = TypeVar("_Task", bound="AbstractTask")


@dataclass(frozen=True)
class Baseline:
    """What a fit must beat: a method that needs no network.

    Attributes:
        name: Of the method.
        held_out: Its quality on what is held out, by the metric of the task.

    Example:
        >>> import torch, ntkit
        >>> x = torch.linspace(0, 1, 16)
        >>> baseline = ntkit.tasks.Image(0.5 + 0.4 * torch.outer(x, x).sin()).baseline()
        >>> baseline.name, round(baseline.held_out)  # in dB: a smooth picture is easy
        ('bicubic', 47)
    """

    name: str
    held_out: float


class AbstractTask(ABC):
    """A field `R^d -> R^o` that is measured: on some measurements a network is trained, on others it is judged.

    A measurement is a row of numbers that says what is measured (a point; a ray), and what was found there. Where
    the rows are points and the measurements the field itself, derive from `AbstractSamples`.

    Example:
        >>> import torch
        >>> from ntkit.tasks import Image
        >>> isinstance(Image(torch.rand(8, 8)), AbstractTask)
        True
    """

    kind: ClassVar[str]
    """What the command line calls the job."""

    sample: ClassVar[str] = "sample"
    """What one measurement is called: a pixel, a voxel, a ray."""

    metric: ClassVar[AbstractMetric] = PSNR()
    """In what a fit is judged."""

    least_bandwidth: ClassVar[float] = 1.0
    """Where the ladder of bandwidths begins, in cycles per unit."""

    domain: Domain
    """What the coordinates and the numbers stand for."""

    notes: tuple[str, ...] = ()
    """What was converted while it was read, in words."""

    width: ClassVar[int] = 256
    """Units of each hidden layer of the networks that are usual for it."""

    depth: ClassVar[int] = 4
    """Their hidden layers."""

    batch_size: ClassVar[int] = 4096
    """Measurements a step that are usual for it."""

    most_judged: ClassVar[int | None] = None
    """Held-out rows that the last evaluation looks at, at most, and a quarter as many that are trained on; all if None."""

    takes_points: bool = True
    """Whether the rows are points as they go into the network: then its encoding of them is computed once."""

    takes_families: bool = True
    """Whether networks of other families than an encoding with layers behind can be trained on it."""

    @property
    @abstractmethod
    def in_dim(self) -> int:
        """Coordinates that a network takes."""

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Outputs that a network gives."""

    @property
    @abstractmethod
    def n_trained(self) -> int:
        """Measurements that are trained on."""

    @property
    @abstractmethod
    def judges(self) -> bool:
        """Whether anything is held out."""

    @property
    @abstractmethod
    def axis_counts(self) -> tuple[float, ...]:
        """How many measurements there are along each coordinate, on average: what bandwidths are tried follows."""

    @abstractmethod
    def training(self) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n c"]]:
        """What is trained on: what is measured, and what was found."""

    @abstractmethod
    def judged(self) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n c"]]:
        """What is held out, as `training`."""

    @abstractmethod
    def keep_out(self: _Task, share: float, *, seed: int = 0) -> _Task:
        """Train on all measurements but this share of them, drawn at random; on all of them for 0.

        Args:
            share: From 0 to 0.9.
            seed: Of the draw.
        """

    def to_fit(self: _Task) -> _Task:
        """The task that `ntkit.fit` trains on unless told otherwise: it holds out nothing."""
        return self.keep_out(0.0)

    def predict(
        self, network: nn.Module, rows: Float[Tensor, "n k"], generator: Generator | None = None
    ) -> Float[Tensor, "..."]:
        """What a network says of measurements, `[n, c]` if it is one for them.

        Args:
            network: The field.
            rows: What is measured.
            generator: While it is trained: source of what is drawn on the way, on the CPU. None to judge it.
        """
        del generator
        return network(rows)

    def loss(self, found: Float[Tensor, "n c"], true: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
        """What training makes small: the mean square error."""
        return nn.functional.mse_loss(found, true)

    def training_loss(
        self,
        network: nn.Module,
        rows: Float[Tensor, "n k"],
        true: Float[Tensor, "n c"],
        generator: Generator,
    ) -> Float[Tensor, ""]:
        """The loss of a batch; more than `loss` where it needs derivatives of the network.

        Args:
            network: The field.
            rows: What is measured.
            true: What was found.
            generator: Source of what is drawn on the way, on the CPU.

        Raises:
            ValueError: The network's outputs have not the shape of the measurements.
        """
        found = self.predict(network, rows, generator)
        if found.shape != true.shape:
            raise ValueError(
                f"`network(points)` has shape {tuple(found.shape)}, and the samples of the task "
                f"{tuple(true.shape)}. Give the network as many outputs, on one last axis."
            )
        return self.loss(found, true)

    def check_network(self, network: nn.Module) -> None:
        """Refuse a network that cannot be trained on it, before anything is written."""
        del network

    def for_training(self: _Task) -> _Task:
        """A task for one training: one of its own, where a task learns on the way (what is empty)."""
        return self

    def learned(self) -> dict[str, Tensor]:
        """What it learned on the way, for a checkpoint."""
        return {}

    def put_back(self, learned: dict[str, Tensor]) -> None:
        """Take up what `learned` gave."""
        del learned

    def loss_in_words(self, loss: float) -> str:
        """The loss of the last steps, for whoever waits."""
        return f"PSNR {psnr(loss):.1f} dB"

    @property
    @abstractmethod
    def truth(self) -> Float[Tensor, "..."]:
        """What is shown of the measurements, beside a fit: a field, views."""

    @abstractmethod
    def shown(self, network: nn.Module) -> Float[Tensor, "..."]:
        """The same of a network, float64, on the CPU."""

    @abstractmethod
    def baseline(self) -> Baseline | None:
        """What needs no network; None where nothing is held out, or there is no such method."""

    @abstractmethod
    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """What is shown of fits beside each other, each with its title; the truth first."""

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
        """What a network makes of other places than those of the task.

        Args:
            network: Coordinates to outputs.
            domain: Of the task that it was trained on.
            size: Points along each axis.
            crop: From where to where along each.
        """

    def scores(
        self, shown: Float[Tensor, "..."], network: nn.Module | None = None
    ) -> dict[str, float]:
        """What else people ask of a fit of this kind, by name and unit.

        Args:
            shown: What `shown` gives of the network.
            network: The network itself, where that is not enough.
        """
        del shown, network
        return {}

    def film(self, shown: Float[Tensor, "..."]) -> Float[Tensor, "k h w c"] | None:
        """Pictures of what is shown that follow each other, for a film in the report; None for none."""
        del shown

    def frequency(self, bandwidth: float) -> str:
        """A bandwidth in the unit of the data, in words; nothing where cycles per unit is all there is."""
        del bandwidth
        return ""

    @property
    def axis_factors(self) -> tuple[tuple[float, ...], ...]:
        """What bandwidths may be multiplied by along each axis, one tuple a kind to try; () for 1 along all."""
        return ((),)
