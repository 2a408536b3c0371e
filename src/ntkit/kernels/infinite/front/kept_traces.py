"""The graphs of one module: by the number of its inputs, and by their shapes where it asks for them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ntkit._core.copies import Copier
from ntkit.kernels.infinite.front.trace import IsLayer, NeedsPointsError, Traced, takes, trace

__all__ = ["Traces", "modes_of"]


class Traces:
    """Graphs of a module, made when they are first asked for.

    Args:
        module: It.
        is_layer: As for `trace`.
        check: Called with each.

    Attributes:
        counts: The least and the most tensors that the module's forward takes.
    """

    def __init__(
        self, module: nn.Module, is_layer: IsLayer, check: Callable[[Traced], None]
    ) -> None:
        self._module, self._is_layer, self._check = module, is_layer, check
        self._known: dict[tuple[torch.Size, ...] | int, Traced] = {}
        self._latest: Traced | None = None
        self.counts: tuple[int, int] = takes(module, is_layer)
        try:
            self._add(self.counts[0])
        except NeedsPointsError as error:
            self._why = error
            self._try_all()

    def copied_by(self, copier: Copier) -> "Traces":
        """The same graphs, of a copy of the module."""
        return copier.fields(self)

    @property
    def latest(self) -> Traced:
        """The one that was made or asked for last; none is, where the forward asks for shapes first."""
        if self._latest is None:
            raise self._why
        return self._latest

    @property
    def is_empty(self) -> bool:
        """Whether there is none yet."""
        return self._latest is None

    def of(self, points: Sequence[Tensor]) -> Traced:
        """The graph for points of these shapes."""
        shapes = tuple(x.shape for x in points)
        for key in (len(points), shapes):
            if key in self._known:
                self._latest = self._known[key]
                return self._latest
        try:
            return self._add(len(points))
        except NeedsPointsError:
            return self._add(shapes, points)

    def _add(
        self, key: tuple[torch.Size, ...] | int, points: Sequence[Tensor] | None = None
    ) -> Traced:
        count = key if isinstance(key, int) else len(key)
        found = trace(self._module, self._is_layer, count, points)
        self._check(found)
        self._known[key] = self._latest = found
        return found

    def _try_all(self) -> None:
        """With all tensors that it may be given, for a forward that needs those that have a default."""
        least, most = self.counts
        if least < most <= _MANY:
            try:
                self._add(most)
            except NeedsPointsError:
                return


_MANY = 16
"""Arguments of a forward; more are the tuple `*args`, which has no end."""


def modes_of(module: nn.Module) -> tuple[bool, ...]:
    """Whether each part of a module is in training mode."""
    return tuple(part.training for part in module.modules())
