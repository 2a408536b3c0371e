"""The two kernels of a module in the limit of infinite width: the doors to `InfiniteKernel`."""

from torch import nn

from ntkit.kernels.infinite.kernel import InfiniteKernel, Positions
from ntkit.kernels.infinite.rules.variances import Variances

__all__ = ["nngp", "ntk"]


def ntk(
    module: nn.Module, *, variances: Variances = "measured", positions: Positions = "each"
) -> InfiniteKernel:
    """The neural tangent kernel of `module` as its hidden layers become infinitely wide.

    `K(x, x') = E <df(x)/dtheta, df(x')/dtheta>` of one output, in the parametrisation of the module
    itself: `ntkit.networks.Linear` is NTK parametrisation; a plain `nn.Linear` is the standard one,
    whose kernel grows in proportion to the width, so that `t = lr * steps` of plain SGD holds.

    Args:
        module: Any module whose forward torch.fx can follow, made of layers with a rule
            (docs/infinite.md lists them); or `ntkit.networks.symmetrise` of one.
        variances: For plain layers, "measured" from their entries, or PyTorch's "default".
        positions: For outputs with positions (images of outputs), "each" with itself, or all
            "pairs".

    Returns:
        A kernel: `k(x1, x2=None) -> [n, m]`, `k.diag(x) -> [n]`.

    Source: Jacot et al. 2018 (arXiv:1806.07572), theorem 1; convolutions as in Arora et al. 2019
    (arXiv:1904.11955); standard parametrisation as in Sohl-Dickstein et al. 2020 (arXiv:2001.07301).

    Example:
        >>> import torch
        >>> from ntkit.networks import Linear
        >>> net = nn.Sequential(Linear(2, 64, bias=False), nn.ReLU(), Linear(64, 1, bias=False))
        >>> ntk(net)(torch.eye(2).double()) * 4 * torch.pi  # K_a + K_b, Cho and Saul's angles
        tensor([[6.2832, 1.0000],
                [1.0000, 6.2832]], dtype=torch.float64)
    """
    return InfiniteKernel(module, "ntk", variances, positions)


def nngp(
    module: nn.Module, *, variances: Variances = "measured", positions: Positions = "each"
) -> InfiniteKernel:
    """The covariance of one output of `module` over its random weights, at infinite width.

    Args:
        module: As for `ntkit.ntk`.
        variances: For plain layers, "measured" from their entries, or PyTorch's "default".
        positions: As for `ntkit.ntk`.

    Returns:
        A kernel: `k(x1, x2=None) -> [n, m]`, `k.diag(x) -> [n]`.

    Source: Lee et al. 2018 (arXiv:1711.00165), eq. 5; Novak et al. 2019 (arXiv:1810.05148).

    Example:
        >>> import torch
        >>> from ntkit.networks import Linear
        >>> net = nn.Sequential(Linear(2, 64, bias=False), nn.ReLU(), Linear(64, 1, bias=False))
        >>> nngp(net).diag(torch.tensor([[3.0, 4.0]]))  # |x|^2 / 2 / 2
        tensor([6.2500])
    """
    return InfiniteKernel(module, "nngp", variances, positions)
