"""The task of a field that is known through a linear measurement of it: views, lines of k-space, blurred pixels."""

from collections.abc import Sequence
from copy import copy
from math import prod
from typing import TYPE_CHECKING, ClassVar

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Generator, Tensor, nn

from ntkit import figures
from ntkit._core.checks import non_negative
from ntkit.grids import Grid
from ntkit.measurements import AbstractMeasurement
from ntkit.tasks.base import AbstractTask, Baseline
from ntkit.tasks.domain import Domain, Rendered, evaluated
from ntkit.tasks.field_units import Bounds, FieldNetwork, FieldUnits, checked_bounds
from ntkit.tasks.measured_data import (
    as_row,
    checked_data,
    data_of_constant,
    grid_of,
    groups_of,
    roots_of,
    rows_of,
    units_of,
)
from ntkit.tasks.metrics import SNR, AbstractMetric
from ntkit.tasks.points_of_grid import PointsOfGrid
from ntkit.tasks.signal import with_error
from ntkit.tasks.total_variation import total_variation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Measured"]

_ROUNDING = 1e-3  # of the total variation's corners, in fields of order one: below what is seen
_TRAINED, _JUDGED = 0, 1
"""What the first column of a point says: whether it is trained on or held out."""


class Measured(AbstractTask):
    """A field on a grid, of which linear measurements are known.

    In each step the network is evaluated at all points of the grid, goes through the measurement, and is compared with
    all data that are trained on: `|A f - y|^2_W + 2 b TV(f)`, over `|y|^2_W`. Whole groups of data are held out (views, lines
    of k-space, blocks of pixels), because data within a group tell of each other.

    The network fits `u` of order one, where `f = offset + scale * u` (`ntkit.tasks.field_units`). The scale is the
    largest value of a first fit, by a few steps of conjugate gradients on all data; the offset is a bound, or else the
    constant that fits the data best. What is shown, scored and rendered is in the units of the data.

    Args:
        y: Data, `[*data_shape]` or `[*data_shape, o]`; complex where the measurement is.
        A: The measurement.
        grid: Where the points of its field are, for the network; those that it says itself if left out.
        bounds: Lower and upper bound of the field, None for none: the output is bent towards them by a softplus.
        total_variation: `b`, for the field and the data in their own units: the weight of the total variation in
            `1/2 |A f - y|^2_W + b TV(f)`. See `ntkit.tasks.total_variation`.
        weights: `[*data_shape]`, one over the noise's variance of each datum; only their ratios matter.
        hold_out: Share of the groups that is held out, from 0 to 0.9, at least one if above 0.
        groups: `[n]`, for each row of the first axis of the data the number of its group; those of `A` if left out.
        seed: Of the draw of what is held out.

    Raises:
        TypeError: The data are complex and the measurement is real, or the other way round.
        ValueError: Shapes do not fit, data have no signal, or an argument is out of range.

    Example:
        >>> from ntkit import Grid, encodings, fit
        >>> from ntkit.measurements import Samples
        >>> x, every = torch.linspace(0, 1, 64), Samples.every_other((64,))
        >>> task = Measured(every((2 + torch.sin(12 * x))[:, None]), every, bounds=(0, None))
        >>> found = fit(task, encoding=encodings.Gaussian(1, 16, 2.0), steps=200, width=32, depth=2)
        >>> found.train_quality > 20
        True
        >>> found.render(size=[128]).numbers.shape
        (128, 1)
    """

    kind: ClassVar[str] = "measured"
    sample: ClassVar[str] = "number"
    metric: ClassVar[AbstractMetric] = SNR()
    takes_points = False

    def __init__(
        self,
        y: Shaped[Tensor, "..."],
        A: AbstractMeasurement,
        grid: Grid | None = None,
        *,
        bounds: Bounds | None = None,
        total_variation: float = 0.0,
        weights: Float[Tensor, "..."] | None = None,
        hold_out: float = 0.1,
        groups: Int[Tensor, " n"] | None = None,
        seed: int = 0,
    ) -> None:
        self.measurement = A
        self.data: Tensor = checked_data(y, A)
        self.grid: Grid = grid_of(A, grid)
        self.groups: Tensor = groups_of(A, groups)
        self.total_variation: float = non_negative("total_variation", total_variation)
        low, high = checked_bounds(bounds, is_complex=A.is_complex)
        n_outputs = self.data.shape[-1] * (2 if A.is_complex else 1)
        self._roots = roots_of(A, weights)
        self.units: FieldUnits = units_of(self.data, A, (low, high), self.grid, self._roots)
        self.domain: Domain = Domain(
            self.kind,
            A.field_shape,
            n_outputs,
            levels=(self.units.levels,),
            field_units=self.units,
        )
        # What the network's `u` is compared with: data without those of the offset, over the scale.
        self._unit_data = (
            self.data - data_of_constant(self.units.offset, self.data, A)
        ) / self.units.scale
        self._points = PointsOfGrid(self.grid)
        self._hold_out(hold_out, seed)

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.measurement.field_shape))
        n, held = int(self.groups.max()) + 1, len(self.groups[self.held_out].unique())
        return (
            f"Measured({size} points, {self.data.numel():,} numbers in {n} groups, {held} held out)"
        )

    @property
    def in_dim(self) -> int:
        """Axes of the grid."""
        return self.grid.ndim

    @property
    def n_outputs(self) -> int:
        """Outputs of the field, twice as many where it is complex: real and imaginary parts."""
        return self.domain.n_outputs

    @property
    def n_trained(self) -> int:
        """Numbers of the data that are trained on, complex ones as one."""
        return int((~self.held_out).sum()) * self.data[0].numel()

    @property
    def judges(self) -> bool:
        """Whether groups are held out."""
        return bool(self.held_out.any())

    @property
    def axis_counts(self) -> tuple[float, ...]:
        """Points in a unit along each axis, thinned evenly where there are fewer data than points."""
        points = prod(self.measurement.field_shape)
        share = min(1.0, self.n_trained / self.data.shape[-1] / points)
        return tuple(share ** (1 / self.in_dim) / step for step in self.grid.spacing)

    def training(self) -> tuple[Float[Tensor, "1 1"], Float[Tensor, "1 c"]]:
        """One row: 0, which stands for what is trained on, and all its data, over their scale."""
        return self._row(_TRAINED)

    def judged(self) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n c"]]:
        """One row: 1, which stands for what is held out, and its data; none where nothing is."""
        return self._row(_JUDGED)

    def keep_out(self, share: float, *, seed: int = 0) -> "Measured":
        """Train on all groups but this share of them, drawn at random; on all of them for 0.

        The share is from 0 to 0.9; at least one group is held out if it is above 0, and one is left.
        """
        other = copy(self)
        other._hold_out(share, seed)
        return other

    def predict(
        self, network: nn.Module, rows: Float[Tensor, "1 1"], generator: Generator | None = None
    ) -> Float[Tensor, "1 c"]:
        """The data of the field of a network, over their scale: those trained on, or those held out.

        Args:
            network: The field.
            rows: One row, of `training` or `judged`.
            generator: Not needed.
        """
        del generator
        return self._measured(self._unit_field(network, rows.device), rows)

    def training_loss(
        self,
        network: nn.Module,
        rows: Float[Tensor, "1 1"],
        true: Float[Tensor, "1 c"],
        generator: Generator,
    ) -> Float[Tensor, ""]:
        """`(|A u - y|^2_W + 2 b TV(u)) / |y|^2_W`, over what is trained on."""
        del generator
        field = self._unit_field(network, rows.device)
        loss = (self._measured(field, rows) - true).square().sum()
        if self.total_variation:
            changes = total_variation(field, self.grid.ndim, rounding=_ROUNDING)
            loss = loss + 2 * self.total_variation / self.units.scale * changes
        return loss / true.square().sum()

    def check_network(self, network: nn.Module) -> None:
        """It takes the points and gives the outputs.

        Raises:
            ValueError: It has other outputs.
        """
        found = evaluated(network, self.grid.points()[:1])
        if found.shape != (1, self.n_outputs):
            parts = ", a real and an imaginary part of each" if self.units.is_complex else ""
            raise ValueError(
                f"`network(points)` has {tuple(found.shape[1:])} outputs a point, and the field "
                f"{self.n_outputs}{parts}. Give the network as many, on one last axis."
            )

    def for_training(self) -> "Measured":
        """The same, which keeps the features of the grid's points: they are the same in each step."""
        other = copy(self)
        other._points = PointsOfGrid(self.grid, keeps=True)
        return other

    def loss_in_words(self, loss: float) -> str:
        """The data that are left, with the penalty if there is one."""
        name = "loss" if self.total_variation else "share of the data's square left"
        return f"{name} {loss:.3g}"

    def field_network(self, network: nn.Module) -> FieldNetwork:
        """A network's field in the units of the data: points of the grid to values, real or complex."""
        return FieldNetwork(network, self.units)

    def field(self, network: nn.Module) -> Shaped[Tensor, "..."]:
        """A network's field on the grid in the units of the data, `[*field_shape, o]`, on the CPU."""
        parameter = next(network.parameters(), None)
        device = torch.device("cpu") if parameter is None else parameter.device
        with torch.no_grad():
            return self.units.values(self._unit_field(network, device).cpu())

    @property
    def truth(self) -> Float[Tensor, "..."]:
        """The data, `[*data_shape, o]`; of complex ones the moduli."""
        return (self.data.abs() if self.units.is_complex else self.data).cpu()

    def shown(self, network: nn.Module) -> Float[Tensor, "..."]:
        """The data of a network's field, as `truth`."""
        found = self.measurement(self.field(network).to(self.data))
        return (found.abs() if self.units.is_complex else found).cpu()

    def baseline(self) -> Baseline | None:
        """None: `ntkit.reconstruct` is what to compare with."""

    def figure(self, panels: Sequence[tuple[str, Float[Tensor, "..."]]]) -> "Figure":
        """Curves of data with one axis; else pictures, black and white at the ends of the first, and the last's error."""
        if len(self.measurement.data_shape) == 1:
            curves = [(title.replace("\n", ", "), values[:, 0]) for title, values in panels]
            number = torch.arange(len(self.data))
            return figures.lines_figure(number, curves, xlabel="number", ylabel="data")
        low, high = float(panels[0][1].min()), float(panels[0][1].max())
        width = (high - low) or 1.0
        return figures.pictures_figure(
            with_error([(title, (values - low) / width) for title, values in panels])
        )

    @classmethod
    def render(
        cls,
        network: nn.Module,
        domain: Domain,
        *,
        size: Sequence[int] | None = None,
        crop: Sequence[tuple[float, float]] | None = None,
    ) -> Rendered:
        """The field of a network on another grid; of complex ones real and imaginary parts follow each other.

        Args:
            network: Coordinates to outputs.
            domain: Of the task that it was trained on.
            size: Points along each axis.
            crop: From where to where along each axis, in points of the grid.

        Raises:
            ValueError: The domain is that of another job.
        """
        units = domain.field_units
        if units is None:
            raise ValueError(f"`domain` is of kind {domain.kind!r}: it has no measured field.")
        new = domain.resampled(size, crop)
        points = units.placed(new.grid(domain.shape), domain.shape).points()
        values = units.unit_values(evaluated(network, points).double())
        if units.is_complex:
            values = torch.view_as_real(values)
        return Rendered(values.reshape(*new.shape, -1).numpy(), new)

    def _hold_out(self, share: float, seed: int) -> None:
        """Draw the groups that are held out.

        Raises:
            ValueError: The share is out of range, or too few groups are left.
        """
        order = torch.randperm(
            int(self.groups.max()) + 1, generator=torch.Generator().manual_seed(seed)
        )
        if self._roots is not None:  # what has no weight judges nothing
            some = (self._roots > 0).flatten(1).any(1).cpu()
            order = order[torch.isin(order, self.groups.cpu()[some])]
        n = len(order)
        count = 0 if share == 0 else max(1, round(share * n))
        if not 0 <= share <= 0.9 or count >= n:
            raise ValueError(
                f"`hold_out={share!r}` must be a share of the {n} groups that have any weight, from 0 to 0.9, that leaves one to train on."
            )
        self.held_out: Bool[Tensor, " n"] = torch.isin(self.groups, order[:count])
        self._parts = tuple(
            rows_of(self.measurement, rows) for rows in (~self.held_out, self.held_out)
        )

    def _row(self, part: int) -> tuple[Tensor, Tensor]:
        rows = self._which(part)
        if not rows.any():
            return torch.empty(0, 1), torch.empty(0, 1)
        return torch.tensor([[float(part)]]), as_row(self._weighted(self._unit_data[rows], part))

    def _which(self, part: int) -> Bool[Tensor, " n"]:
        return self.held_out if part == _JUDGED else ~self.held_out

    def _weighted(self, data: Tensor, part: int) -> Tensor:
        """Data of a part, times the roots of their weights."""
        if self._roots is None:
            return data
        return data * self._roots[self._which(part)].to(data.device, data.real.dtype)

    def _measured(self, field: Tensor, rows: Tensor) -> Tensor:
        """The data of `u`, weighted, as a row."""
        part = int(rows[0, 0])
        return as_row(self._weighted(self._parts[part](field), part))

    def _unit_field(self, network: nn.Module, device: torch.device) -> Tensor:
        """`u` on the grid, `[*field_shape, o]`, in the precision of the network."""
        outputs = self._points(network, device)
        return self.units.unit_values(outputs).reshape(*self.measurement.field_shape, -1)
