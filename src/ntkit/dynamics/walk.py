"""A network and its Taylor expansion along a straight line of weights."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit.dynamics.taylor import taylor

__all__ = ["Walk", "walk"]


@dataclass(frozen=True)
class Walk:
    """Outputs along the way.

    Attributes:
        shares: Of the way, 0 at the start and 1 at the end.
        network: `[s, n, ...]`, of the network with the weights there.
        expansion: `[s, n, ...]`, of its Taylor expansion about the start, with the same weights.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))  # a product of two weights
        >>> for weight in net.parameters(): _ = nn.init.ones_(weight)
        >>> end = {name: 2 * weight for name, weight in net.state_dict().items()}
        >>> found = walk(net, end, torch.ones(1, 1), [0.0, 0.5, 1.0])
        >>> found.network.flatten().tolist(), found.expansion.flatten().tolist()  # (1 + s)^2, and 1 + 2 s
        ([1.0, 2.25, 4.0], [1.0, 2.0, 3.0])
        >>> found.gap.tolist()
        [0.0, 0.25, 1.0]
    """

    shares: tuple[float, ...]
    network: Float[Tensor, "s n ..."]
    expansion: Float[Tensor, "s n ..."]

    @property
    def gap(self) -> Float[Tensor, " s"]:
        """Root mean square of the difference: it grows as `share^(order + 1)` near the start."""
        return (self.network - self.expansion).flatten(1).square().mean(1).sqrt()


@torch.no_grad()
def walk(
    module: nn.Module,
    end: Mapping[str, Tensor],
    x: Float[Tensor, "n ..."],
    shares: Sequence[float],
    *,
    order: int = 1,
) -> Walk:
    """What a network and its expansion say of `x` while the weights go straight to others.

    Args:
        module: At the start; left as it is.
        end: Weights at the end by name, such as `GradientFlow.weights` finds; those left out stay.
        x: Points to look at.
        shares: Of the way, also beyond 1.
        order: Of the expansion.

    Raises:
        ValueError: A name is no parameter of the module.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
        >>> end = {name: p + 0.1 for name, p in net.state_dict().items()}
        >>> gap = walk(net, end, torch.rand(8, 1), [0.0, 0.05, 0.1]).gap
        >>> bool(gap[0] == 0), 3 < float(gap[2] / gap[1]) < 5  # twice the step, four times the gap
        (True, True)
    """
    moving, expansion = deepcopy(module), taylor(module, order)
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    strangers = sorted(set(end) - set(start))
    if strangers:
        raise ValueError(
            f"`end` names `{strangers[0]}`, which is no parameter of the module. It has {', '.join(start)}."
        )
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for share in shares:
        here = {name: torch.lerp(start[name], end[name].to(start[name]), share) for name in end}
        for outputs, each in zip(found, (moving, expansion), strict=True):
            each.load_state_dict(here, strict=False)
            outputs.append(each(x))
    return Walk(tuple(shares), torch.stack(found[0]), torch.stack(found[1]))
