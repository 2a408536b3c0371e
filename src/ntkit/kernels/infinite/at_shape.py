"""A module made ready for points of one shape: what it was read as, and the program of its last call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.infinite.back.executable import Executable
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.moments.layout import Layout

__all__ = ["AtShape"]


@dataclass
class AtShape:
    """A lowered module, and what it has become.

    Attributes:
        lowered: What the module was read as.
        with_ntk: Whether the tangent kernel is wanted.
        layout: Which pairs of positions of the output are wanted.
        scaled: The layers that have scales, which may be tensors that ask for gradients.
        is_stale: Whether weights have changed so that lowering would take something else for granted.
    """

    lowered: Lowered
    with_ntk: bool
    layout: Layout = "each"
    scaled: Sequence[Any] = ()
    is_stale: Callable[[], bool] = lambda: False
    _last: Executable | None = field(default=None, repr=False)

    def bound(self) -> Executable:
        """The program with the layers' numbers as they are now; the last one where they are the same."""
        is_live = torch.is_grad_enabled() and self._has_live_scales
        program, last = self.lowered.program.bind(), self._last
        if last is None or is_live or last.is_live or last.program != program:
            n_features = len(self.lowered.features)
            last = Executable(program, n_features, self.with_ntk, self.layout, is_live)
            self._last = last
        return last

    @property
    def _has_live_scales(self) -> bool:
        """Whether a scale of a layer is, at present, a tensor that asks for gradients."""
        return any(
            isinstance(scale, Tensor) and scale.requires_grad
            for layer in self.scaled
            for scale in (layer.w_std, layer.b_std)
        )
