"""The multi-resolution hash grid of Instant-NGP: features that are trained, looked up and interpolated."""

from collections.abc import Callable, Sequence
from math import floor
from typing import Literal

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor, nn
from torch.nn import functional

from ntkit._core.checks import number, positive_int, random_source
from ntkit.encodings.base import AbstractEncoding

__all__ = ["HashGrid"]

_PRIMES = (1, 2654435761, 805459861, 3674653429)
"""Of Mueller et al. 2022 (arXiv:2201.05989), eq. 4; the fourth is that of their code, tiny-cuda-nn."""

_HIGHEST = 2**30  # vertices an axis: products with the primes stay in 64 bits


class HashGrid(AbstractEncoding):
    """Features at the vertices of grids from coarse to fine, trained, and interpolated between.

    Level `k` has `s = base_resolution * per_level_scale^k - 1` cells a unit of each coordinate, half a cell
    shifted against the origin: a point lies in cell `floor(s x + 1/2)`, and its features are the
    mean of those of the `2^d` corners, weighted by `prod_i (w_i or 1 - w_i)`, `w` the place in the cell
    (linear) or `w^2 (3 - 2 w)` of it (smoothstep: the derivative is continuous as well). A level whose
    vertices fit has an entry for each, exactly; a finer one shares `2^log2_hashmap_size` entries by
    the hash `xor_i (vertex_i * prime_i)`. Places are computed in float64: at half a million cells a
    unit, float32 would be off by 3 % of a cell.

    Coordinates are [0, 1]; points outside have the features of the nearest point of the cube. The
    names of the options, the levels, the shift and the hash are tiny-cuda-nn's; its dense levels
    have one vertex less an axis and wrap round in the last half cell, so tables cannot be exchanged.

    The features are trained, so that no infinite-width kernel foresees a network on top: take
    `empirical_ntk`. By itself it is a linear model of its tables.

    Args:
        in_dim: Number of coordinates `d`, 1 to 4.
        n_levels: Grids; the output has `n_levels * n_features_per_level` features, coarse first.
        n_features_per_level: Numbers an entry.
        log2_hashmap_size: Logarithm of the largest number of entries of a level; 1 to 30.
        base_resolution: Resolution of the coarsest level, in cells a unit plus 1; at least 1.
        per_level_scale: Resolution of a level over that of the one before, at least 1.
        interpolation: "linear" or "smoothstep".
        generator: Source of the first entries, uniform in `[-1e-4, 1e-4]`.

    Raises:
        ValueError: An option is outside of its range, or the finest level is beyond 2^30 vertices.

    Attributes:
        tables: `[entries, n_features_per_level]`, a parameter: level after level; in dense ones the
            first coordinate runs fastest.
        n_vertices: Vertices an axis of each level.
        n_dense: Levels without hash; they come first.

    Source: Müller, Evans, Schied and Keller 2022 (arXiv:2201.05989), section 3, eq. 2 to 4, and appendix A.

    Cost: `n * n_levels * 2^d` look-ups; as many times `n_features_per_level + 1` numbers of memory.

    Example:
        >>> import torch
        >>> encoding = HashGrid(2, n_levels=4, log2_hashmap_size=10)
        >>> encoding.n_vertices, encoding.n_dense
        ((17, 33, 65, 129), 1)
        >>> encoding(torch.rand(5, 2)).shape
        torch.Size([5, 8])
    """

    is_fixed = False
    strides: Tensor
    offsets: Tensor
    primes: Tensor
    last_cell: Tensor

    def __init__(
        self,
        in_dim: int,
        n_levels: int = 16,
        n_features_per_level: int = 2,
        log2_hashmap_size: int = 19,
        base_resolution: int = 16,
        per_level_scale: float = 2.0,
        interpolation: Literal["linear", "smoothstep"] = "linear",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.in_dim: int = positive_int("in_dim", in_dim)
        self.n_levels: int = positive_int("n_levels", n_levels)
        self.n_features_per_level: int = positive_int("n_features_per_level", n_features_per_level)
        self.log2_hashmap_size: int = positive_int("log2_hashmap_size", log2_hashmap_size)
        self.base_resolution: int = positive_int("base_resolution", base_resolution)
        self.per_level_scale: float = number("per_level_scale", per_level_scale)
        self.interpolation = interpolation
        self._check()
        self.out_dim: int = self.n_levels * self.n_features_per_level
        # One vertex beyond the cell of the last point, s * 1 + 1/2.
        scales = [self.base_resolution * self.per_level_scale**k - 1 for k in range(self.n_levels)]
        self.n_vertices: tuple[int, ...] = tuple(floor(s + 0.5) + 2 for s in scales)
        if self.n_vertices[-1] > _HIGHEST:
            raise ValueError(
                f"`n_levels={n_levels}` with `per_level_scale={per_level_scale}` ends at "
                f"{self.n_vertices[-1]} vertices an axis, and at most 2^30 are possible. Take fewer."
            )
        most = 2**self.log2_hashmap_size
        sizes = [min(n**self.in_dim, most) for n in self.n_vertices]
        self.n_dense: int = sum(n**self.in_dim <= most for n in self.n_vertices)
        dense = [[n**i for i in range(self.in_dim)] for n in self.n_vertices[: self.n_dense]]
        ends = torch.tensor(sizes).cumsum(0)
        self.register_buffer("offsets", ends - torch.tensor(sizes), persistent=False)
        strides = torch.tensor(dense, dtype=torch.int64).reshape(self.n_dense, self.in_dim)
        self.register_buffer("strides", strides, persistent=False)
        self.register_buffer("primes", torch.tensor(_PRIMES[: self.in_dim]), persistent=False)
        self.register_buffer("last_cell", torch.tensor(self.n_vertices) - 2, persistent=False)
        start = torch.rand(
            int(ends[-1]), self.n_features_per_level, generator=random_source(generator)
        )
        self.tables: nn.Parameter = nn.Parameter(1e-4 * (2 * start - 1))

    @property
    def is_stationary(self) -> bool:
        """False: features are whatever was learned at a place."""
        return False

    def forward(self, x: Real[Tensor, "*batch d"]) -> Float[Tensor, "*batch f"]:
        """The interpolated features of each level, coarse first; in the dtype of `x`."""
        self.check_input(x)
        if not x.is_floating_point():
            x = x.to(self.tables.dtype)
        levels = torch.arange(self.n_levels, dtype=torch.float64, device=x.device)
        scale = self.base_resolution * self.per_level_scale**levels - 1
        place = x.double().clamp(0, 1)[..., None, :] * scale[:, None] + 0.5  # [..., levels, d]
        # A NaN has no cell: whatever it becomes is brought to one, and it comes back in the weights.
        cell = torch.minimum(place.detach().long().clamp_min(0), self.last_cell[:, None])
        within = place - cell
        if self.interpolation == "smoothstep":
            within = within * within * (3 - 2 * within)
        entries = functional.embedding(self._entries(cell), self.tables).to(x)
        sides = torch.stack([1 - within, within], -1)
        weights = _corners(sides.unbind(-2), torch.mul).to(x)  # [..., levels, corners]
        return (weights[..., None] * entries).sum(-2).flatten(-2)

    def extra_repr(self) -> str:
        """Sizes, for `repr`."""
        return (
            f"in_dim={self.in_dim}, out_dim={self.out_dim}, vertices={self.n_vertices[0]} to "
            f"{self.n_vertices[-1]}, entries={len(self.tables)}, {self.interpolation}"
        )

    def _entries(self, cell: Int[Tensor, "*batch l d"]) -> Int[Tensor, "*batch l c"]:
        """Which rows of `tables` are at the corners of a cell of each level."""
        sides = torch.stack([cell, cell + 1], -1)  # [..., levels, d, 2]
        k = self.n_dense
        dense = (sides[..., :k, :, :] * self.strides[..., None]).unbind(-2)
        hashed = (sides[..., k:, :, :] * self.primes[:, None]).unbind(-2)
        low = 2**self.log2_hashmap_size - 1
        rows = [_corners(dense, torch.add), _corners(hashed, torch.bitwise_xor) & low]
        return torch.cat(rows, -2) + self.offsets[:, None]

    def _check(self) -> None:
        """Refuse options outside of their range.

        Raises:
            ValueError: One is.
        """
        if self.in_dim > len(_PRIMES):
            raise ValueError(
                f"`in_dim={self.in_dim}` must be 1 to {len(_PRIMES)}: a cell has 2^d corners."
            )
        if self.log2_hashmap_size > 30:
            raise ValueError(f"`log2_hashmap_size={self.log2_hashmap_size}` must be 1 to 30.")
        if not 1 <= self.per_level_scale < float("inf"):
            raise ValueError(
                f"`per_level_scale={self.per_level_scale}` must be a finite number of at least 1."
            )
        if self.interpolation not in {"linear", "smoothstep"}:
            raise ValueError(
                f'`interpolation={self.interpolation!r}` must be "linear" or "smoothstep".'
            )


def _corners(sides: Sequence[Tensor], join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """For each corner, what its sides along the axes, `[..., 2]` each, join to; the last axis runs fastest."""
    found = sides[0]
    for side in sides[1:]:
        found = join(found[..., None], side[..., None, :]).flatten(-2)
    return found
