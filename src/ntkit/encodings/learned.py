"""Fourier features whose frequencies are trained with the network."""

import copy

from jaxtyping import Float, Real
from torch import Tensor, nn

from ntkit.encodings.base import AbstractEncoding, AbstractFourier

__all__ = ["LearnedFourier"]


class LearnedFourier(AbstractEncoding):
    """The features of `encoding`, with its frequencies as a parameter: they start there and move.

    The kernel of a network on top moves as well, so nothing of `ntkit.ntk` or the engines for grids
    foresees such training; `fixed()` gives the encoding as it has become, for which all of them
    hold again, and `empirical_ntk` counts the frequencies among the parameters.

    Frequencies are cycles per unit of coordinate. Adam moves each by about its learning rate a step, so
    at 1e-3 a thousand steps are one cycle: for more give them a group of their own,
    `{"params": encoding.parameters(), "lr": ...}`.

    Args:
        encoding: Where the frequencies start; it is copied.

    Raises:
        TypeError: `encoding` is no Fourier encoding.

    Attributes:
        encoding: The copy; `encoding.frequencies` is the parameter.

    Source: Li et al. 2021 (arXiv:2106.02795), there with a network behind them.

    Example:
        >>> from ntkit.encodings import Basic
        >>> encoding = LearnedFourier(Basic(2))
        >>> [(name, tuple(p.shape)) for name, p in encoding.named_parameters()]
        [('encoding.frequencies', (2, 2))]
        >>> encoding.fixed()
        Basic(in_dim=2, out_dim=4)
    """

    is_fixed = False

    def __init__(self, encoding: AbstractFourier) -> None:
        super().__init__()
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}: others have no "
                "frequencies. Pass, for example, `Gaussian(2, 256, bandwidth=10.0)`."
            )
        self.encoding: AbstractFourier = copy.deepcopy(encoding)
        frequencies = self.encoding.frequencies
        del self.encoding.frequencies
        self.encoding.frequencies = nn.Parameter(frequencies)
        self.in_dim: int = encoding.in_dim
        self.out_dim: int = encoding.out_dim

    @property
    def is_stationary(self) -> bool:
        """Whether dot products depend on the difference alone, at whatever frequencies there are."""
        return self.encoding.is_stationary

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The features of `x` at the present frequencies, in the order of `encoding`."""
        self.check_input(x)
        return self.encoding(x)

    def fixed(self) -> AbstractFourier:
        """The encoding with the present frequencies, no longer trained; a copy."""
        encoding = copy.deepcopy(self.encoding)
        frequencies = encoding.frequencies.detach()
        del encoding.frequencies
        encoding.register_buffer("frequencies", frequencies)
        return encoding
