"""A network that starts at zero and has the same tangent kernel."""

from copy import deepcopy

from torch import Tensor, nn

from ntkit._core import checks

__all__ = ["Symmetrised", "symmetrise"]


class Symmetrised(nn.Module):
    """`(plus(x) - minus(x)) / sqrt(2)`, with both halves trained from the same start.

    Zero at initialisation. Its tangent kernel there is that of `plus`: each half contributes half.

    Attributes:
        plus: The network.
        minus: Its twin.

    Example:
        >>> import ntkit, torch
        >>> net = ntkit.networks.symmetrise(torch.nn.Linear(2, 1))
        >>> isinstance(net, Symmetrised), float(net(torch.ones(1, 2)).detach())  # zero at the start
        (True, 0.0)
    """

    def __init__(self, plus: nn.Module, minus: nn.Module) -> None:
        super().__init__()
        self.plus: nn.Module = checks.module("plus", plus)
        self.minus: nn.Module = checks.module("minus", minus)

    def forward(self, x: Tensor) -> Tensor:
        """The scaled difference of the halves."""
        return (self.plus(x) - self.minus(x)) / 2**0.5


def symmetrise(module: nn.Module) -> Symmetrised:
    """Remove the random initial function of `module` without changing its tangent kernel.

    The function that a network computes before training stays, in part, in the points that it is
    not trained on. The antisymmetric pair starts at zero and so predicts what was learned alone.

    Args:
        module: Any network, not changed; both halves of the result are copies.

    Returns:
        A network with twice the parameters, zero at the start.

    Source: Chizat et al. 2019 (arXiv:1812.07956), section 3 ("doubling trick"); Zhang et al. 2020
    (arXiv:1905.07777), the antisymmetrical initialisation, whose `1/sqrt(2)` we use.

    Example:
        >>> import torch
        >>> net = symmetrise(nn.Linear(2, 1))
        >>> float(net(torch.ones(1, 2)).detach().abs())
        0.0
    """
    checks.module("module", module)
    return Symmetrised(deepcopy(module), deepcopy(module))
