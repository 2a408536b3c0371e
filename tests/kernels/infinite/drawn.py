"""Whether drawn networks have, in the mean, the kernel of infinite width."""

from typing import Any

from torch import Tensor

from tests.cases import seeded

__all__ = ["is_mean_of_draws"]


def is_mean_of_draws(kernel: Any, x: Tensor, count: int, width: int, *, within: float) -> bool:
    """Within five standard errors, of at most `within` of the diagonal, and a bias of a few parts in the width."""
    exact, found = kernel(x), kernel.monte_carlo(x, count, seeded(2))
    size = exact.diagonal().mean()
    assert bool((found.standard_error < within * size).all())
    return bool(((found.mean - exact).abs() < 5 * found.standard_error + 4 / width * size).all())
