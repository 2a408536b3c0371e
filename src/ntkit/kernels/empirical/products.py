"""Long inner products in low precision, summed in blocks."""

import torch
from torch import Tensor

__all__ = ["outer_sums", "rows_product", "symmetric_rows_product"]

_BLOCK = 4096
"""Terms of a float32 inner product that are summed in float32; the blocks are added in float64.

One sum over half a million terms lost 3e-5 where its terms have one sign; blocks lose about 1e-6.
"""


def rows_product(a: Tensor, b: Tensor, out: Tensor) -> None:
    """Add `a @ b.T` to `out`, `[r, p]` times `[c, p]`, at least in float32."""
    kind = torch.promote_types(a.dtype, torch.float32)
    if kind == torch.float64:
        out.addmm_(a.to(out.dtype), b.to(out.dtype).T)
        return
    for left, right in zip(a.split(_BLOCK, 1), b.split(_BLOCK, 1), strict=True):
        out += left.to(kind) @ right.to(kind).T


def symmetric_rows_product(a: Tensor, out: Tensor) -> None:
    """Add `a @ a.T` to `out`: blocks on and above the diagonal are computed, the others copied."""
    step = max(128, -(-len(a) // 8))
    for i in range(0, len(a), step):
        tile = torch.zeros_like(out[i : i + step, i:])
        rows_product(a[i : i + step], a[i:], tile)
        out[i : i + step, i:] += tile
        out[i + step :, i : i + step] += tile[:, step:].T


def outer_sums(left: Tensor, right: Tensor) -> Tensor:
    """`left [o, n, c, t]` times `right [n, t, k]`: one product for all outputs of a sample."""
    outputs, n, c, t = left.shape
    rows = left.transpose(0, 1).reshape(n, outputs * c, t)
    return torch.bmm(rows, right).unflatten(1, (outputs, c)).transpose(0, 1)
