"""FINER: SIREN with sines that run faster away from zero."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import positive, positive_int
from ntkit.encodings.centred import Centred
from ntkit.networks.draws import uniform_linear
from ntkit.networks.first_layer import cycles, first_frequency, named, uniform_deviation

__all__ = ["VariableSine", "finer"]


class VariableSine(nn.Module):
    """`sin(frequency (|x| + 1) x)`, whose frequency at `x` is `frequency (2 |x| + 1)`.

    Args:
        frequency: At zero, in radians per unit of `x`.

    Source: Liu et al. 2024 (arXiv:2312.02434), eq. 5. Their code holds the factor `|x| + 1` constant in
    the backward pass; here the derivative is the function's own.

    Example:
        >>> VariableSine(30.0)(torch.tensor([0.0]))
        tensor([0.])
    """

    def __init__(self, frequency: float = 1.0) -> None:
        super().__init__()
        self.frequency: float = positive("frequency", frequency)

    def forward(self, x: Float[Tensor, "*batch f"]) -> Float[Tensor, "*batch f"]:
        """The function of each entry."""
        return torch.sin(self.frequency * (x.abs() + 1) * x)

    def extra_repr(self) -> str:
        """The frequency, for `repr`."""
        return f"frequency={self.frequency:g}"


def finer(
    in_dim: int,
    out_dim: int,
    *,
    bandwidth: float | None = None,
    omega_0: float | None = None,
    hidden_omega: float = 30.0,
    first_bias: float | None = None,
    width: int = 256,
    depth: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`depth` layers `sin(omega (|u| + 1) u)`, `u = W x + b`, and a linear read-out, on points in [0, 1)^d.

    The points are brought to [-1, 1) first, as published. Weights and biases are SIREN's, the first
    biases `U(-k, k)`: the wider, the more units begin where their sines run fast.

    Args:
        in_dim: Number of coordinates `d`.
        out_dim: Number of outputs.
        bandwidth: Standard deviation of the first layer's local frequencies along each axis at the centre
            of [0, 1)^d, cycles per unit: `omega_0 sqrt(1 + 2 k + 4 k^2 / 3) / (pi d sqrt(3))`. It grows
            towards the corners, where `|W x + b|` is larger.
        omega_0: The first layer's frequency in its place, as published, for points in [-1, 1];
            30 if neither is given.
        hidden_omega: Frequency of the other layers.
        first_bias: `k`; `d^-1/2`, PyTorch's default and that of the published code, if left out.
        width: Units of each hidden layer.
        depth: Number of layers of sines.
        generator: Source of the initial weights.

    Returns:
        An `nn.Sequential` with the attribute `bandwidth`.

    Source: Liu et al. 2024 (arXiv:2312.02434), sections 3.2 and 3.3.

    Example:
        >>> network = finer(2, 3, omega_0=30.0, first_bias=1.0, width=16, depth=2)
        >>> round(network.bandwidth, 2)
        5.74
        >>> network(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """
    d, width = positive_int("in_dim", in_dim), positive_int("width", width)
    depth, outputs = positive_int("depth", depth), positive_int("out_dim", out_dim)
    k = d**-0.5 if first_bias is None else positive("first_bias", first_bias)
    faster = sqrt(1 + 2 * k + 4 * k**2 / 3)  # root of E[(2 |b| + 1)^2]
    omega, found = first_frequency(
        bandwidth, omega_0, faster * cycles(uniform_deviation(1 / d)), usual=30.0
    )
    hidden = positive("hidden_omega", hidden_omega)
    layers: list[nn.Module] = [Centred(d)]
    layers.append(uniform_linear(d, width, generator, bound=1 / d, bias_bound=k))
    layers.append(VariableSine(omega))
    bound = sqrt(6 / width) / hidden
    for _ in range(depth - 1):
        layers += [uniform_linear(width, width, generator, bound=bound), VariableSine(hidden)]
    layers.append(uniform_linear(width, outputs, generator, bound=bound))
    return named(nn.Sequential(*layers), found)
