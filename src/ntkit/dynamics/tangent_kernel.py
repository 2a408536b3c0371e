"""The empirical tangent kernel on a few points, from the Jacobian itself."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["tangent_kernel"]


def tangent_kernel(
    outputs: Callable[[], Float[Tensor, "n o"]], parameters: Sequence[Tensor]
) -> Float[Tensor, "n n"]:
    """`J J^T / o`, traced over outputs, in float64: `n o` backward passes, `n o p` numbers in memory.

    Args:
        outputs: A forward pass that records its graph.
        parameters: What the Jacobian is taken with respect to.
    """
    with torch.enable_grad():
        values = outputs()
        n, o = values.shape
        jacobian = [values.new_empty(n * o, p.numel(), dtype=p.dtype) for p in parameters]
        for i, value in enumerate(values.flatten()):
            rows = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            for block, row in zip(jacobian, rows, strict=True):
                block[i] = 0 if row is None else row.flatten()
    kernel = values.new_zeros(n, n, dtype=torch.float64)
    for block in jacobian:
        by_sample = block.reshape(n, -1)  # the trace over outputs is part of the product
        kernel += (by_sample @ by_sample.T).double()
    return kernel / o
