"""How networks are built that differ in their encoding alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from ntkit.encodings import AbstractEncoding
from ntkit.networks import mlp
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import Candidate

__all__ = ["NetworkFactory", "NetworkPlan", "check_sigmoid"]

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
        parametrisation: That of `ntkit.networks.mlp`.
        sigmoid: Whether what is trained has a sigmoid behind its read-out. Kernels are of the network before it.
        factory: Makes a network of one's own instead; its weights are drawn with the seed as well.
    """

    in_dim: int
    n_outputs: int
    width: int = 256
    depth: int = 4
    n_frequencies: int = 256
    seed: int = 0
    parametrisation: Literal["standard", "ntk"] = "standard"
    sigmoid: bool = False
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
        network = mlp(
            encoding,
            self.n_outputs,
            width=self.width,
            depth=self.depth,
            parametrisation=self.parametrisation,
            generator=draw,
        )
        return network, encoding

    def trainable(self, candidate: Candidate) -> nn.Module:
        """What is trained: the network, with its sigmoid if it has one."""
        network, _ = self.build(candidate)
        if not self.sigmoid:
            return network
        layers = network if isinstance(network, nn.Sequential) else [network]
        return nn.Sequential(*layers, nn.Sigmoid())


def check_sigmoid(task: AbstractTask) -> None:
    """Refuse a sigmoid for a field that it cannot reach.

    Raises:
        ValueError: The field has values below 0 or above 1, or is none that is fitted by its values.
    """
    if not isinstance(task, AbstractSamples):
        raise ValueError(
            f"`sigmoid=True` is not for a {task.kind}, which has its own. Leave it out."
        )
    low, high = float(task.values.min()), float(task.values.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"`sigmoid=True` keeps values between 0 and 1, and those of this {task.kind} reach from {low:.3g} to "
            f"{high:.3g}. Leave it out."
        )
