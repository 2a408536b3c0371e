"""How fast an error falls: the exponent of a power law, by least squares on logarithms."""

from collections.abc import Sequence

import torch


def fitted_exponent(sizes: Sequence[float], errors: Sequence[float]) -> float:
    """The `p` of `error ~ size^p`."""
    x = torch.tensor(sizes, dtype=torch.float64).log()
    y = torch.tensor(errors, dtype=torch.float64).log()
    x = x - x.mean()
    return float((x * y).sum() / (x * x).sum())
