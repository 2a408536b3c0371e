"""How far one kernel is from another, on some points."""

from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.base import AbstractKernel

__all__ = ["kernel_distance"]


def kernel_distance(
    kernel: AbstractKernel, other: AbstractKernel, x: Float[Tensor, "n ..."]
) -> float:
    """`|K - K'| / |K'|` in the Frobenius norm, over all pairs of some points.

    Args:
        kernel: `K`, such as the empirical kernel of a network.
        other: `K'`, such as its limit; not zero on the points.
        x: Points.

    Example:
        >>> import torch
        >>> from ntkit.kernels import Linear
        >>> round(kernel_distance(1.5 * Linear(), Linear(), torch.eye(3)), 4)
        0.5
    """
    found, wanted = kernel(x).double(), other(x).double()
    return float((found - wanted).norm() / wanted.norm())
