"""All that is held against a network's numbers, once for as long as they stay the same."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from ntkit._core.torch_internals import version_of
from ntkit.kernels.infinite.evidence.assumptions import (
    check_draws,
    check_finite,
    findings,
    present_mean,
)
from ntkit.kernels.infinite.evidence.few_inputs import check_inputs
from ntkit.kernels.infinite.evidence.first_layers import uniform_layers
from ntkit.kernels.infinite.evidence.ill_scaled import (
    sizes_at,
    warn_of_copies,
    warn_of_dropout,
    warn_of_scales,
)
from ntkit.kernels.infinite.evidence.narrow import check_width
from ntkit.kernels.infinite.evidence.random_parts import check_random_parts
from ntkit.kernels.infinite.evidence.shared_units import warn_of_gates
from ntkit.kernels.infinite.front.features import side
from ntkit.kernels.infinite.front.lowered import Lowered
from ntkit.kernels.infinite.front.trace import Traced
from ntkit.kernels.infinite.rules.kinds import norm_of
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["Evidence"]

_STRUCTURE = "structure"
"""Marks that a kernel has been warned of what does not change with its weights."""

_NAMES = ("weight", "bias", "running_mean", "running_var", "in_proj_weight")
"""Of the tensors that a layer's rule reads."""


class Evidence:
    """What lowering took for granted about the module's numbers, and whether that still holds."""

    def __init__(self, traced: Traced, lowered: Lowered, variances: Variances) -> None:
        self._traced, self._reading = traced, lowered
        self._variances: Variances = variances
        self._owners = [drawn.owner for drawn in lowered.drawn.values()]
        self._marks = self._now()
        self._found = self._signature()

    def check(
        self,
        which: Literal["ntk", "nngp"],
        inputs: Sequence[Tensor],
        n_outputs: Sequence[int],
        said: set[object],
    ) -> None:
        """Refuse what has no kernel, and warn of what makes it another one.

        Args:
            which: The kernel.
            inputs: The points.
            n_outputs: Channels of each result.
            said: What the kernel has been warned of already; it grows.
        """
        check_finite(self._traced.body, self._variances)
        longest = int(inputs[0].detach().flatten(1).double().norm(dim=1).argmax())
        point = side(self._traced, self._reading, [x[longest : longest + 1] for x in inputs])
        sizes, watch = sizes_at(self._reading, point)
        check_draws(self._reading, self._variances, sizes, said)
        if _STRUCTURE in said:
            return
        said.add(_STRUCTURE)
        warn_of_dropout(self._reading)
        warn_of_copies(self._traced)
        warn_of_gates(self._reading)
        warn_of_scales(self._traced, self._reading, sizes, watch)
        if self._variances == "measured":
            check_width(self._reading)
        if which == "ntk":
            check_random_parts(self._traced, self._reading, n_outputs)
        few = [x[:8] for x in inputs]
        features = side(self._traced, self._reading, few)
        check_inputs(self._traced, self._reading, self._variances, few, features)

    def is_stale(self) -> bool:
        """Whether weights have changed so that lowering took something else for granted.

        Cheap where they have not: the tensors' versions are compared.
        """
        now = self._now()
        if now == self._marks:
            return False
        self._marks = now
        return self._signature() != self._found

    def _now(self) -> tuple[int, ...]:
        marks: list[int] = []
        for owner in self._owners:
            for tensor in _tensors(owner):
                marks += (version_of(tensor), tensor.data_ptr())
        return tuple(marks)

    def _signature(self) -> tuple[object, ...]:
        """What the steps were chosen by: means and doubts, and which first layers are uniform."""
        doubts = findings(self._reading, self._variances)
        means = (present_mean(d) for d in self._reading.drawn.values() if d.mean)
        uniform = uniform_layers(self._reading, self._variances)
        return *((f.name, f.doubt.is_certain) for f in doubts), *means, uniform


def _tensors(owner: nn.Module | nn.Parameter) -> list[Tensor]:
    """What a rule reads of a layer or parameter."""
    if isinstance(owner, Tensor):
        return [owner]
    found = [getattr(owner, name, None) for name in _NAMES]
    if (norm := norm_of(owner)) is not None:
        found += [norm.scale, norm.shift]
    return [tensor for tensor in found if isinstance(tensor, Tensor)]


def n_outputs(traced: Traced, lowered: Lowered, sample: dict[fx.Node, Any]) -> list[int]:
    """The channels of each result of a module, for points of the sample's shapes."""
    returned: Any = traced.output.args[0]
    shapes: list[Any] = []
    for node in list(returned) if isinstance(returned, list | tuple) else [returned]:
        shape = sample[node]
        shapes += [shape] if isinstance(shape, torch.Size) else list(shape)  # of pieces
    axes = [lowered.steps[k].units.channel_axis for k in lowered.outputs]
    return [shape[axis] if axis else 1 for shape, axis in zip(shapes, axes, strict=True)]
