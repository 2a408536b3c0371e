"""The gradients as a function of the cotangent: derivatives of them are those forward."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.empirical.graph import walk

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
        with torch.enable_grad(), _second_derivatives():
            self._c = torch.zeros_like(y, requires_grad=True)
            found = torch.autograd.grad(y, leaves, self._c, create_graph=True, allow_unused=True)
        self.places = [k for k, g in enumerate(found) if g is not None and g.requires_grad]
        self._gradients = [g for g in found if g is not None and g.requires_grad]
        _check_zero(y, [p for p, g in zip(leaves, found, strict=True) if _is_constant(g)])
        for g in self._gradients:
            # what follows such a node is left out of a backward pass without a word
            if any(node.name() == "torch::autograd::Error" for node in walk(g.grad_fn)):
                raise NotImplementedError(_ADVICE.format(what="`once_differentiable`."))

    def nodes(self) -> list[Any]:
        """Those of the graphs of both derivatives."""
        return list({node: None for g in self._gradients for node in walk(g.grad_fn)})

    def forward(self, u: Sequence[Tensor]) -> Tensor:
        """`J u`, `[n, o]`, for a `u` of each parameter."""
        tangents = [u[k] for k in self.places]
        if not tangents:
            return torch.zeros_like(self._c, requires_grad=False)
        with _second_derivatives():
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


@contextmanager
def _second_derivatives() -> Iterator[None]:
    """Say what to do where an operation has none.

    Raises:
        NotImplementedError: It has none.
        RuntimeError: Anything else.
    """
    try:
        yield
    except RuntimeError as error:
        what = str(error).strip().split("\n")[0]
        if "derivative" not in what:
            raise
        raise NotImplementedError(_ADVICE.format(what=what)) from error
