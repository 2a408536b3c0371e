"""From the cosines of a tile to its kernels, by one polynomial: operation by operation, in compiled loops, or fused."""

from math import pi
from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.infinite.back.angle import AnglePolynomial, AngleProfile
from ntkit.kernels.infinite.back.fused import Fused, is_worth_fusing
from ntkit.kernels.infinite.loops.available import loops_for, mirror

__all__ = ["PlainTiles", "tiles_for"]

Lengths = tuple[Tensor, Tensor]
"""What rows and columns are multiplied by."""

_ON_A_CARD = (2**15, 2**15)
"""Rows and columns of a tile on a GPU: what the budget holds, which is 5,792 each in float32 by default."""


def tiles_for(profile: AngleProfile, scales: Lengths | None, out: Tensor) -> "PlainTiles":
    """The quickest way for that matrix."""
    loops = loops_for(out.numel(), out) if out.is_contiguous() else None
    if loops is not None:
        return LoopedTiles(profile, scales, out, loops)
    if is_worth_fusing(out) and profile.by_angle.coefficients is not None:
        return FusedTiles(profile, scales, out)
    return PlainTiles(profile, scales, out)


class PlainTiles:
    """Fills tiles of a matrix, one pass over memory a power; the oracle of `LoopedTiles` and `FusedTiles`."""

    tile = (256, 1024)
    """Rows and columns: two tiles stay in the cache, and the products run at full speed. Flat,
    because of a tile on the diagonal up to half of `rows^2` entries are computed twice."""

    def __init__(self, profile: AngleProfile, scales: Lengths | None, out: Tensor) -> None:
        self.profile, self.scales, self.out = profile, scales, out
        if out.device.type != "cpu":
            self.tile = _ON_A_CARD

    def tile_at(
        self, corner: tuple[int, int], cosine: Tensor, largest: float, scratch: Tensor
    ) -> None:
        """The profile at the cosines, which are overwritten; close pairs come later."""
        i, j = corner
        here = self.out[i : i + cosine.shape[0], j : j + cosine.shape[1]]
        polynomial = self.profile.at_reach(largest)
        if polynomial is None:
            polynomial = self.profile.by_angle
            cosine.clamp_(-1, 1).acos_()
        _horner(polynomial, cosine, scratch, here)
        if self.scales is not None:
            here *= self.scales[0][i : i + len(here), None]
            here *= self.scales[1][None, j : j + here.shape[1]]

    def mirror(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """Copy a part of the upper triangle to its place below the diagonal."""
        above = self.out[slice(*rows), slice(*columns)]
        self.out[slice(*columns), slice(*rows)] = above.T

    def mirror_within(self, start: int, stop: int) -> None:
        """The same within a block on the diagonal."""
        block = self.out[start:stop, start:stop]
        block.copy_(block.triu() + block.triu(1).T)


class LoopedTiles(PlainTiles):
    """The same by compiled loops, an entry at a time."""

    tile = (256, 2048)

    def __init__(
        self, profile: AngleProfile, scales: Lengths | None, out: Tensor, loops: Any
    ) -> None:
        super().__init__(profile, scales, out)
        self.loops, self.matrix = loops, out.numpy()
        n, m = out.shape
        left, right = (out.new_ones(n), out.new_ones(m)) if self.scales is None else self.scales
        self.lengths = left.numpy(), right.numpy()
        self.known: dict[int, tuple[Any, ...] | None] = {}

    def tile_at(
        self, corner: tuple[int, int], cosine: Tensor, largest: float, scratch: Tensor
    ) -> None:
        """The profile at the cosines."""
        polynomial = self.profile.at_reach(largest)
        if polynomial is None:
            polynomial = self.profile.by_angle
        if id(polynomial) not in self.known:
            self.known[id(polynomial)] = self._prepared(polynomial)
        found = self.known[id(polynomial)]
        if found is None:
            super().tile_at(corner, cosine, largest, scratch)
            return
        loop, coefficients, constants = found
        loop(cosine.numpy(), coefficients, constants, *self.lengths, self.matrix, *corner)

    def mirror(self, rows: tuple[int, int], columns: tuple[int, int]) -> None:
        """By blocks."""
        mirror(self.matrix, rows, columns)

    def mirror_within(self, start: int, stop: int) -> None:
        """By blocks: what is below the diagonal is overwritten before it is copied back."""
        mirror(self.matrix, (start, stop), (start, stop))

    def _prepared(self, polynomial: AnglePolynomial) -> tuple[Any, ...] | None:
        """The loop of a degree, its coefficients and constants; None where there is none."""
        coefficients = polynomial.coefficients
        if coefficients is None:
            return None
        degree = len(coefficients) - 1
        fitting = [known for known in self.loops.DEGREES if known >= degree]
        if not fitting:
            return None
        padded = self.out.new_zeros(fitting[0] + 1)
        padded[fitting[0] - degree :] = coefficients[:, 0]
        loop = self.loops.profile(fitting[0], polynomial is self.profile.by_angle)
        constants = self.out.new_tensor([polynomial.centre, 1.0, pi / 2])
        return loop, padded.numpy(), constants.numpy()


class FusedTiles(PlainTiles):
    """The same in one pass that torch compiles: always by the angle, which holds for every cosine."""

    def __init__(self, profile: AngleProfile, scales: Lengths | None, out: Tensor) -> None:
        super().__init__(profile, scales, out)
        coefficients = profile.by_angle.coefficients
        assert coefficients is not None
        self.coefficients = coefficients[:, 0].to(out).unbind()
        n, m = out.shape
        self.lengths = (out.new_ones(n), out.new_ones(m)) if scales is None else scales

    def tile_at(
        self, corner: tuple[int, int], cosine: Tensor, largest: float, scratch: Tensor
    ) -> None:
        """The profile at the cosines."""
        (i, j), (height, width) = corner, cosine.shape
        here = self.out[i : i + height, j : j + width]
        left, right = self.lengths[0][i : i + height], self.lengths[1][j : j + width]
        _BY_ANGLE(cosine, here, left, right, *self.coefficients)


def _by_angle(
    cosine: Tensor, out: Tensor, left: Tensor, right: Tensor, *coefficients: Tensor
) -> None:
    """A polynomial of `angle - pi / 2`, the highest power first, times the lengths."""
    x = cosine.clamp(-1, 1).acos() - pi / 2
    total = coefficients[0] * x + coefficients[1]
    for value in coefficients[2:]:
        total = total * x + value
    out.copy_(total * left[:, None] * right)


_BY_ANGLE = Fused(_by_angle)


def _horner(polynomial: AnglePolynomial, x: Tensor, scratch: Tensor, out: Tensor) -> None:
    """The polynomial at `x`, which is overwritten; one pass over the tile a power."""
    coefficients = polynomial.coefficients
    if coefficients is None:
        out.copy_(polynomial(x))
        return
    if polynomial.centre:
        x.sub_(polynomial.centre)
    values = list(coefficients[:, 0].to(x))
    torch.add(values[1], x, alpha=float(values[0]), out=scratch)
    for value in values[2:-1]:
        torch.addcmul(value, scratch, x, out=scratch)
    torch.addcmul(values[-1], scratch, x, out=out)
