"""The eigenvectors of a Gram matrix, stored or known: how a target is split over them."""

from abc import ABC, abstractmethod
from math import prod, sqrt

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["AbstractBasis", "FourierBasis", "StoredBasis"]


class AbstractBasis(ABC):
    """Orthonormal vectors on `n` points."""

    @abstractmethod
    def coefficients(self, y: Float[Tensor, "n o"]) -> Float[Tensor, "k o"]:
        """Dot products of `y` with each vector."""

    @abstractmethod
    def columns(self, count: int) -> Float[Tensor, "n q"]:
        """The first `count` vectors, as columns."""


class StoredBasis(AbstractBasis):
    """Vectors that are stored.

    Args:
        vectors: `[n, k]`, orthonormal columns.
    """

    def __init__(self, vectors: Float[Tensor, "n k"]) -> None:
        self._vectors = vectors

    def coefficients(self, y: Float[Tensor, "n o"]) -> Float[Tensor, "k o"]:
        """One matrix product."""
        return self._vectors.T @ y

    def columns(self, count: int) -> Float[Tensor, "n q"]:
        """The first columns."""
        return self._vectors[:, :count]


class FourierBasis(AbstractBasis):
    """Cosines and sines of whole cycles on a grid: one vector a wave vector, never stored.

    Of a wave vector and its opposite, the first in row-major order stands for `sqrt(2/n) cos(2 pi k.x)`
    and the other for the sine; one that is its own opposite for `sqrt(1/n) cos(2 pi k.x)`.

    Args:
        shape: Samples an axis.
        order: Flat indices into the table of wave vectors, `fftfreq(n) * n` an axis.
    """

    def __init__(self, shape: tuple[int, ...], order: Int[Tensor, " k"]) -> None:
        self._shape, self._order = shape, order
        flat = torch.arange(prod(shape), device=order.device).reshape(shape)
        axes = list(range(len(shape)))
        opposite = flat.flip(axes).roll([1] * len(shape), axes).flatten()
        flat = flat.flatten()
        self._is_sine = (opposite < flat)[order]
        self._scale = (1 + (opposite != flat).double()).sqrt()[order]

    @property
    def wave_vectors(self) -> Float[Tensor, "k d"]:
        """Cycles over the grid's period along each axis, signed."""
        axes = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64) for n in self._shape]
        table = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
        return table.to(self._order.device)[self._order]

    def coefficients(self, y: Float[Tensor, "n o"]) -> Float[Tensor, "k o"]:
        """One FFT."""
        axes = list(range(len(self._shape)))
        waves = torch.fft.fftn(y.reshape(*self._shape, -1), dim=axes, norm="ortho")
        waves = waves.flatten(0, -2)[self._order]
        # A sine of the opposite wave vector: the imaginary part with its sign turned twice.
        parts = torch.where(self._is_sine[:, None], waves.imag, waves.real)
        return self._scale[:, None] * parts

    def columns(self, count: int) -> Float[Tensor, "n q"]:
        """The first waves, written out."""
        axes = [torch.arange(n, dtype=torch.float64) / n for n in self._shape]
        points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flatten(0, -2)
        phase = 2 * torch.pi * (points.to(self._order.device) @ self.wave_vectors[:count].T)
        waves = torch.where(self._is_sine[:count], -phase.sin(), phase.cos())
        return self._scale[:count] * waves / sqrt(len(points))
