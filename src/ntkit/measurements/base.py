"""What a measurement is: a linear map from a field on a grid to data, with its adjoint."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Shaped
from torch import Tensor

__all__ = ["AbstractMeasurement"]


class AbstractMeasurement(ABC):
    """A linear map `A` from a field `[*field_shape, o]` to data `[*data_shape, o]`.

    Every output (channel) of the field is measured alike. `A` and its adjoint are in the dtype of what they
    are given, and on its device, and obey `<A f, d> = <f, A^H d>`.

    Attributes:
        field_shape: Shape of the grid that the field is on.
        data_shape: Shape of what is measured of one output.
        dtype: Of the data for a real field.
        device: Where it computes; what it is given is on the same one.
    """

    field_shape: tuple[int, ...]
    data_shape: tuple[int, ...]
    dtype: torch.dtype = torch.float64

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where it computes."""

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
