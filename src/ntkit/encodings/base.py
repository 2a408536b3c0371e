"""What an encoding is: a module from coordinates to features."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from math import pi

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor, nn

from ntkit._core.checks import kind_of

__all__ = ["AbstractEncoding", "AbstractFourier", "checked_encoding"]


class AbstractEncoding(nn.Module, ABC):
    """A module `[..., in_dim] -> [..., out_dim]`; most have no trained parameters.

    Attributes:
        in_dim: Number of coordinates.
        out_dim: Number of features.
        is_fixed: Whether a point has the same features throughout a training, which may then compute
            them once: no parameters, and nothing that is changed on the way.

    Example:
        >>> import ntkit, torch
        >>> encoding = ntkit.encodings.Basic(2)
        >>> isinstance(encoding, AbstractEncoding), encoding.in_dim, encoding.out_dim
        (True, 2, 4)
    """

    in_dim: int
    out_dim: int
    is_fixed: bool = True

    @property
    @abstractmethod
    def is_stationary(self) -> bool:
        """Whether dot products of features depend on the difference of the points alone."""

    def check_input(self, x: Tensor) -> None:
        """Refuse points whose last axis is not `in_dim` long.

        Raises:
            ValueError: The last axis of `x` has another length.
        """
        if x.ndim == 0 or x.shape[-1] != self.in_dim:
            raise ValueError(
                f"`{type(self).__name__}(in_dim={self.in_dim})` needs points [..., {self.in_dim}], "
                f"got shape {tuple(x.shape)}. For scalars add an axis: `x[:, None]`."
            )


class AbstractFourier(AbstractEncoding):
    """Fourier features `a_j cos(2 pi b_j.x)` (first half), `a_j sin(2 pi b_j.x)` (second half).

    The output norm is constant, so every dot-product kernel on top is stationary (unless the raw
    coordinates are put in front). Points of whole numbers are taken in the dtype of the frequencies.

    Attributes:
        frequencies: `[m, d]`, cycles per unit of coordinate.
        amplitudes: `[m]`.
        include_input: Whether the raw coordinates stand before the waves.
        order: `[2 m]`, which of the cosines (`0..m-1`) and sines (`m..2m-1`) each wave of the output
            is; None for the order above. No dot product depends on it.

    Example:
        >>> import ntkit
        >>> encoding = ntkit.encodings.Basic(2)
        >>> isinstance(encoding, AbstractFourier), encoding.frequencies.tolist()
        (True, [[1.0, 0.0], [0.0, 1.0]])
    """

    frequencies: Tensor
    amplitudes: Tensor
    order: Tensor | None

    def __init__(
        self,
        frequencies: Float[Tensor, "m d"],
        amplitudes: Float[Tensor, " m"] | None = None,
        *,
        include_input: bool = False,
        order: Int[Tensor, " 2*m"] | None = None,
    ) -> None:
        super().__init__()
        if amplitudes is None:
            amplitudes = torch.ones_like(frequencies[:, 0])
        self.register_buffer("frequencies", frequencies)
        self.register_buffer("amplitudes", amplitudes)
        self.register_buffer("order", order, persistent=False)  # follows from the class's options
        self.in_dim: int = frequencies.shape[1]
        self.out_dim: int = 2 * frequencies.shape[0] + (self.in_dim if include_input else 0)
        self.include_input = include_input

    @property
    def is_stationary(self) -> bool:
        """Whether the dot product of features is `sum a^2 cos(2 pi b.(x - x'))` and no more."""
        return not self.include_input

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The features of `x`: coordinates (if included), cosines, sines."""
        return self.weighted(x, None)

    def weighted(
        self, x: Real[Tensor, "*batch d"], weights: Float[Tensor, "*#batch m"] | None
    ) -> Float[Tensor, "*batch f"]:
        """The features of `x`, frequency `j` times `weights[..., j]`: `[m]` for all points, or a row each."""
        x = self._points(x)
        phase = 2 * pi * (x @ self.frequencies.to(x).T)
        sizes = self.amplitudes.to(x)
        if weights is not None:
            sizes = sizes * weights
        waves = torch.cat([sizes * phase.cos(), sizes * phase.sin()], -1)
        if self.order is not None:
            waves = waves.index_select(-1, self.order)
        return torch.cat([x, waves], -1) if self.include_input else waves

    def correlation(self, delta: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch"]:
        """Cosine of the angle between the features of two points `delta` apart, in [-1, 1].

        `rho(delta) = sum a_j^2 cos(2 pi b_j.delta) / sum a_j^2`.
        """
        delta = self._points(delta)
        power = self.amplitudes.to(delta) ** 2
        phase = 2 * pi * (delta @ self.frequencies.to(delta).T)
        return phase.cos() @ (power / power.sum())

    @property
    def energy(self) -> float:
        """`sum a_j^2`, the squared norm of the features of any point."""
        return float((self.amplitudes.double() ** 2).sum())

    def gap_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """Squared distance of features at every lag of a grid, `[L_1, ..., L_d]`, float64.

        `sum a_j^2 2 (1 - cos 2 pi b_j.delta)`, from one matrix product: the cosine of a sum
        separates into a leading axis group and the last axis,
        `1 - cos(p + q) = (1 - cos p) + cos p (1 - cos q) + sin p sin q`,
        and no term cancels as the lag goes to zero.

        Args:
            lags: One 1-D tensor of lags (in units of the coordinates) an axis.

        Cost: `prod(L) * 2 m` multiply-adds, `prod(L[:-1]) * m` cosines.
        """
        frequencies, power = self.frequencies.double(), self.amplitudes.double() ** 2
        axes = [lag.to(frequencies) for lag in lags]
        if len(axes) == 1:
            lead = torch.zeros(1, 0, dtype=torch.float64, device=power.device)
        else:
            lead = torch.stack(torch.meshgrid(*axes[:-1], indexing="ij"), -1).flatten(0, -2)
        p = 2 * pi * (lead @ frequencies[:, :-1].T)  # [prod L[:-1], m]
        q = 2 * pi * (axes[-1][:, None] * frequencies[:, -1])  # [L_d, m]
        left = torch.cat([p.cos() * power, p.sin() * power], 1)
        right = torch.cat([2 * (q / 2).sin() ** 2, q.sin()], 1)
        table = left @ right.T + ((2 * (p / 2).sin() ** 2) @ power)[:, None]
        return (2 * table).clamp_min(0).reshape([len(axis) for axis in axes])

    def _points(self, x: Tensor) -> Tensor:
        """`x`, checked; whole numbers in the dtype of the frequencies, which they would cut to whole ones."""
        self.check_input(x)
        return x if x.is_floating_point() else x.to(self.frequencies.dtype)

    def extra_repr(self) -> str:
        """Sizes, and a word when not stationary."""
        note = ", include_input=True: not stationary" if self.include_input else ""
        return f"in_dim={self.in_dim}, out_dim={self.out_dim}{note}"


def checked_encoding(name: str, value: AbstractEncoding) -> AbstractEncoding:
    """`value`, refused unless it is a module that says how many features it gives.

    Raises:
        TypeError: It is something else, or the class of an encoding.
    """
    if not isinstance(value, nn.Module) or not isinstance(getattr(value, "out_dim", None), int):
        raise TypeError(
            f"`{name}` must be an encoding, with `in_dim` and `out_dim`, got {kind_of(value)}. For raw "
            "coordinates pass `ntkit.encodings.Identity(n)`."
        )
    return value
