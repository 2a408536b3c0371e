"""Fourier features averaged over one and the same footprint at every point."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.checks import non_negative, per_axis
from ntkit.encodings.base import AbstractFourier
from ntkit.encodings.integrated import attenuation

__all__ = ["Blurred"]


class Blurred(AbstractFourier):
    """An encoding's features averaged over `N(x, S)`: amplitudes times `exp(-2 pi^2 b^T S b)`.

    What a sensor of that footprint sees of the waves: `Integrated` with one covariance for all points.
    Constant norm, a stationary kernel, every engine for grids. Frequencies are those that the encoding has
    now.

    Args:
        encoding: Gives frequencies, amplitudes and the order of the features.
        covariance: `S`, in squared units of the coordinates: one variance for all axes, one an axis,
            or the matrix `[d, d]`. A box of side `h` has the variance `h^2 / 12` an axis.

    Raises:
        TypeError: `encoding` is no Fourier encoding.
        ValueError: `covariance` has another shape, or is not positive semi-definite.

    Source: Barron et al. 2021 (arXiv:2103.13415), section 3.1.

    Example:
        >>> import torch
        >>> from ntkit.encodings import Gaussian
        >>> pixel = 1 / 64
        >>> encoding = Blurred(Gaussian(2, 256, bandwidth=10.0), pixel**2 / 12)
        >>> encoding(torch.rand(5, 2)).shape
        torch.Size([5, 512])
    """

    def __init__(
        self,
        encoding: AbstractFourier,
        covariance: float | Sequence[float] | Float[Tensor, "..."],
    ) -> None:
        if not isinstance(encoding, AbstractFourier):
            raise TypeError(
                f"`encoding` must be a Fourier encoding, got {type(encoding).__name__}: others have no "
                "closed form. Pass, for example, `Gaussian(2, 256, bandwidth=10.0)`."
            )
        matrix = _matrix(covariance, encoding.in_dim).to(encoding.frequencies.device)
        frequencies, sizes = encoding.frequencies.detach(), encoding.amplitudes.detach()
        left = attenuation(frequencies.double(), matrix, is_diagonal=False)
        super().__init__(
            frequencies.clone(),
            (sizes.double() * left).to(sizes),
            include_input=encoding.include_input,
            order=encoding.order,
        )


def _matrix(covariance: object, d: int) -> Tensor:
    """The covariance as a matrix `[d, d]`, float64.

    Raises:
        ValueError: It has another shape, or is not positive semi-definite.
    """
    if isinstance(covariance, Tensor) and covariance.ndim == 2:
        matrix = covariance.double()
    else:
        variances = [non_negative("covariance", v) for v in per_axis(covariance, d)]
        matrix = torch.tensor(variances, dtype=torch.float64).diag()
    if matrix.shape != (d, d):
        raise ValueError(
            f"`covariance` of shape {tuple(matrix.shape)} does not fit an encoding of {d} coordinates. "
            f"Pass one variance, one an axis, or a matrix [{d}, {d}]."
        )
    # 1e-6: rounding of a matrix that was computed in float32.
    size = float(matrix.abs().max()) * 1e-6
    if not torch.allclose(matrix, matrix.T, rtol=0, atol=size) or (
        float(torch.linalg.eigvalsh(matrix)[0]) < -size
    ):
        raise ValueError(
            "`covariance` must be symmetric and positive semi-definite, got a matrix that is not. "
            "Pass `A @ A.T` of the footprint's axes, for example."
        )
    return matrix
