"""Networks that see a piece of a pixel's cone, a Gaussian, in place of a point (mip-NeRF)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.encodings import (
    AbstractEncoding,
    AbstractFourier,
    Composite,
    Identity,
    Integrated,
    conical_frustum,
)
from ntkit.measurements import Rays

__all__ = ["ConeNetwork", "on_cones"]


@dataclass(frozen=True, eq=False)
class ConeNetwork:
    """A network, cut behind its encoding.

    Attributes:
        encoding: Of positions alone, or of positions and directions together.
        others: Those of directions alone.
        rest: The layers behind.
    """

    encoding: AbstractFourier | Identity
    others: Sequence[AbstractEncoding]
    rest: nn.Module

    def __call__(
        self,
        rays: Rays,
        near: Float[Tensor, " n"],
        far: Float[Tensor, " n"],
        directions: Float[Tensor, "n 3"] | None,
    ) -> Float[Tensor, "n o"]:
        """What the network says of a piece of each ray's cone, its features averaged over that piece.

        Args:
            rays: One a row.
            near: Depth where the piece begins.
            far: Where it ends.
            directions: As points of the unit box, where the network takes them.
        """
        along_axes = isinstance(self.encoding, Identity) or _is_along_axes(self.encoding)
        mean, covariance = conical_frustum(
            rays.origin, rays.direction, near, far, rays.radius, is_diagonal=along_axes
        )
        parts = [] if directions is None else [directions]
        if not self.others:  # directions have no width
            mean = torch.cat([mean, *parts], 1)
            wider = mean.shape[1] - covariance.shape[1]
            covariance = nn.functional.pad(covariance, (0, wider) * (covariance.ndim - 1))
        if isinstance(self.encoding, Identity):
            features = [self.encoding(mean)]
        else:
            features = [Integrated(self.encoding)(mean, covariance)]
        features += [of(d) for of, d in zip(self.others, parts, strict=False)]
        return self.rest(torch.cat(features, 1))


def on_cones(network: nn.Module, view_directions: bool) -> ConeNetwork:
    """A network for cones: the mean over a Gaussian is known of Fourier features, and of bare coordinates.

    Args:
        network: With such an encoding in front.
        view_directions: Whether it takes directions as well.

    Raises:
        ValueError: It begins with something else.
    """
    if isinstance(network, nn.Sequential) and len(network) > 1:
        first = network[0]
        encodings = list(first.encodings) if isinstance(first, Composite) else [first]
        of_points, others = (
            encodings[0],
            [e for e in encodings[1:] if isinstance(e, AbstractEncoding)],
        )
        taken = sum(e.in_dim for e in encodings if isinstance(e, AbstractEncoding))
        is_whole = taken == (6 if view_directions else 3) and len(encodings) <= 2
        if (
            isinstance(of_points, AbstractFourier | Identity)
            and is_whole
            and of_points.in_dim in {3, taken}
        ):
            return ConeNetwork(of_points, others, network[1:])
    raise ValueError(
        "`cones=True` averages Fourier features over the cone of a pixel, and this network does not begin with such. Take "
        "an encoding of gaussian, positional, nerf, basic or identity; in Python an `nn.Sequential` that begins with one "
        "of positions, such as `mlp(Gaussian(3, 256, 8.0), 4)`, or with view directions of six coordinates."
    )


def _is_along_axes(encoding: AbstractFourier) -> bool:
    """Whether each frequency is along one axis: then variances are all it sees of a covariance."""
    return bool(((encoding.frequencies != 0).sum(1) <= 1).all())
