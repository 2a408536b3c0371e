"""How the networks of all candidates are built: as large as each other, in full or as scale models."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import torch
from torch import nn

from ntkit._core.chance import seeded
from ntkit.encodings import AbstractEncoding, Identity
from ntkit.networks import mlp
from ntkit.networks.families import FAMILIES, width_for
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.samples import AbstractSamples
from ntkit.tuning.candidates import MLP, Candidate

__all__ = ["NetworkFactory", "NetworkPlan", "check_sigmoid", "plan_seed"]

NetworkFactory = Callable[[AbstractEncoding], nn.Module]
"""Makes a network of one's own on an encoding: coordinates `[n, d]` to outputs `[n, o]`."""


@dataclass(frozen=True)
class NetworkPlan:
    """A network but for its encoding, or its family: others get as many parameters as the ReLU network has.

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

    Example:
        >>> from ntkit.tuning import Candidate
        >>> network, encoding = NetworkPlan(in_dim=2, n_outputs=3, width=64, depth=2).build(Candidate("gaussian", 8.0))
        >>> encoding, [tuple(layer.weight.shape) for layer in network if isinstance(layer, nn.Linear)]
        (Gaussian(in_dim=2, out_dim=512), [(64, 512), (64, 64), (3, 64)])
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
        """The network, and the encoding in front of it: the identity where it is the network's own affair.

        Args:
            candidate: The encoding, or the family.
            integer: Whether to round Gaussian frequencies to whole cycles.
        """
        draw = torch.Generator().manual_seed(self.seed)
        if candidate.family != MLP:
            return self._of_family(candidate, draw), Identity(self.in_dim)
        encoding = candidate.build(self.in_dim, self.n_frequencies, draw, integer=integer)
        if self.factory is not None:
            with seeded(self.seed):
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
        return self._with_sigmoid(self.build(candidate)[0])

    def scale_model(self, candidate: Candidate, factor: int, crop: float) -> nn.Module:
        """A network narrower by `factor`, for a piece of the signal that is shorter by `crop` along each axis.

        With a crop it takes the coordinates of the piece, from 0 to 1; without, those of the whole.
        """
        if candidate.family == MLP:
            fewer = max(1, self.n_frequencies // factor)
            smaller = replace(self, width=max(1, self.width // factor), n_frequencies=fewer)
            return smaller.trainable(candidate)
        draw = torch.Generator().manual_seed(self.seed)
        return self._with_sigmoid(self._of_family(candidate, draw, factor=factor, crop=crop))

    def width_of(self, candidate: Candidate) -> int:
        """Units of each hidden layer: `width`, or as many as give another family as many parameters."""
        if candidate.family == MLP:
            return self.width
        inputs = 2 * self.n_frequencies
        hidden = (inputs + 1 + (self.depth - 1) * (self.width + 1)) * self.width
        n_parameters = hidden + (self.width + 1) * self.n_outputs
        of = candidate.family, candidate.bandwidth or 1.0
        return _width(n_parameters, *of, self.in_dim, self.n_outputs, self.depth)

    def budget_of(self, candidate: Candidate, budget: Budget) -> Budget:
        """A budget with the rate of a ReLU network as the network of a candidate takes it."""
        return candidate.own(budget, self.width_of(candidate))

    def code(self, candidate: Candidate) -> str:
        """The line of Python that builds the encoding, or the network of another family."""
        if candidate.family == MLP:
            return f"encoding = {candidate.code(self.in_dim, self.n_frequencies)}"
        return (
            f'network = ntkit.networks.FAMILIES["{candidate.name}"].build({self.in_dim}, {self.n_outputs}, '
            f"bandwidth={candidate.bandwidth:g}, width={self.width_of(candidate)}, depth={self.depth})"
        )

    def _of_family(
        self,
        candidate: Candidate,
        generator: torch.Generator,
        *,
        factor: float = 1.0,
        crop: float = 1.0,
    ) -> nn.Module:
        return FAMILIES[candidate.family].scaled(
            self.in_dim,
            self.n_outputs,
            bandwidth=candidate.bandwidth or 1.0,
            width=self.width_of(candidate),
            depth=self.depth,
            factor=factor,
            crop=crop,
            generator=generator,
        )

    def _with_sigmoid(self, network: nn.Module) -> nn.Module:
        if not self.sigmoid:
            return network
        layers = network if isinstance(network, nn.Sequential) else [network]
        return nn.Sequential(*layers, nn.Sigmoid())


@cache
def _width(
    n_parameters: int, family: str, bandwidth: float, in_dim: int, n_outputs: int, depth: int
) -> int:
    return width_for(
        n_parameters, FAMILIES[family], in_dim, n_outputs, bandwidth=bandwidth, depth=depth
    )


def plan_seed(generator: torch.Generator | int | None) -> int:
    """The seed of a plan: one for every candidate, so that they differ in their bandwidth alone.

    Args:
        generator: Of `ntkit.tune`; or the seed of it, as `ntkit tune --seed` takes one.
    """
    if generator is None:
        return 0
    if isinstance(generator, int):
        generator = torch.Generator().manual_seed(generator)
    return int(torch.randint(2**31, (1,), generator=generator))


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
