"""The linearised network: what an infinitely wide one becomes."""

from torch import nn

from ntkit.dynamics.taylor import Taylor, taylor

__all__ = ["linearize"]


def linearize(module: nn.Module) -> Taylor:
    """`f(x; theta0) + J(x) (theta - theta0)`: `module` linearised in its parameters, as a module.

    Trained by gradient descent it does exactly what its kernel `J J^T`, the empirical tangent kernel
    at `theta0`, says: no learning of features. One call costs about two forward passes of `module`,
    and no Jacobian is built. All else is as in `ntkit.taylor`, of which it is the first order.

    Args:
        module: Any network; copied, never changed.

    Returns:
        A trainable module, called like `module`.

    Source: Lee et al. 2019 (arXiv:1902.06720), eq. 5.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        >>> linear, x = linearize(net), torch.rand(5, 2)
        >>> torch.equal(linear(x), net(x))  # until it is trained
        True
        >>> optimiser = torch.optim.SGD(linear.parameters(), lr=0.01)
        >>> linear(x).square().sum().backward()
        >>> optimiser.step()
        >>> bool(linear(x).norm() < net(x).norm())
        True
    """
    return taylor(module, 1)
