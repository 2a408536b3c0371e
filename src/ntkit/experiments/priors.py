"""Kernels by name: what `--prior` takes."""

from collections.abc import Sequence
from math import inf

import torch

from ntkit.encodings import Gaussian
from ntkit.kernels import RBF, AbstractKernel, Matern, ntk
from ntkit.networks import mlp
from ntkit.reconstruction.default_priors import network_prior

__all__ = ["bandwidth_in", "priors_of"]

_SMOOTHNESS = {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}
_NAMES = ("ntk", *_SMOOTHNESS, "rbf")


def priors_of(texts: Sequence[str], ndim: int) -> dict[str, AbstractKernel]:
    """The kernels that are asked for, by what a report calls them.

    Args:
        texts: Each NAME:NUMBER: the bandwidth of the NTK of a network of infinite width on Gaussian features, or the
            length of a Matern kernel or RBF.
        ndim: Axes of the field.

    A name that is none, or a number not above 0, is refused.

    Example:
        >>> list(priors_of(["matern12:0.1", "ntk:4"], 2))
        ['Matern-1/2, length 0.1', 'NTK, bandwidth 4']
    """
    return dict(_prior(text, ndim) for text in texts)


def bandwidth_in(names: Sequence[str]) -> float | None:
    """The bandwidth of the first name that is the kernel of a network."""
    start = network_prior(1.0).removesuffix("1")
    found = [float(name.removeprefix(start)) for name in names if name.startswith(start)]
    return found[0] if found else None


def _prior(text: str, ndim: int) -> tuple[str, AbstractKernel]:
    """One kernel, with its name.

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
        return f"RBF, length {number:g}", RBF(number)
    if name in _SMOOTHNESS:
        smoothness = _SMOOTHNESS[name]
        return f"Matern-{round(2 * smoothness)}/2, length {number:g}", Matern(smoothness, number)
    drawn = torch.Generator().manual_seed(0)
    encoding = Gaussian(ndim, bandwidth=number, n_frequencies=256, generator=drawn)
    return network_prior(number), ntk(mlp(encoding, 1, width=256, depth=3, generator=drawn))
