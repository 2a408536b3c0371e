"""Families of networks to choose from: how each is built at a bandwidth, at full size and as a scale model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import log2

import torch
from torch import nn

from ntkit._core.checks import kind_of, positive, positive_int, replace_fields
from ntkit.encodings.gaussian import Gaussian
from ntkit.networks.finer import finer
from ntkit.networks.hash_mlp import hash_mlp
from ntkit.networks.mlp import mlp
from ntkit.networks.siren import siren
from ntkit.networks.wire_scale import wire_at

__all__ = ["FAMILIES", "Family", "Sizes", "width_for"]

_USUAL = (12_000, 144, 64)
"""Samples an axis of the signals that the constants are of: pieces of a photo and of recordings of speech and a
piano, 1,000 steps, judged between the samples; those of volumes by analogy."""

_UNITS = 100
"""Of a layer, about those of the networks that the rates of waves are measured with."""

_ENTRIES = 1 / 4
"""Entries of a table over the square of the width: 2^14 beside 256 units."""

_COARSEST = 16.0
"""Cells a unit of the coarsest grid of the whole signal."""


@dataclass(frozen=True)
class Sizes:
    """What a network of any family is asked to be, and by how much it is smaller as a scale model.

    Attributes:
        in_dim: Coordinates, `d`.
        out_dim: Outputs.
        bandwidth: Cycles per unit of the whole signal, in the sense of the family.
        width: Units of each hidden layer, at full size.
        depth: Hidden layers.
        factor: The model's width is smaller by this, and what grows as the parameters do by its square.
        crop: The model's unit cube is a piece of the signal that is shorter by this along each axis, so
            that its bandwidth is smaller by it.
    """

    in_dim: int
    out_dim: int
    bandwidth: float
    width: int = 256
    depth: int = 4
    factor: float = 1.0
    crop: float = 1.0

    def __post_init__(self) -> None:
        replace_fields(
            self,
            in_dim=positive_int("in_dim", self.in_dim),
            out_dim=positive_int("out_dim", self.out_dim),
            bandwidth=positive("bandwidth", self.bandwidth),
            width=positive_int("width", self.width),
            depth=positive_int("depth", self.depth),
            factor=positive("factor", self.factor),
            crop=positive("crop", self.crop),
        )

    @property
    def own_width(self) -> int:
        """Of the model."""
        return max(1, round(self.width / self.factor))

    @property
    def own_bandwidth(self) -> float:
        """Of the model, cycles per unit of its piece."""
        return self.bandwidth / self.crop


Make = Callable[[Sizes, torch.Generator | None], nn.Module]


@dataclass(frozen=True)
class Family:
    """A kind of network whose first layer, or encoding, has a bandwidth.

    Attributes:
        name: What `FAMILIES` and the command line call it.
        make: The network of a shape.
        lr: Usual learning rate of Adam; of networks of waves that of 100 units a layer.
        is_of_waves: Whether its units are waves, whose phases a step turns: see `rate` and `falling`.
        constants: Usual bandwidth by the number of coordinates, from one on; the last for all beyond.
        span: Least and largest bandwidth worth a trial, as multiples of the usual one.
        guided: Whether the kernel of infinite width tells the bandwidths of the family apart.
        meaning: What a bandwidth is, in words.
    """

    name: str
    make: Make
    lr: float
    is_of_waves: bool
    constants: tuple[float, ...]
    span: tuple[float, float]
    guided: bool
    meaning: str

    def rate(self, width: int) -> float:
        """Usual learning rate of Adam for so many units a layer.

        Of networks of waves it is in proportion to `width^-1/2`. A step turns the phases of a layer by the sum of what it
        does to all weights of a unit, which is the more the wider the layer before is; measured on sounds, trainings collapse at
        rates from 1.5e-3 (22 units) over 8e-4 (90) to 4e-4 (206).
        """
        return (
            self.lr * (_UNITS / positive_int("width", width)) ** 0.5
            if self.is_of_waves
            else self.lr
        )

    @property
    def falling(self) -> float:
        """Share of the steps, the last ones, over which the rate falls to 0.

        Steps of one rate shake networks of waves: by the fall they gain up to 20 dB on sounds; networks on features, whose
        averaged weights are as good, gain nothing.
        """
        return 0.5 if self.is_of_waves else 0.0

    def build(
        self,
        in_dim: int,
        out_dim: int,
        *,
        bandwidth: float,
        width: int = 256,
        depth: int = 4,
        generator: torch.Generator | None = None,
    ) -> nn.Module:
        """The network at full size.

        Args:
            in_dim: Coordinates.
            out_dim: Outputs.
            bandwidth: Cycles per unit.
            width: Units of each hidden layer.
            depth: Hidden layers.
            generator: Source of the initial weights.
        """
        return self.make(Sizes(in_dim, out_dim, bandwidth, width, depth), generator)

    def scaled(
        self,
        in_dim: int,
        out_dim: int,
        *,
        bandwidth: float,
        width: int = 256,
        depth: int = 4,
        factor: float,
        crop: float | None = None,
        generator: torch.Generator | None = None,
    ) -> nn.Module:
        """A scale model of the network, for a piece of the signal as the unit cube.

        Args:
            in_dim: Coordinates.
            out_dim: Outputs.
            bandwidth: Of the full network, cycles per unit of the whole signal.
            width: Of the full network.
            depth: Of both.
            factor: Width is smaller by this; parameters, and what stands for them, by its square.
            crop: By how much the piece is shorter along each axis; `factor^(2 / d)` if left out, so that
                it has as much less of the samples as the network has of the parameters. 1 where the
                model sees the whole domain.
            generator: Source of the initial weights.
        """
        shape = Sizes(in_dim, out_dim, bandwidth, width, depth, factor)
        shrunk = shape.factor ** (2 / shape.in_dim) if crop is None else crop
        return self.make(replace(shape, crop=shrunk), generator)

    def usual_bandwidth(self, in_dim: int, samples: float | None = None) -> float:
        """The constant that does well without any choice, cycles per unit.

        Args:
            in_dim: Coordinates.
            samples: Samples an axis, to which the bandwidth is then proportional; left out, it is that of
                12,000 (a sound), 144 (a side of a picture) or 64 (of a volume).
        """
        place = min(positive_int("in_dim", in_dim), len(self.constants)) - 1
        usual = self.constants[place]
        return usual if samples is None else usual * positive("samples", samples) / _USUAL[place]

    def ladder(self, in_dim: int, n: int = 5) -> tuple[float, ...]:
        """`n` bandwidths to try, evenly spaced in their logarithm, the usual one among them where `n` is odd.

        Args:
            in_dim: Coordinates.
            n: How many.
        """
        n, usual = positive_int("n", n), self.usual_bandwidth(in_dim)
        if n == 1:
            return (usual,)
        low, high = self.span
        half = (n - 1) / 2
        places = [(k - half) / half for k in range(n)]
        return tuple(usual * (high**p if p > 0 else low**-p) for p in places)


def width_for(
    parameters: int, family: Family, in_dim: int, out_dim: int, *, bandwidth: float, depth: int = 4
) -> int:
    """The width at which a network of the family has as many trained numbers, to the nearest unit.

    Args:
        parameters: How many.
        family: One of `FAMILIES`.
        in_dim: Coordinates.
        out_dim: Outputs.
        bandwidth: Cycles per unit; the tables of a hash grid depend on it.
        depth: Hidden layers.

    Raises:
        TypeError: `family` is none.
        ValueError: The narrowest network has more.

    Example:
        >>> width_for(50_000, FAMILIES["siren"], 2, 3, bandwidth=5.0)
        128
    """
    wanted = positive_int("parameters", parameters)
    if not isinstance(family, Family):
        raise TypeError(
            f'`family` must be an entry of `FAMILIES`, such as `FAMILIES["siren"]`, got {kind_of(family)}.'
        )

    def count(width: int) -> int:
        local = torch.Generator().manual_seed(0)
        shape = Sizes(in_dim, out_dim, bandwidth, width, depth)
        return sum(p.numel() for p in family.make(shape, local).parameters() if p.requires_grad)

    low, high = 1, 2
    if count(low) > wanted:
        raise ValueError(
            f"`parameters={parameters}` are fewer than the {count(low)} of the narrowest `{family.name}` "
            "network. Ask for more."
        )
    while count(high) < wanted:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle) <= wanted else (low, middle)
    return high if abs(count(high) - wanted) < abs(count(low) - wanted) else low


def _mlp(shape: Sizes, generator: torch.Generator | None) -> nn.Module:
    """ReLU layers on Gaussian features, as many frequencies as units."""
    encoding = Gaussian(shape.in_dim, shape.own_width, shape.own_bandwidth, generator)
    return mlp(
        encoding, shape.out_dim, width=shape.own_width, depth=shape.depth, generator=generator
    )


def _waves(network: Callable[..., nn.Module]) -> Make:
    def make(shape: Sizes, generator: torch.Generator | None) -> nn.Module:
        return network(
            shape.in_dim,
            shape.out_dim,
            bandwidth=shape.own_bandwidth,
            width=shape.own_width,
            depth=shape.depth,
            generator=generator,
        )

    return make


def _wire(shape: Sizes, generator: torch.Generator | None) -> nn.Module:
    return wire_at(
        shape.in_dim,
        shape.out_dim,
        bandwidth=shape.bandwidth,
        width=shape.width,
        depth=shape.depth,
        factor=shape.factor,
        crop=shape.crop,
        generator=generator,
    )


def _hash(shape: Sizes, generator: torch.Generator | None) -> nn.Module:
    """Tables grow with the width as the layers do; the grids of a piece have the same spacing on the signal."""
    return hash_mlp(
        shape.in_dim,
        shape.out_dim,
        bandwidth=shape.own_bandwidth,
        coarsest=_COARSEST / shape.crop,
        log2_table=max(1, round(log2(_ENTRIES * (shape.width / shape.factor) ** 2))),
        width=shape.own_width,
        depth=shape.depth,
        generator=generator,
    )


_DEVIATION = "standard deviation of the first layer's frequencies along each axis, cycles per unit"

FAMILIES = {
    family.name: family
    for family in (
        Family("mlp", _mlp, 1e-3, False, (150.0, 10.0, 5.0), (1 / 4, 4.0), True, _DEVIATION),
        Family(
            "siren",
            _waves(siren),
            4.75e-4,
            True,
            (150.0, 3.5, 2.5),
            (1 / 4, 4.0),
            False,
            _DEVIATION,
        ),
        Family(
            "finer",
            _waves(finer),
            4.75e-4,
            True,
            (150.0, 3.0, 2.5),
            (1 / 4, 4.0),
            False,
            _DEVIATION,
        ),
        Family("wire", _wire, 1.9e-3, True, (100.0, 1.3, 1.0), (1 / 4, 4.0), False, _DEVIATION),
        Family(
            "hash",
            _hash,
            5e-3,
            False,
            (2000.0, 64.0, 32.0),
            (1 / 4, 4.0),
            False,
            "the highest frequency that the finest grid can hold, cycles per unit",
        ),
    )
}
"""By name. `mlp` is the one on Gaussian features; other encodings are chosen by the kernel.

Example:
    >>> sorted(FAMILIES)[:3]
    ['finer', 'hash', 'mlp']
"""
