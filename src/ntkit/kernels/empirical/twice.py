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
        self.places = [k for k, g in enumerate(found) if g is not None]
        self._gradients = [g for g in found if g is not None]
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
        with _second_derivatives():
            (found,) = torch.autograd.grad(self._gradients, self._c, tangents, retain_graph=True)
        return found


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
