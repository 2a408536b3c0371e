"""The transformer's positional encoding: wavelengths from one turn to ten thousand."""

from math import pi
from typing import Literal

import torch
from torch import Tensor

from ntkit._core.checks import positive, positive_int
from ntkit.encodings.base import AbstractFourier

__all__ = ["Sinusoidal"]


class Sinusoidal(AbstractFourier):
    """`sin(x / base^(j/m)), cos(x / base^(j/m))`, `j = 0..m-1`: where a word stands, as features.

    Positions are counted in words (whole or real), so frequencies are in cycles per word: from
    `1 / (2 pi)` down to nearly `1 / (2 pi base)`. Between neighbours and `base` words apart the
    correlation falls with the logarithm of the distance,
    `1 - (log(distance) + 0.577) / log(base)` for many frequencies.

    Args:
        in_dim: Number of coordinates `d` of a position: 1 for a sentence, 2 for patches of an image,
            whose axes follow each other in the output.
        n_frequencies: `m`, an axis; the output has `2 m d` features, the model's width.
        base: Ratio of the longest wavelength to the shortest, nearly.
        order: "interleaved" as in the paper (sine, cosine, sine, cosine, ...), or "concatenated" as
            in many programs (the sines of an axis, then its cosines).

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5. In float32 a phase of `p` radians
    has an error of about `1e-7 p`; so far out use float64 positions.

    Example:
        >>> import torch
        >>> encoding = Sinusoidal(1, 256)  # for a model of 512 features
        >>> encoding(torch.arange(10)[:, None]).shape
        torch.Size([10, 512])
        >>> Sinusoidal(1, 2)(torch.tensor([[0]])).tolist()
        [[0.0, 1.0, 0.0, 1.0]]
    """

    def __init__(
        self,
        in_dim: int,
        n_frequencies: int,
        base: float = 10_000.0,
        *,
        order: Literal["interleaved", "concatenated"] = "interleaved",
    ) -> None:
        d, m = positive_int("in_dim", in_dim), positive_int("n_frequencies", n_frequencies)
        ratio = positive("base", base)
        if order not in {"interleaved", "concatenated"}:
            raise ValueError(f"`order={order!r}` must be 'interleaved' or 'concatenated'.")
        cycles = ratio ** (-torch.arange(m, dtype=torch.float64) / m) / (2 * pi)
        frequencies = torch.kron(torch.eye(d, dtype=torch.float64), cycles[:, None])
        super().__init__(frequencies.float(), order=_arranged(d, m, order))
        self.base = ratio


def _arranged(d: int, m: int, order: str) -> Tensor:
    """Which of cosines and sines each feature is, axis by axis."""
    cosines = torch.arange(d * m).reshape(d, 1, m)
    pairs = torch.cat([cosines + d * m, cosines], 1)  # [axis, sine or cosine, frequency]
    return (pairs.mT if order == "interleaved" else pairs).flatten()
