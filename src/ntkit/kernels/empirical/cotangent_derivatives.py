"""The gradients as a function of the cotangent: derivatives of them are those forward."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ntkit._core.backward_graph import refuse_dead_ends, second_derivatives, walk

__all__ = ["Twice"]


class Twice:
    """`J^T c` of an output, on a graph through which `J u` is one more backward pass.

    Args:
        y: Outputs, `[n, o]`.
        leaves: The parameters.

    Raises:
        NotImplementedError: An operation has no second derivative.
    """

    def __init__(self, y: Tensor, leaves: Sequence[Tensor]) -> None:
        with torch.enable_grad(), second_derivatives(_ADVICE):
            self._c = torch.zeros_like(y, requires_grad=True)
            found = torch.autograd.grad(y, leaves, self._c, create_graph=True, allow_unused=True)
        self.places: list[int] = [
            k for k, g in enumerate(found) if g is not None and g.requires_grad
        ]
        self._gradients = [g for g in found if g is not None and g.requires_grad]
        _check_zero(y, [p for p, g in zip(leaves, found, strict=True) if _is_constant(g)])
        for g in self._gradients:
            refuse_dead_ends(g.grad_fn, _ADVICE)

    def nodes(self) -> list[Any]:
        """Those of the graphs of both derivatives."""
        return list(dict.fromkeys(walk(g.grad_fn for g in self._gradients)))

    def forward(self, u: Sequence[Tensor]) -> Tensor:
        """`J u`, `[n, o]`, for a `u` of each parameter."""
        tangents = [u[k] for k in self.places]
        if not tangents:
            return torch.zeros_like(self._c, requires_grad=False)
        with second_derivatives(_ADVICE):
            (found,) = torch.autograd.grad(self._gradients, self._c, tangents, retain_graph=True)
        return found


def _is_constant(gradient: Tensor | None) -> bool:
    return gradient is not None and not gradient.requires_grad


def _check_zero(y: Tensor, leaves: Sequence[Tensor]) -> None:
    """Gradients that are no function of the cotangent, in which they are linear, are zero.

    So behind `torch.sign`; but not behind a backward pass that detaches what it returns.

    Raises:
        NotImplementedError: One is not.
    """
    if not leaves:
        return
    c = torch.linspace(1, 2, y.numel(), dtype=y.dtype, device=y.device).reshape(y.shape)
    found = torch.autograd.grad(y, leaves, c, retain_graph=True)
    if any(bool(g.any()) for g in found):
        raise NotImplementedError(_ADVICE.format(what="its backward pass detaches gradients."))


_ADVICE = (
    "`module` has an operation with no second derivative, which products without the matrix need "
    'here: {what} Give the operator more memory, or take `structure="dense"`.'
)
