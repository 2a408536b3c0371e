"""The dot products of Fourier features, which know the difference of the points alone."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.encodings.base import AbstractFourier
from ntkit.kernels.base import AbstractLagKernel
from ntkit.kernels.closed.points import each, pairs

__all__ = ["Stationary"]


class Stationary(AbstractLagKernel):
    """`k(x, x') = sum_j a_j^2 cos(2 pi b_j.(x - x'))`: the energy of an encoding times its correlation.

    The dot product of the features, `encoding(x).encoding(x')`: the NTK of a linear model on top of
    them. On grids it needs the correlation alone. Any symmetric positive definite function of
    a lag is a limit of such sums (Bochner's theorem). Computes in float64 and returns the dtype of its
    input.

    Args:
        encoding: Fourier features without the raw coordinates.

    Raises:
        TypeError: `encoding` is no Fourier encoding.
        ValueError: It is not stationary.

    Source: Rahimi and Recht 2007; Tancik et al. 2020 (arXiv:2006.10739), eq. 7.

    Example:
        >>> from ntkit.encodings import Basic
        >>> Stationary(Basic(1))(torch.tensor([[0.0]]), torch.tensor([[1 / 6], [0.5], [1.0]]))
        tensor([[ 0.5000, -1.0000,  1.0000]])
    """

    def __init__(self, encoding: AbstractFourier) -> None:
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}. "
                "For other maps use `FeatureMap(encoding)`."
            )
        if not encoding.is_stationary:
            raise ValueError(
                f"`encoding={encoding!r}` is not stationary: the raw coordinates stand beside the "
                "waves. Use `FeatureMap(encoding)`."
            )
        self.encoding = encoding

    @property
    def device(self) -> torch.device:
        """That of the encoding."""
        return self.encoding.frequencies.device

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """Dot products of the features, `2 n m` multiply-adds a frequency."""
        return pairs(self._dots, x1, x2)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """The energy of the encoding, `n` times."""
        return each(lambda u: self._energy().to(u).repeat(len(u)), x)

    @property
    def is_stationary(self) -> bool:
        """True."""
        return True

    @property
    def has_unit_period(self) -> bool:
        """Whether the frequencies are whole cycles per unit."""
        frequencies = self.encoding.frequencies
        return bool(torch.equal(frequencies, frequencies.round()))

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The energy, less half of the squared distance of features at each lag."""
        return self._energy() - self.encoding.gap_table(lags) / 2

    def _dots(self, u: Tensor, v: Tensor | None) -> Tensor:
        z = self.encoding(u)
        return z @ (z if v is None else self.encoding(v)).T

    def _energy(self) -> Tensor:
        return (self.encoding.amplitudes.double() ** 2).sum()

    def _features(self, x: Tensor) -> Tensor:
        return each(self.encoding, x)

    def __repr__(self) -> str:
        return f"Stationary({self.encoding!r})"
