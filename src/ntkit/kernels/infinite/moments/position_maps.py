"""Linear maps of positions that are the same for every channel: pooling, resizing, cropping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from ntkit.kernels.infinite.moments.state import PairState

__all__ = ["PositionMap", "probe"]

_CHANNELS = 6
"""With which a map is probed, to see that it treats each of them alike."""


@dataclass(frozen=True, eq=False)
class PositionMap:
    """A linear map of positions: one matrix an axis, or one for all axes at once.

    Attributes:
        factors: `[out, in]` for each axis; a single `[prod(out), prod(in)]` where the map does
            not separate.
        positions: Sizes of the position axes afterwards.
        moves_channels: Whether the channels come out in another order.
    """

    factors: tuple[Tensor, ...]
    positions: tuple[int, ...]
    moves_channels: bool = False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PositionMap) or self.positions != other.positions:
            return False
        pairs = list(zip(self.factors, other.factors, strict=False))
        same = len(self.factors) == len(other.factors) and all(torch.equal(*pair) for pair in pairs)
        return same and self.moves_channels == other.moves_channels

    def __hash__(self) -> int:
        return hash((self.positions, self.moves_channels, *(f.shape for f in self.factors)))

    @property
    def mixes(self) -> bool:
        """Whether some position afterwards depends on more than one before."""
        return any(bool(((f != 0).sum(1) > 1).any()) for f in self.factors)

    def on_positions(self, table: Tensor, sizes: Sequence[int], end: int) -> Tensor:
        """The map along the position axes, of `sizes`, that end `end` axes before the last."""
        stop = table.ndim - end
        start = stop - len(sizes)
        if len(self.factors) == len(sizes) == len(self.positions):
            for k, factor in enumerate(self.factors):
                table = _along(table, factor, start + k)
            return table
        (factor,) = self.factors
        lead, tail = table.shape[:start], table.shape[stop:]
        flat = _along(table.reshape(*lead, prod(sizes), *tail), factor, start)
        return flat.reshape(*lead, *self.positions, *tail)

    def squared(self) -> "PositionMap":
        """The map of variances where nothing is mixed."""
        return PositionMap(tuple(f**2 for f in self.factors), self.positions)

    def on_both(self, table: Tensor, sizes: Sequence[int]) -> Tensor:
        """The map of a table `[..., *positions, *positions]`, of `sizes`."""
        constants = [f[0, 0] for f in self.factors if len(f) == 1 and bool((f == f[0, 0]).all())]
        if len(constants) == len(self.factors):  # global pooling: one pass
            axes = tuple(range(-2 * len(sizes), 0))
            total = table.sum(axes) * torch.stack(constants).prod().to(table) ** 2
            return total.reshape(*total.shape, *(1,) * (2 * len(self.positions)))
        return self.on_positions(self.on_positions(table, sizes, len(sizes)), sizes, 0)

    def select(self, state: PairState) -> PairState:
        """The state after a map that mixes nothing."""
        sizes, square = state.positions, self.squared()

        def alone(table: Tensor) -> Tensor:
            return square.on_positions(table, sizes, 0)

        if state.layout == "each":
            return state.mapped(alone, alone, alone, self.positions)

        def first(table: Tensor) -> Tensor:
            return square.on_positions(table, sizes, len(sizes))

        def pairs(table: Tensor) -> Tensor:
            return self.on_both(table, sizes)

        return state.mapped(pairs, first, alone, self.positions)


def probe(
    function: Callable[[Tensor], Tensor],
    positions: Sequence[int],
    channel_axis: int,
    *,
    what: str,
) -> tuple[PositionMap, int | None]:
    """The matrix of a linear map of positions, read off its action on unit images.

    Args:
        function: Takes `[batch, ...]` with the channels at `channel_axis`, of any number.
        positions: Sizes of the position axes.
        channel_axis: Where the channels are.
        what: The map's name, for errors.

    Returns:
        The map, and where the channels are afterwards.

    Raises:
        ValueError: The map is not linear, acts across channels, cannot be probed, or keeps gradients from what is before it.
    """
    shape = [*positions]
    shape.insert(channel_axis - 1, 1)
    axis = _channel_axis_after(function, shape, channel_axis)

    def image_to_image(images: Tensor) -> Tensor:
        """`[batch, *positions]` to `[batch, *positions]`."""
        return function(images.unsqueeze(channel_axis)).squeeze(axis)

    noise = torch.randn(
        4, *positions, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    expected = image_to_image(noise)
    if not bool(torch.isfinite(expected).all()):
        raise ValueError(f"{what} makes NaN or infinity of finite units")
    out = tuple(expected.shape[1:])
    moves = _moves_channels(function, image_to_image, positions, (channel_axis, axis), what)
    found = None
    if len(out) == len(positions):
        found = PositionMap(_factors(image_to_image, positions), out)
    if found is None or not _agrees(found, noise, expected):
        total = prod(positions)
        units = torch.eye(total, dtype=torch.float64).reshape(total, *positions)
        found = PositionMap((image_to_image(units).reshape(total, -1).T.contiguous(),), out)
        if not _agrees(found, noise, expected):
            raise ValueError(
                f"{what} is no linear map of positions, so it has no infinite-width rule."
            )
    if not _is_its_derivative(image_to_image, noise, expected):
        raise ValueError(
            f"{what} does not pass gradients on as its values say; `detach` would do that"
        )
    return replace(found, moves_channels=moves), axis


def _is_its_derivative(
    image_to_image: Callable[[Tensor], Tensor], noise: Tensor, expected: Tensor
) -> bool:
    """Whether the derivative of a linear map is the map itself: `<A^T c, v> = <c, A v>`."""
    draw = torch.Generator().manual_seed(2)
    weights = torch.randn(expected.shape, dtype=torch.float64, generator=draw)
    with torch.enable_grad():
        images = torch.randn(noise.shape, dtype=torch.float64, generator=draw).requires_grad_()
        found = image_to_image(images * 1)  # not a leaf: it may be written into
        if not found.requires_grad:
            return False
        (gradient,) = torch.autograd.grad(found, images, weights)
    scale = weights.norm() * expected.norm()
    return bool(((gradient * noise).sum() - (weights * expected).sum()).abs() <= 1e-10 * scale)


def _moves_channels(
    function: Callable[[Tensor], Tensor],
    image_to_image: Callable[[Tensor], Tensor],
    shape: Sequence[int],
    axes: tuple[int, int],
    what: str,
) -> bool:
    """Whether several channels come out in another order (flips and rolls along them do so).

    Raises:
        ValueError: They are mixed.
    """
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, _CHANNELS, *shape, dtype=torch.float64, generator=generator)
    found = function(images.movedim(1, axes[0])).movedim(axes[1], 1)
    kept = torch.stack([image_to_image(images[:, c]) for c in range(_CHANNELS)], 1)
    if found.shape == kept.shape and torch.allclose(found, kept, rtol=1e-12, atol=1e-12):
        return False
    if found.shape == kept.shape:
        one, other = (z.transpose(0, 1).flatten(1) for z in (found, kept))
        same = torch.cdist(one, other) < 1e-9
        if bool((same.sum(0) == 1).all()) and bool((same.sum(1) == 1).all()):
            return True
    raise ValueError(f"{what} mixes channels")


def _factors(
    image_to_image: Callable[[Tensor], Tensor], positions: Sequence[int]
) -> tuple[Tensor, ...]:
    """A matrix an axis, if the map separates: its action on images that vary along that axis alone.

    Read where the image of a constant is largest, `peak`; each factor then has the others' sums in
    it, `peak^(d - 1)` in all.
    """
    constant = image_to_image(torch.ones(1, *positions, dtype=torch.float64))[0]
    place = torch.unravel_index(constant.abs().argmax(), constant.shape)
    peak = constant[place]
    factors = []
    for axis, size in enumerate(positions):
        shape = [1] * len(positions)
        shape[axis] = size
        units = torch.eye(size, dtype=torch.float64).reshape(size, *shape)
        image = image_to_image(units.expand(size, *positions).contiguous())
        for k in reversed(range(len(positions))):
            if k != axis:
                image = image.select(k + 1, int(place[k]))
        factors.append(image.T.contiguous())
    if peak != 0:
        factors[0] = factors[0] / peak ** (len(positions) - 1)
    return tuple(factors)


def _channel_axis_after(
    function: Callable[[Tensor], Tensor], shape: list[int], channel_axis: int
) -> int:
    """The axis whose size follows the number of channels.

    Raises:
        ValueError: There is none.
    """
    sizes = []
    for channels in (2, 3):
        wide = list(shape)
        wide[channel_axis - 1] = channels
        sizes.append(function(torch.zeros(1, *wide, dtype=torch.float64)).shape)
    if len(sizes[0]) == len(sizes[1]):
        changed = [k for k, (a, b) in enumerate(zip(*sizes, strict=True)) if a != b]
        if len(changed) == 1 and sizes[0][changed[0]] == 2:
            return changed[0]
    raise ValueError("the channels do not go through one by one")


def _agrees(map_: PositionMap, images: Tensor, expected: Tensor) -> bool:
    found = map_.on_positions(images, images.shape[1:], 0)
    return found.shape == expected.shape and bool(
        torch.allclose(found, expected, rtol=1e-12, atol=1e-12)
    )


def _along(table: Tensor, factor: Tensor, axis: int) -> Tensor:
    """`factor` applied along one axis."""
    return (table.movedim(axis, -1) @ factor.to(table).T).movedim(-1, axis)
