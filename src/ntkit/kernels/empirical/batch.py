"""The points of an empirical kernel: the tensors that one call of the module takes, checked."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ntkit._core.checks import finite

__all__ = ["Batch", "Points", "batched"]

Points = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
"""One tensor, a tuple of positional arguments, or a dict of keyword arguments; samples on axis 0."""


@dataclass(frozen=True)
class Batch:
    """The arguments of one call of the module, samples along axis 0 of each."""

    args: tuple[Tensor, ...]
    kwargs: dict[str, Tensor]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of them."""
        return (*self.args, *self.kwargs.values())

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: slice | Tensor) -> "Batch":
        # a module may have set `requires_grad` on them, for a derivative by its input
        return self.of(*(t.detach()[index] for t in self.tensors))

    def copied(self) -> "Batch":
        """The same values in memory of their own."""
        return self.of(*(t.clone() for t in self.tensors))

    def of(self, *tensors: Tensor) -> "Batch":
        """The same arguments with other values, in the order of `tensors`."""
        k = len(self.args)
        return Batch(tensors[:k], dict(zip(self.kwargs, tensors[k:], strict=True)))


def batched(name: str, points: Any, dtype: torch.dtype | None) -> Batch:
    """The points as a batch: floating tensors finite and in `dtype` (None: as they come).

    Raises:
        ValueError: They are empty or disagree in number.
    """
    labelled: dict[Any, Any]
    if isinstance(points, dict):
        labelled = {f"{name}[{key!r}]": t for key, t in points.items()}
    elif isinstance(points, tuple):
        labelled = {f"{name}[{k}]": t for k, t in enumerate(points)}
    else:
        labelled = {name: points}
    if not labelled:
        raise ValueError(f"`{name}` is empty; pass a tensor for each argument of the module.")
    tensors = [_checked(label, t) for label, t in labelled.items()]
    for label, t in zip(labelled, tensors, strict=True):
        if len(t) != len(tensors[0]):
            raise ValueError(
                f"`{label}` has {len(t)} samples on axis 0, and `{next(iter(labelled))}` has "
                f"{len(tensors[0])}. What all samples share, build into the module."
            )
    ready = [t.to(dtype) if dtype is not None and t.is_floating_point() else t for t in tensors]
    if isinstance(points, dict):
        return Batch((), dict(zip(points, ready, strict=True)))
    return Batch(tuple(ready), {})


def _checked(label: str, t: Any) -> Tensor:
    """One tensor, detached, refused unless it holds samples and finite values.

    Raises:
        TypeError: It is no tensor, or a sparse one.
        ValueError: It has no samples, or no values.
    """
    if not isinstance(t, Tensor):
        raise TypeError(
            f"`{label}` must be a torch.Tensor, got {type(t).__name__}. "
            "Convert with `torch.as_tensor(...)`."
        )
    if t.layout != torch.strided:
        raise TypeError(
            f"`{label}` must be dense, got a tensor of layout {t.layout}. Pass `{label}.to_dense()`."
        )
    if t.ndim == 0 or len(t) == 0:
        raise ValueError(
            f"`{label}` must hold samples along axis 0, got shape {tuple(t.shape)}. "
            "Pass at least one."
        )
    if t.is_meta:
        raise ValueError(f"`{label}` is on the meta device, which holds no values.")
    if t.is_floating_point() and not bool(torch.isfinite(t.sum())):  # one pass where all is well
        finite(label, t)
    t = t.detach()
    return t.clone() if t.is_inference() else t
