"""One use of parameters inside the network, and what its Jacobian is made of."""

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from ntkit._core.torch_internals import shape_of
from ntkit.kernels.empirical.field import Field
from ntkit.kernels.empirical.sample_layout import SampleLayout

__all__ = ["AbstractUse", "OuterUse"]


class AbstractUse(ABC):
    """Parameters used at one node of the autograd graph, whose output's gradient is `g`.

    Attributes:
        node: The node.
        params: Positions of the parameters that it uses.
        what: The layer in words.
        orientation: What two uses of the same parameters must share to be added up as outer products.
    """

    node: Any
    params: tuple[int, ...]
    what: str
    orientation: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its output."""
        return shape_of(self.node)

    def at(self, field: Field) -> "AbstractUse | None":
        """The same use at those places alone, with outputs `[rows, c]`; None where that is not to be had."""
        return None

    @abstractmethod
    def allows(self, layout: SampleLayout) -> bool:
        """Whether samples may lie like this in the output for the rule to hold."""

    def explicit(
        self, g: Tensor, layout: SampleLayout, out: list[Tensor] | None = None
    ) -> list[Tensor]:
        """The Jacobian by each of the parameters, `[o, n, p]`, from `g [o, *shape]`; into `out` if given."""
        found = self.jacobians(g, layout)
        if out is None:
            return found
        for room, each in zip(out, found, strict=True):
            room.copy_(each)
        return out

    @abstractmethod
    def jacobians(self, g: Tensor, layout: SampleLayout) -> list[Tensor]:
        """The Jacobian by each of the parameters, `[o, n, p]`, from `g [o, *shape]`."""


class OuterUse(AbstractUse):
    """A use whose Jacobian is a sum over positions of outer products of `g` and an input `a`.

    Attributes:
        groups: Groups of channels with weights of their own.
        in_size: Entries of `a` at a position, of a group.
        out_size: Entries of `g` at a position, of a group.
    """

    groups: int
    in_size: int
    out_size: int

    @abstractmethod
    def inputs(self, layout: SampleLayout) -> Tensor:
        """`a`: `[groups, n, t, k]`, a column of ones behind where a bias is used along."""

    @abstractmethod
    def gradients(self, g: Tensor, layout: SampleLayout) -> Tensor:
        """`g` as `[groups, o, n, t, c]`, a view."""
