"""Kernels by name: what `--prior` takes."""

from collections.abc import Sequence
from math import inf

import torch

from ntkit.encodings import Gaussian
from ntkit.kernels import RBF, AbstractKernel, Matern, ntk
from ntkit.networks import mlp

__all__ = ["priors_of"]

_SMOOTHNESS = {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}
_NAMES = ("ntk", *_SMOOTHNESS, "rbf")


def priors_of(names: Sequence[str], ndim: int) -> list[AbstractKernel]:
    """The kernels of some names.

    Args:
        names: Each NAME:NUMBER: the bandwidth of the NTK of a network of infinite width on Gaussian features, or the
            length of a Matern kernel or RBF.
        ndim: Axes of the field.

    A name that is none, or a number not above 0, is refused.

    Example:
        >>> priors_of(["matern12:0.1"], 2)[0].nu
        0.5
    """
    return [_prior(text, ndim) for text in names]


def _prior(text: str, ndim: int) -> AbstractKernel:
    """One kernel.

    Raises:
        ValueError: The name is none, or its number is not above 0.
    """
    name, _, rest = text.partition(":")
    try:
        number = float(rest)
    except ValueError:
        number = 0.0
    if name not in _NAMES or not 0 < number < inf:
        raise ValueError(
            f"`--prior {text}` must be NAME:NUMBER with a name of {', '.join(_NAMES)}, such as ntk:4 (bandwidth) or "
            "matern12:0.1 (length), in units of the longest side."
        )
    if name == "rbf":
        return RBF(number)
    if name in _SMOOTHNESS:
        return Matern(_SMOOTHNESS[name], number)
    drawn = torch.Generator().manual_seed(0)
    encoding = Gaussian(ndim, bandwidth=number, n_frequencies=256, generator=drawn)
    return ntk(mlp(encoding, 1, width=256, depth=3))
