"""A random projection without a matrix: signs, rotations, and a sum of blocks."""

from zlib import crc32

import torch
from torch import Tensor

__all__ = ["add_projection"]

_ENTRIES = 2**20
"""Entries of a vector whose signs are drawn together."""


def add_projection(total: Tensor, vectors: Tensor, key: str) -> None:
    """Add to `total [n, k]` the projections `S v` of the rows of `vectors [n, p]`.

    `v` is cut into blocks of `k` entries; each is multiplied by random signs and rotated by a random
    number of places, and the blocks are added up. Every entry of `v` goes into one of `S v`, two
    entries into the same one with probability `1 / k` at most. So `E <S v, S w> = <v, w>`, and

        Var <S v, S w> <= (|v|^2 |w|^2 + <v, w>^2) / k,

    as for a dense matrix of random signs, at two operations an entry of `v` instead of `2 k`.

    Args:
        total: Changed in place.
        vectors: Rows.
        key: Names the projection: the same key gives the same one, other keys independent ones.

    Source: Weinberger et al. 2009 (arXiv:0902.2206), lemma 2, with rotations in the hash's place.
    """
    n, size = total.shape
    generator = torch.Generator().manual_seed(crc32(key.encode()))
    twice = total.new_zeros(n, 2 * size)  # a rotation is a place in it, folded at the end
    step = size * max(1, _ENTRIES // size)
    for start in range(0, vectors.shape[1], step):
        part = vectors[:, start : start + step]
        width = part.shape[1]
        # drawn on the CPU, so that devices agree; 64 bits hold eight signs
        draws = torch.empty(-(-width // 8), dtype=torch.int64)
        signs = draws.random_(-(2**63), None, generator=generator).view(torch.int8)[:width] >= 0
        turns = torch.randint(size, (-(-width // size),), generator=generator).tolist()
        signed = part.to(total.dtype) * (2 * signs.to(part.device, total.dtype) - 1)
        for turn, block in zip(turns, signed.split(size, 1), strict=True):
            twice[:, turn : turn + block.shape[1]] += block
    total += twice[:, :size] + twice[:, size:]
