"""Fourier features that are let in one octave after the other."""

from math import isfinite, pi

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import non_negative, positive
from ntkit.encodings.base import AbstractFourier

__all__ = ["CoarseToFine"]


class CoarseToFine(AbstractFourier):
    """The features of `encoding` times a window over frequencies that opens with `alpha`.

    A frequency `k` octaves above the lowest has the weight `(1 - cos(pi clamp(alpha - k, 0, 1))) / 2`:
    nothing at `alpha = k`, all at `alpha = k + 1`. With `NeRF`'s frequencies `k` counts its octaves,
    and this is the window of BARF and of Nerfies; frequencies of other encodings have `k` between whole
    numbers. It starts fully open. A training calls `set_alpha` as it goes on, and
    `amplitudes` is changed in place, so compiled and captured programs follow:

        encoding.set_alpha(min(1, step / 2000) * encoding.n_octaves)

    At each `alpha` the norm is constant and the kernel stationary, as of any Fourier encoding. All
    waves are shut at `alpha = 0`: then only `include_input` leaves the network something to see.

    Args:
        encoding: Gives frequencies, amplitudes and the order of the features.
        lowest: The frequency with `k = 0`, and those below it; cycles per unit. The lowest of
            `encoding` that is not zero, if left out.

    Raises:
        TypeError: `encoding` is no Fourier encoding.
        ValueError: All its frequencies are zero, or `lowest` is not above 0.

    Attributes:
        octaves: `[m]`, `k` of each frequency.
        alpha: How far the window is open, in octaves; a buffer.

    Source: Lin et al. 2021 (BARF, arXiv:2104.06405), eq. 14; Park et al. 2021 (Nerfies,
        arXiv:2011.12948), eq. 8.

    Example:
        >>> from ntkit.encodings import NeRF
        >>> encoding = CoarseToFine(NeRF(1, n_octaves=4))
        >>> encoding.set_alpha(1.5)
        >>> encoding.amplitudes
        tensor([1.0000, 0.5000, 0.0000, 0.0000])
    """

    is_fixed = False
    octaves: Tensor
    alpha: Tensor
    open_amplitudes: Tensor

    def __init__(self, encoding: AbstractFourier, lowest: float | None = None) -> None:
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}: others have no "
                "frequencies. Pass, for example, `NeRF(3, 10, include_input=True)`."
            )
        size = encoding.frequencies.detach().double().norm(dim=1)
        if not bool((size > 0).any()):
            raise ValueError("`encoding` has no frequency but zero: there are no octaves to open.")
        base = float(size[size > 0].min()) if lowest is None else positive("lowest", lowest)
        octaves = (size / base).log2().clamp_min(0).to(encoding.amplitudes)
        super().__init__(
            encoding.frequencies.detach().clone(),
            encoding.amplitudes.clone(),
            include_input=encoding.include_input,
            order=encoding.order,
        )
        self.register_buffer("open_amplitudes", encoding.amplitudes.clone())
        self.register_buffer("octaves", octaves)
        self.register_buffer("alpha", octaves.max() + 1)
        self.n_octaves: float = float(octaves.max()) + 1

    @property
    def window(self) -> Float[Tensor, " m"]:
        """The weight of each frequency at the present `alpha`, in [0, 1]."""
        return (1 - (pi * (self.alpha - self.octaves).clamp(0, 1)).cos()) / 2

    def set_alpha(self, alpha: float) -> None:
        """Open the window to `alpha` octaves: 0 for none, `n_octaves` or more for all.

        Raises:
            ValueError: `alpha` is negative or not finite.
        """
        octaves = non_negative("alpha", alpha)
        if not isfinite(octaves):
            raise ValueError(f"`alpha={alpha!r}` must be finite. `n_octaves` opens all.")
        with torch.no_grad():
            self.alpha.fill_(octaves)
            self.amplitudes.copy_(self.open_amplitudes * self.window)
