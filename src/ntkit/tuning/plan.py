"""How networks are built that differ in their encoding alone."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from ntkit.encodings import AbstractEncoding
from ntkit.networks import mlp
from ntkit.tuning.candidates import Candidate

__all__ = ["NetworkFactory", "NetworkPlan"]

NetworkFactory = Callable[[AbstractEncoding], nn.Module]
"""Makes a network of one's own on an encoding: coordinates `[n, d]` to outputs `[n, o]`."""


@dataclass(frozen=True)
class NetworkPlan:
    """A network but for its encoding.

    Attributes:
        in_dim: Coordinates.
        n_outputs: Outputs.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Frequencies of the encodings.
        seed: Of the frequencies and weights, the same for every encoding.
        factory: Makes a network of one's own instead; its weights are drawn with the seed as well.
    """

    in_dim: int
    n_outputs: int
    width: int = 256
    depth: int = 4
    n_frequencies: int = 256
    seed: int = 0
    factory: NetworkFactory | None = field(default=None, compare=False)

    def build(
        self, candidate: Candidate, *, integer: bool = False
    ) -> tuple[nn.Module, AbstractEncoding]:
        """The network, and the encoding in it.

        Args:
            candidate: The encoding.
            integer: Whether to round Gaussian frequencies to whole cycles.
        """
        draw = torch.Generator().manual_seed(self.seed)
        encoding = candidate.build(self.in_dim, self.n_frequencies, draw, integer=integer)
        if self.factory is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                return self.factory(encoding), encoding
        network = mlp(encoding, self.n_outputs, width=self.width, depth=self.depth, generator=draw)
        return network, encoding
