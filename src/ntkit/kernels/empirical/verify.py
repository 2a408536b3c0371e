"""The check of a kernel by another route: `K v` against `J (J^T v)`."""

import torch
from torch import Tensor

from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.target import Target
from ntkit.kernels.empirical.twice import Twice

__all__ = ["product_error"]


def product_error(
    target: Target,
    batch: Batch,
    kernel: Tensor,
    outputs: Outputs,
    generator: torch.Generator | None,
) -> float:
    """`max |K v - J J^T v| / max |J J^T v|` for a random `v`, which the network itself multiplies."""
    leaves = target.leaves()
    y = target.outputs(leaves, batch)
    wanted = positions(outputs, y.shape[1])
    twice = Twice(y, leaves)

    def again(v: Tensor) -> Tensor:
        """`J (J^T v)`."""
        found = torch.autograd.grad(y, leaves, v.to(y.dtype), retain_graph=True, allow_unused=True)
        return twice.forward([
            g if g is not None else p for g, p in zip(found, leaves, strict=True)
        ]).to(v.dtype)

    v = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.device, kernel.dtype)
    if outputs == "full":
        expected = again(v)
        found = torch.einsum("nmop,mp->no", kernel, v)
    else:
        expected = torch.zeros_like(v[:, 0])
        for o in wanted:
            cotangent = torch.zeros_like(v)
            cotangent[:, o] = v[:, 0]
            expected = expected + again(cotangent)[:, o] / len(wanted)
        found = kernel @ v[:, 0]
    return float((found - expected).abs().max() / expected.abs().max())
