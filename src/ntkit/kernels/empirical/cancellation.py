"""Uses of parameters that cancel: pairs of positions then lose digits that a sum of them keeps."""

import torch
from torch import Tensor

__all__ = ["few_cancel", "loses_digits", "pair_squares", "part_squares"]

_SAMPLES = 8
"""Samples that are looked at, at most."""


def loses_digits(squares: Tensor, parts: Tensor) -> bool:
    """Whether a sum over pairs of positions has lost more digits than it may.

    With `J = sum_t g_t a_t^T` of length `r` times that of its parts, the pairs of positions are rounded
    to `eps / r^2` of `|J|^2`, and `J` itself to `eps / r`. The second is taken from `r^2 < eps^(1/4)`,
    where the first one has lost a quarter of its digits: 4e-6 in float32. Positions that are independent
    have `r = 1`.

    Args:
        squares: `|J|^2` of samples, in any shape.
        parts: `sum_t |g_t|^2 |a_t|^2` of the same samples.
    """
    kind = torch.promote_types(parts.dtype, torch.float32)
    return float(squares.sum()) < torch.finfo(kind).eps ** 0.25 * float(parts.sum())


def few_cancel(a: Tensor, g: Tensor) -> bool:
    """The same, asked of some samples: of one in eight, so that it costs little beside all pairs.

    Args:
        a: Inputs of a layer, `[groups, n, t, k]`.
        g: Gradients at its output, `[groups, o, n, t, c]`.
    """
    n = a.shape[1]
    if a.shape[2] == 1:
        return False
    some = slice(0, n, max(8, -(-n // _SAMPLES)))
    kind = torch.promote_types(a.dtype, torch.float32)
    a, g = a[:, some].to(kind), g[:, :, some].to(kind)
    squares = torch.stack([pair_squares(left, right) for left, right in zip(a, g, strict=True)])
    return loses_digits(squares, part_squares(a, g))


def pair_squares(a: Tensor, g: Tensor) -> Tensor:
    """`sum_o |J|^2` through pairs of positions, `[n]`, of `a [n, t, k]` and `g [o, n, t, c]`."""
    columns = g.permute(1, 2, 0, 3).flatten(2)
    return ((a @ a.mT) * (columns @ columns.mT)).sum((1, 2))


def part_squares(a: Tensor, g: Tensor) -> Tensor:
    """`sum_t |g_t|^2 |a_t|^2`, `[groups, o, n]`."""
    return (g.square().sum(-1) * a.square().sum(-1)[:, None]).sum(-1)
