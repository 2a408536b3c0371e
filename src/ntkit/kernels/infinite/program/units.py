"""What is known of an operation's units before anything is computed, and what is needed of them."""

from dataclasses import dataclass

from ntkit.kernels.infinite.moments.layout import Layout

__all__ = ["Demand", "Source", "Units", "common"]


@dataclass(frozen=True)
class Source:
    """Fresh weights: those of the operation `place`, for a share of its channels.

    Attributes:
        place: The operation.
        start: Where the share begins.
        stop: Where it ends.
        is_scattered: Whether the channels came into another order: a part of them may be any.
    """

    place: int
    start: float = 0.0
    stop: float = 1.0
    is_scattered: bool = False

    def part(self, start: float, stop: float) -> "Source":
        """The weights of a part of the channels, from `start` to `stop` of one."""
        if self.is_scattered:
            return self
        size = self.stop - self.start
        return Source(self.place, self.start + size * start, self.start + size * stop)


@dataclass(frozen=True)
class Units:
    """What is known of an operation's units before anything is computed.

    Attributes:
        channel_axis: Where the network's tensor has its channels; 0 where that axis is gone, since
            one unit was taken.
        positions: Sizes of its other axes, the batch apart.
        is_flat: Whether one axis of features holds channels and positions.
        is_gaussian: Whether the units are jointly Gaussian.
        is_centred: Whether their mean is zero, whatever the gates are.
        sources: The layers whose fresh weights the units depend on, and which share of their
            channels; units of disjoint sources are independent.
        is_alike: Whether all units have one law. In a concatenation, and what is made of it, those
            of the parts differ, and the state is their mean: right for weights that mix them all,
            and for nothing that acts on some of them.
        gates: The layers of units that all channels share (one gate for many channels). The channels
            are independent only where these are given, and the state is the mean over their draws.
    """

    channel_axis: int
    positions: tuple[int, ...]
    is_flat: bool
    is_gaussian: bool
    is_centred: bool
    sources: frozenset[Source]
    is_alike: bool = True
    gates: frozenset[Source] = frozenset()

    @property
    def chance(self) -> frozenset[Source]:
        """All weights that the units depend on, those of the gates included."""
        return self.sources | self.gates

    @property
    def places(self) -> frozenset[int]:
        """The operations of the layers among the sources."""
        return frozenset(source.place for source in self.sources)

    def shared(self, other: "Units") -> set[int]:
        """The operations whose weights both depend on; empty if they are independent."""
        return common(self.chance, other.chance)


@dataclass(frozen=True)
class Demand:
    """What the later operations need of a state: which pairs of positions, and the variances or not."""

    layout: Layout = "each"
    variances: bool = False

    def __or__(self, other: "Demand") -> "Demand":
        layout: Layout = "pairs" if "pairs" in {self.layout, other.layout} else "each"
        return Demand(layout, self.variances or other.variances)


def common(one: frozenset[Source], other: frozenset[Source]) -> set[int]:
    """The operations some of whose weights are among both."""
    return {
        a.place
        for a in one
        for b in other
        if a.place == b.place and a.start < b.stop and b.start < a.stop
    }
