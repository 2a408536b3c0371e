"""What a measurement is: a linear map from a field on a grid to data, with its adjoint; and one after another."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ntkit.grids import Grid

__all__ = ["AbstractMeasurement", "Composed", "numbered", "row_numbers"]


class AbstractMeasurement(ABC):
    """A linear map `A` from a field `[*field_shape, o]` to data `[*data_shape, o]`.

    Every output (channel) of the field is measured alike. `A` and its adjoint are in the dtype of what they
    are given, and on its device, and obey `<A f, d> = <f, A^H d>`.

    Attributes:
        field_shape: Shape of the grid that the field is on.
        data_shape: Shape of what is measured of one output.
        dtype: Of the data for a real field.
        device: Where it computes; what it is given is on the same one.
        is_complex: Whether field and data are complex numbers. Where it is False, real fields have real data.

    Example:
        >>> import torch
        >>> from ntkit.measurements import Radon
        >>> A = Radon.parallel((8, 8), torch.tensor([0.0, 1.5]))
        >>> isinstance(A, AbstractMeasurement), A.field_shape, A.data_shape[0]
        (True, (8, 8), 2)
    """

    field_shape: tuple[int, ...]
    data_shape: tuple[int, ...]
    dtype: torch.dtype = torch.float64
    is_complex: bool = False

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it computes."""

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """For each row of the first data axis the number of its group, from 0: what is held out together.

        Errors within a group go together, so that one part of it would give the other away.
        """
        return torch.arange(self.data_shape[0], device=self.device)

    @property
    def grid(self) -> Grid:
        """Where the field's points are, in units of the longest side where that is known, else of each side."""
        return Grid(self.field_shape)

    @abstractmethod
    def _forward(self, field: Tensor) -> Tensor: ...

    @abstractmethod
    def _adjoint(self, data: Tensor) -> Tensor: ...

    @abstractmethod
    def __getitem__(self, rows: slice | Tensor) -> "AbstractMeasurement":
        """The measurement of some of the data only: rows of the first axis of `data_shape`."""

    def __call__(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """`A f`: the data `[*data_shape, o]` of a field `[*field_shape, o]`."""
        self._check("field", field, self.field_shape)
        return self._forward(field)

    def adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """`A^H d`: a field `[*field_shape, o]` from data `[*data_shape, o]`."""
        self._check("data", data, self.data_shape)
        return self._adjoint(data)

    def __matmul__(self, other: "AbstractMeasurement") -> "Composed":
        """One after the other: `(A @ B)(f) = A(B(f))`.

        Raises:
            TypeError: `other` is no measurement.
        """
        if not isinstance(other, AbstractMeasurement):
            raise TypeError(
                f"`A @ B` needs two measurements, got {type(other).__name__} for `B`. For data of a field: `A(field)`."
            )
        return Composed(self, other)

    def _check(self, name: str, value: Tensor, shape: tuple[int, ...]) -> None:
        """Refuse what has another shape.

        Raises:
            ValueError: It has.
        """
        if tuple(value.shape[:-1]) != shape:
            raise ValueError(
                f"`{name}` has shape {tuple(value.shape)}; {type(self).__name__} takes "
                f"{(*shape, 'o')}, with one last axis of outputs, also for a single one."
            )


@dataclass(frozen=True, eq=False)
class Composed(AbstractMeasurement):
    """One measurement of what another gives: `A(B(f))`, made by `A @ B`.

    Attributes:
        outer: `A`. Rows and groups are its.
        inner: `B`. The field is its.

    Raises:
        ValueError: `A` takes another shape than `B` gives.

    Example:
        >>> import torch
        >>> from ntkit.measurements import Samples
        >>> quarter = Samples.every_other((4,)) @ Samples.every_other((8,))
        >>> quarter(torch.arange(8.0)[:, None]).flatten()
        tensor([0., 4.])
    """

    outer: AbstractMeasurement
    inner: AbstractMeasurement

    def __post_init__(self) -> None:
        if self.outer.field_shape != self.inner.data_shape:
            raise ValueError(
                f"`A @ B`: `A` takes {self.outer.field_shape}, `B` gives {self.inner.data_shape}. "
                "`B` is measured first; the two must be alike."
            )

    @property
    def field_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The inner one's."""
        return self.inner.field_shape

    @property
    def data_shape(self) -> tuple[int, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The outer one's."""
        return self.outer.data_shape

    @property
    def dtype(self) -> torch.dtype:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The wider of the two."""
        return torch.promote_types(self.outer.dtype, self.inner.dtype)

    @property
    def is_complex(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether one of the two is."""
        return self.outer.is_complex or self.inner.is_complex

    @property
    def device(self) -> torch.device:
        """The inner one's."""
        return self.inner.device

    @property
    def groups(self) -> Int[Tensor, " n"]:
        """The outer one's."""
        return self.outer.groups

    @property
    def grid(self) -> Grid:
        """The inner one's."""
        return self.inner.grid

    def _forward(self, field: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return self.outer(self.inner(field))

    def _adjoint(self, data: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        return self.inner.adjoint(self.outer.adjoint(data))

    def __getitem__(self, rows: slice | Tensor) -> "Composed":
        """Rows of the outer one."""
        return Composed(self.outer[rows], self.inner)


def row_numbers(rows: slice | Tensor, count: int) -> Int[Tensor, " n"]:
    """Numbers of the rows that a slice, a mask or a tensor of numbers picks from `count`, on its device.

    Raises:
        ValueError: It picks none, or is a single number.
    """
    device = rows.device if isinstance(rows, Tensor) else None
    found = torch.arange(count, device=device)[rows]
    if found.ndim != 1 or not len(found):
        raise ValueError(
            f"`A[rows]` picks {len(found) if found.ndim == 1 else 'a single row'} of {count} rows. Pass a slice, a mask, or "
            "a tensor of numbers with one axis, that picks at least one."
        )
    return found


def numbered(labels: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The same groups, numbered from 0 without gaps in the order of their labels."""
    return torch.unique(labels, return_inverse=True)[1]
