"""Rotary positions: pairs of features turned by where they stand."""

from math import pi
from typing import Literal

import torch
from jaxtyping import Float, Real
from torch import Tensor, nn

from ntkit.encodings.base import AbstractFourier

__all__ = ["Rotary"]


class Rotary(nn.Module):
    """Turns pair `j` of the features by the angle `2 pi b_j.x`, `x` being their position.

    Dot products of turned features depend on the difference of their positions alone,
    `<R_x q, R_y k> = <q, R_(y - x) k>`, and norms are kept: in attention the queries and keys come to
    know how far apart they are, and nothing else. For features whose pairs have equal norms,
    `<R_x q, R_y q> = |q|^2 encoding.correlation(x - y)`: the kernel of positions is that of the
    encoding.

    It is a map of two arguments, features and positions, and so no `AbstractEncoding`; the angles
    are those of one. `Rotary(Sinusoidal(1, m))` is RoPE for heads of `2 m` features; a position may
    have more coordinates, and any Fourier encoding with amplitudes of 1 will do.

    Args:
        encoding: Gives the frequencies `[m, d]`, cycles per unit of position.
        pairs: Which features make a pair: "interleaved" as in the paper, `(0, 1), (2, 3), ...`,
            or "halves" as in many programs, `(0, m), (1, m + 1), ...`.

    Raises:
        TypeError: `encoding` is no Fourier encoding.
        ValueError: It has amplitudes other than 1, or the raw coordinates beside its waves; or
            `pairs` is another word.

    Source: Su et al. 2021 (arXiv:2104.09864), section 3.2.

    Example:
        >>> import torch
        >>> from ntkit.encodings import Sinusoidal
        >>> rotary = Rotary(Sinusoidal(1, 32))  # for heads of 64 features
        >>> position = torch.arange(10)[:, None]
        >>> q = torch.randn(8, 10, 64)  # [heads, words, features]
        >>> rotary(q, position).shape
        torch.Size([8, 10, 64])
    """

    def __init__(
        self,
        encoding: AbstractFourier,
        *,
        pairs: Literal["interleaved", "halves"] = "interleaved",
    ) -> None:
        super().__init__()
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}. "
                "For RoPE pass `Sinusoidal(1, m)`."
            )
        if encoding.include_input or not bool((encoding.amplitudes == 1).all()):
            raise ValueError(
                f"`encoding={encoding!r}` must be waves of amplitude 1 alone: a rotation has an angle "
                "and nothing more. For RoPE pass `Sinusoidal(1, m)`."
            )
        if pairs not in {"interleaved", "halves"}:
            raise ValueError(f"`pairs={pairs!r}` must be 'interleaved' or 'halves'.")
        self.encoding = encoding
        self.pairs = pairs
        self.in_dim: int = encoding.in_dim
        self.n_features: int = 2 * len(encoding.frequencies)

    def forward(
        self, features: Float[Tensor, "*batch f"], positions: Real[Tensor, "*at d"]
    ) -> Float[Tensor, "*batch f"]:
        """The features, turned; `positions` broadcasts to their batch axes, the last one first.

        Angles have the dtype of the positions, the result that of the features.
        """
        self.encoding.check_input(positions)
        self._check_features(features, positions)
        frequencies = self.encoding.frequencies
        if not positions.is_floating_point():
            positions = positions.to(frequencies.dtype)
        angle = 2 * pi * (positions @ frequencies.to(positions).T)
        cos, sin = angle.cos().to(features), angle.sin().to(features)
        axis = -1 if self.pairs == "interleaved" else -2
        shape = (-1, 2) if self.pairs == "interleaved" else (2, -1)
        a, b = features.unflatten(-1, shape).unbind(axis)
        return torch.stack([a * cos - b * sin, a * sin + b * cos], axis).flatten(-2)

    def _check_features(self, features: Tensor, positions: Tensor) -> None:
        if features.ndim == 0 or features.shape[-1] != self.n_features:
            raise ValueError(
                f"`features` must be [..., {self.n_features}], two a frequency of the encoding, got shape "
                f"{tuple(features.shape)}. Pass an encoding with half as many frequencies as features."
            )
        at, of = positions.shape[:-1], features.shape[:-1]
        tail = of[len(of) - len(at) :] if len(at) <= len(of) else None
        if tail is None or any(p != 1 and p != n for p, n in zip(at, tail, strict=True)):
            raise ValueError(
                f"`positions` of shape {tuple(positions.shape)} do not fit features of shape "
                f"{tuple(features.shape)}: all axes but the last must broadcast to those of the "
                "features. Add axes of length 1, for example `positions[:, None]`."
            )

    def extra_repr(self) -> str:
        """Sizes and the way of pairing, for `repr`."""
        return f"n_features={self.n_features}, pairs={self.pairs!r}"
