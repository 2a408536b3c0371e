"""mip-NeRF's encoding: Fourier features averaged over a Gaussian instead of taken at a point."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.encodings.base import AbstractFourier

__all__ = ["Integrated", "attenuation"]


def attenuation(
    frequencies: Float[Tensor, "m d"],
    covariance: Float[Tensor, "..."],
    *,
    is_diagonal: bool,
) -> Float[Tensor, "... m"]:
    """What is left of each wave, averaged over a Gaussian: `exp(-2 pi^2 b^T S b)`, in (0, 1].

    Args:
        frequencies: `b`, cycles per unit of coordinate.
        covariance: `S`, in squared units: `[..., d, d]`, or its diagonal `[..., d]`.
        is_diagonal: Which of the two.
    """
    if is_diagonal:
        spread = covariance @ (frequencies**2).T
    else:
        squares = frequencies[:, :, None] * frequencies[:, None, :]
        spread = covariance.flatten(-2) @ squares.flatten(1).T
    # A singular covariance may leave a sum that rounding takes below 0.
    return torch.exp(-2 * pi**2 * spread.clamp_min(0))


class Integrated(nn.Module):
    """Mean of an encoding's features over points `x ~ N(mean, S)`: fine waves fade where `S` is wide.

    `E[cos(2 pi b.x)] = exp(-2 pi^2 b^T S b) cos(2 pi b.mean)`, and the same of the sine: the features
    of the mean, each wave times its attenuation. So a pixel or a sample of a ray that covers a large
    piece of the scene is not told apart by waves finer than that piece (no aliasing), and as `S` goes
    to zero these are the plain features.

    It is a map of two arguments, means and covariances, and so no `AbstractEncoding`. Where all points
    have the same covariance it is one: `Blurred`, with a stationary kernel. Dot products are
    `sum a_j^2 exp(-2 pi^2 b^T (S + S') b) cos(2 pi b.(mean - mean'))`.

    Args:
        encoding: Gives frequencies, amplitudes and the order of the features; raw coordinates, if
            it includes them, are those of the mean.

    Raises:
        TypeError: `encoding` is no Fourier encoding.

    Source: Barron et al. 2021 (arXiv:2103.13415), section 3.1, with `NeRF(3, n_octaves)` of theirs;
    `conical_frustum` makes the Gaussians of a pixel's cone.

    Example:
        >>> import torch
        >>> from ntkit.encodings import NeRF
        >>> encoding = Integrated(NeRF(3, n_octaves=10))
        >>> mean, variances = torch.rand(5, 3), torch.full((5, 3), 1e-4)
        >>> encoding(mean, variances).shape
        torch.Size([5, 60])
        >>> torch.equal(encoding(mean, torch.zeros(5, 3)), encoding.encoding(mean))
        True
    """

    def __init__(self, encoding: AbstractFourier) -> None:
        super().__init__()
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}: others have no "
                "closed form. Pass, for example, `NeRF(3, n_octaves=10)`."
            )
        self.encoding = encoding
        self.in_dim: int = encoding.in_dim
        self.out_dim: int = encoding.out_dim

    def forward(
        self, mean: Float[Tensor, "*batch d"], covariance: Float[Tensor, "..."]
    ) -> Float[Tensor, "*batch f"]:
        """Features of each Gaussian.

        Args:
            mean: `[..., d]`, in units of the coordinates.
            covariance: In squared units: `[..., d]`, the diagonal, where it has as many axes as
                `mean`; `[..., d, d]`, the matrix, where it has one more. Batch axes of length 1 serve
                all points. A variance `b^T S b` below 0 counts as 0.
        """
        self.encoding.check_input(mean)
        is_diagonal = self._is_diagonal(mean, covariance)
        frequencies = self.encoding.frequencies.to(mean)
        left = attenuation(frequencies, covariance.to(mean), is_diagonal=is_diagonal)
        return self.encoding.weighted(mean, left)

    def _is_diagonal(self, mean: Tensor, covariance: Tensor) -> bool:
        """Whether the covariance has the axes of its diagonal alone.

        Raises:
            ValueError: It fits neither way.
        """
        d, is_diagonal = self.in_dim, covariance.ndim == mean.ndim
        batch = covariance.shape[: mean.ndim - 1]
        fits = covariance.shape[mean.ndim - 1 :] == ((d,) if is_diagonal else (d, d))
        if not fits or any(s != 1 and s != n for s, n in zip(batch, mean.shape[:-1], strict=True)):
            raise ValueError(
                f"`covariance` of shape {tuple(covariance.shape)} does not fit `mean` of shape "
                f"{tuple(mean.shape)}. Pass variances [..., {d}] with as many axes as the mean, or "
                f"matrices [..., {d}, {d}] with one axis more."
            )
        return is_diagonal
