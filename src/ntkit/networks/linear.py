"""The dense layer in the NTK parametrisation."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive_int, random_source
from ntkit.networks.scales import Scale, plain, set_scales

__all__ = ["Linear"]


class Linear(nn.Module):
    """`w_std / sqrt(in_features) W x + b_std b` with `W, b ~ N(0, 1)`: the NTK parametrisation.

    Takes the arguments of `torch.nn.Linear`. The learning rate of gradient descent need not change
    with the width, and the kernel has a limit as the width grows.

    Args:
        in_features: Length of the input's last axis.
        out_features: Length of the output's last axis.
        bias: Whether there is a bias.
        w_std: Standard deviation that the weights act with: a number, or a tensor without axes that
            asks for gradients, by which kernels of the network then have derivatives. It is no
            parameter of the layer.
        b_std: Standard deviation that the bias acts with, the same.
        generator: Source of the draw; torch's default one if left out, as in `torch.nn.Linear`.

    Source: Jacot et al. 2018 (arXiv:1806.07572), section 3; Lee et al. 2019, eq. 1.

    Example:
        >>> layer = Linear(64, 128)
        >>> layer(torch.zeros(2, 64)).shape
        torch.Size([2, 128])
    """

    w_std: Scale
    b_std: Scale

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        w_std: Scale = 1.0,
        b_std: Scale = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.in_features: int = positive_int("in_features", in_features)
        self.out_features: int = positive_int("out_features", out_features)
        random_source(generator)
        set_scales(self, w_std, b_std)
        self.weight: nn.Parameter = nn.Parameter(
            torch.randn(out_features, in_features, generator=generator)
        )
        self.bias: nn.Parameter | None = (
            nn.Parameter(torch.randn(out_features, generator=generator)) if bias else None
        )

    def forward(self, x: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        """The layer's output."""
        scale = self.w_std / sqrt(self.in_features)
        bias = None if self.bias is None else self.b_std * self.bias
        return nn.functional.linear(scale * x, self.weight, bias)

    def extra_repr(self) -> str:
        """Sizes and scales, for `repr`."""
        return (
            f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, "
            f"w_std={plain(self.w_std):g}, b_std={plain(self.b_std):g}"
        )
