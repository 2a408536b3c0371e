"""Line integrals of a field: computed tomography with parallel, fan and cone beams."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements.base import AbstractMeasurement, row_numbers
from ntkit.measurements.beams import AbstractBeam
from ntkit.measurements.line_products import LineProducts, line_products
from ntkit.measurements.linear import linear
from ntkit.measurements.scan import Angles, Axes, Detector, Scan
from ntkit.measurements.sparse_matrix import SparseMatrix

__all__ = ["Radon"]


@dataclass(frozen=True, eq=False)
class Radon(AbstractMeasurement):
    """Integrals of a field along the rays from a source to detectors, `[views, detectors]` or `[.., .., rows]`.

    Make one with `parallel`, `fan` or `cone`. A value is in the field's unit times the unit of length of `spacing`:
    attenuation in 1/mm and pixels in mm give numbers without a unit. A group is a view.

    Attributes:
        field_shape: Shape of the grid, `(y, x)` or `(z, y, x)`.
        beam: Angles, detectors and rays.
        spacing: Size of a pixel along each axis, in a unit of length.
        centre: Where the centre of rotation is, in pixels.
        known: The weights, if they are known already.

    Source: Joseph 1982, IEEE Transactions on Medical Imaging 1(3), for the integrals; the adjoint is the exact
    transpose. Angles and detectors are those of scikit-image's `radon` and of ASTRA's `parallel` and `fanflat`.

    Example:
        >>> A = Radon.parallel((4, 4), [0.0], n_detectors=4)
        >>> A(torch.arange(16.0).reshape(4, 4, 1))[0, :, 0]  # sums of columns, of pixels 1/4 wide
        tensor([6., 7., 8., 9.])
    """

    field_shape: tuple[int, ...]
    beam: AbstractBeam
    spacing: tuple[float, ...]
    centre: tuple[float, ...]
    known: SparseMatrix | None = field(default=None, repr=False)

    @classmethod
    def parallel(
        cls,
        shape: Sequence[int],
        angles: Angles,
        *,
        spacing: Axes = None,
        n_detectors: int | Sequence[int] | None = None,
        detector_spacing: Axes = None,
        detector_width: float = 1.0,
        n_rays: int = 1,
        centre: Axes = None,
        detector_centre: Axes = None,
    ) -> "Radon":
        """Parallel rays; in 3-D, of each plane across the first axis.

        With the defaults, and square pictures, it is scikit-image's `radon(circle=False)` divided by the number of
        pixels a side.

        Args:
            shape: Shape of the field, of two axes or three.
            angles: In radians. At 0 rays run along the columns; see `AbstractBeam`.
            spacing: Size of a pixel, for all axes or each; one over the longest side by default, so that the field
                is one unit long.
            n_detectors: As many as see the whole field by default; in 3-D two numbers, along a row and rows.
            detector_spacing: The smallest spacing of pixels by default.
            detector_width: In units of the spacing; of no effect with a single ray.
            n_rays: Lines over the width of a detector, whose mean it sees.
            centre: Pixel of the centre of rotation for all axes or each, `n // 2` by default, which is scikit-image's;
                ASTRA's is `(n - 1) / 2`.
            detector_centre: Detector that sees it; `n_detectors // 2` by default, ASTRA's is `(n_detectors - 1) / 2`.
        """
        scan = Scan.of(shape, angles, spacing, centre)
        detector = Detector(n_detectors, detector_spacing, detector_centre, detector_width, n_rays)
        return cls(scan.shape, scan.parallel(detector), scan.spacing, scan.centre)

    @classmethod
    def fan(
        cls,
        shape: Sequence[int],
        angles: Angles,
        *,
        source_distance: float,
        detector_distance: float,
        is_curved: bool = False,
        spacing: Axes = None,
        n_detectors: int | None = None,
        detector_spacing: float | None = None,
        detector_width: float = 1.0,
        n_rays: int = 1,
        centre: Axes = None,
        detector_centre: float | None = None,
    ) -> "Radon":
        """Rays from a point, in 2-D, as ASTRA's `fanflat`.

        Args:
            shape: Shape of the field, of two axes.
            angles: In radians. At 0 the source is below the picture, at the end of its columns.
            source_distance: From the source to the centre of rotation, in the unit of `spacing`.
            detector_distance: From there to the detector, likewise.
            is_curved: Whether the detectors are on an arc around the source (equal angles), not on a line.
            spacing: As of `parallel`.
            n_detectors: As many as see the whole field by default.
            detector_spacing: On the detector; by default a pixel's as it is magnified there.
            detector_width: As of `parallel`.
            n_rays: As of `parallel`.
            centre: As of `parallel`.
            detector_centre: As of `parallel`.

        Example:
            >>> angles = torch.linspace(0, 6.28, 9)[:8]
            >>> Radon.fan((64, 64), angles, source_distance=3.0, detector_distance=1.0).data_shape
            (8, 95)
        """
        scan = Scan.of(shape, angles, spacing, centre, ndim=(2,))
        detector = Detector(n_detectors, detector_spacing, detector_centre, detector_width, n_rays)
        beam = scan.divergent(source_distance, detector_distance, is_curved, detector)
        return cls(scan.shape, beam, scan.spacing, scan.centre)

    @classmethod
    def cone(
        cls,
        shape: Sequence[int],
        angles: Angles,
        *,
        source_distance: float,
        detector_distance: float,
        spacing: Axes = None,
        n_detectors: Sequence[int] | None = None,
        detector_spacing: Axes = None,
        detector_width: float = 1.0,
        n_rays: int = 1,
        centre: Axes = None,
        detector_centre: Axes = None,
    ) -> "Radon":
        """Rays from a point on a circle to a flat detector, in 3-D; data are `[views, detectors, rows]`.

        Args:
            shape: Shape of the field `(z, y, x)`; the circle is across `z`.
            angles: In radians.
            source_distance: From the source to the axis of rotation, in the unit of `spacing`.
            detector_distance: From there to the detector, likewise.
            spacing: As of `parallel`.
            n_detectors: Along the circle, and rows along `z`; as many as see the whole field by default.
            detector_spacing: As of `fan`; one number or two.
            detector_width: As of `parallel`.
            n_rays: As of `parallel`; lines along each axis of a detector.
            centre: As of `parallel`.
            detector_centre: As of `parallel`; two numbers.

        Example:
            >>> angles = torch.linspace(0, 6.28, 5)[:4]
            >>> Radon.cone((8, 16, 16), angles, source_distance=3.0, detector_distance=1.0).data_shape
            (4, 25, 13)
        """
        scan = Scan.of(shape, angles, spacing, centre, ndim=(3,))
        detector = Detector(n_detectors, detector_spacing, detector_centre, detector_width, n_rays)
        beam = scan.divergent(source_distance, detector_distance, False, detector)
        return cls(scan.shape, beam, scan.spacing, scan.centre)

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Views, detectors and, in 3-D, rows."""
        return (len(self.beam.angles), *self.beam.n_detectors)

    @property
    def device(self) -> torch.device:
        """That of the angles; weights are moved to where a field is."""
        return self.beam.angles.device

    @property
    def angles(self) -> Shaped[Tensor, " views"]:
        """In radians."""
        return self.beam.angles

    @property
    def grid(self) -> Grid:
        """The field's points, in units of the longest side."""
        longest = max(n * s for n, s in zip(self.field_shape, self.spacing, strict=True))
        return Grid(self.field_shape, spacing=[s / longest for s in self.spacing])

    @property
    def pixels(self) -> Shaped[Tensor, "n d"]:
        """Where the pixels are, row-major, from the centre of rotation in units of length."""
        axes = [
            (torch.arange(n, dtype=torch.float64, device=self.device) - c) * s
            for n, c, s in zip(self.field_shape, self.centre, self.spacing, strict=True)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)

    @cached_property
    def field_of_view(self) -> Bool[Tensor, "..."]:
        """`[*field_shape]`, True for the pixels that the detector sees in every view."""
        return self.beam.sees(self.pixels).reshape(self.field_shape)

    @cached_property
    def weights(self) -> SparseMatrix | LineProducts:
        """The matrix `[data, pixels]`; kept if it has less than about 25 million entries (600 MB)."""
        if self.known is not None:
            return self.known
        return line_products(self.beam, self.field_shape, self.spacing, self.centre)

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return linear(self._project, self._smear, field)

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return linear(self._smear, self._project, data)

    def _project(self, field: Tensor) -> Tensor:
        found = self.weights.times(field.reshape(prod(self.field_shape), -1))
        return found.reshape(*self.data_shape, -1)

    def _smear(self, data: Tensor) -> Tensor:
        found = self.weights.transposed_times(data.reshape(prod(self.data_shape), -1))
        return found.reshape(*self.field_shape, -1)

    def __getitem__(self, rows: slice | Tensor) -> "Radon":
        """Some of the views."""
        views = row_numbers(rows, self.data_shape[0]).to(self.device)
        known, beam = self.weights, self.beam[views]
        if not isinstance(known, SparseMatrix):
            return Radon(self.field_shape, beam, self.spacing, self.centre)
        return Radon(
            self.field_shape, beam, self.spacing, self.centre, known.rows(self._data_of(views))
        )

    def _data_of(self, views: Int[Tensor, " n"]) -> Int[Tensor, " m"]:
        """Numbers of the data of some views."""
        each = prod(self.data_shape[1:])
        return (views[:, None] * each + torch.arange(each, device=views.device)).flatten()
