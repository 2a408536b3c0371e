"""The check of a kernel by another route: `K v` against `J (J^T v)` of single samples."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.jacobian import jacobians
from ntkit.kernels.empirical.outputs import Outputs, positions
from ntkit.kernels.empirical.target import Target

__all__ = ["product_error"]

Gram = Callable[[Batch, Batch | None], Tensor]
"""The kernel of row points against column points."""


def product_error(
    target: Target,
    x1: Batch,
    x2: Batch | None,
    gram: Gram,
    outputs: Outputs,
    generator: torch.Generator | None,
) -> float:
    """Largest relative error of products with random vectors, against samples that run alone.

    Args:
        target: The network.
        x1: Row points.
        x2: Column points; of a kernel of `x1` with itself, a few of those stand on either side too.
        gram: The kernel.
        outputs: As in the kernel.
        generator: Source of the vectors.
    """
    wanted = positions(outputs, target.outputs(target.leaves(), x1[:1]).shape[1])
    pairs: list[tuple[Batch, Batch | None]] = [(x1, x2)]
    if x2 is not None:
        pairs.append((x2, x1))
    elif len(x1) > 1:
        few = x1[torch.tensor([len(x1) - 1, 0], device=target.device)]
        pairs += [(few, x1), (x1, few)]
    return max(
        _error(target, rows, columns, gram, wanted, outputs, generator) for rows, columns in pairs
    )


def _error(
    target: Target,
    rows: Batch,
    columns: Batch | None,
    gram: Gram,
    wanted: Sequence[int],
    outputs: Outputs,
    generator: torch.Generator | None,
) -> float:
    kernel = gram(rows, columns)
    others = rows if columns is None else columns
    v = torch.randn(len(others), len(wanted), generator=generator, dtype=torch.float64)
    v = v.to(kernel.device, kernel.dtype)
    if outputs == "full":
        found = torch.einsum("nmop,mp->no", kernel, v)
        expected = _pushed(target, rows, wanted, [_pulled(target, others, wanted, v)])
    else:
        found = kernel @ v[:, :1]
        each = [_pulled(target, others, [o], v[:, :1]) for o in wanted]
        expected = _pushed(target, rows, wanted, each).mean(1, keepdim=True)
    return float((found - expected).abs().max() / expected.abs().max())


def _pulled(target: Target, x: Batch, wanted: Sequence[int], v: Tensor) -> list[Tensor]:
    """`J^T v`, sample by sample."""
    leaves = target.leaves()
    total = [torch.zeros_like(p, dtype=v.dtype, requires_grad=False) for p in leaves]
    for i in range(len(x)):
        y = target.outputs(leaves, x[i : i + 1])[0, list(wanted)]
        found = torch.autograd.grad(y, leaves, v[i].to(y.dtype), allow_unused=True)
        for t, g in zip(total, found, strict=True):
            if g is not None:
                t += g
    return total


def _pushed(
    target: Target, x: Batch, wanted: Sequence[int], u: Sequence[Sequence[Tensor]]
) -> Tensor:
    """`J u`, sample by sample, `[n, outputs]`: of one `u` for all outputs, or of one for each."""
    every = range(len(target.names))
    rows = []
    for i in range(len(x)):
        blocks = jacobians(target, x[i : i + 1], wanted, every, use_vmap=False)
        row = [
            sum(
                torch.dot(j[0, k].to(p.dtype), p.flatten())
                for j, p in zip(blocks, one, strict=True)
            )
            for k, one in enumerate(u if len(u) > 1 else [u[0]] * len(wanted))
        ]
        rows.append(torch.stack([torch.as_tensor(entry) for entry in row]))
    return torch.stack(rows)
