"""WIRE: a network of complex Gabor wavelets, computed in real numbers."""

from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import non_negative, positive, positive_int
from ntkit.encodings.centred import Centred
from ntkit.networks.draws import uniform_linear
from ntkit.networks.first_layer import cycles, first_frequency, named, uniform_deviation

__all__ = ["ComplexGabor", "ComplexLinear", "wire"]


class ComplexLinear(nn.Module):
    """A linear layer of complex numbers, whose real and imaginary parts stand side by side.

    `[..., 2, in]` to `[..., 2, out]`, part 0 real: `(A + i B)(p + i q) + (c + i e)`, with `A`, `B`, `c` and
    `e` of PyTorch's default law, as complex layers of PyTorch have them.

    Args:
        in_features: Complex inputs.
        out_features: Complex outputs.
        generator: Source of the draw.

    Attributes:
        parts: An `nn.Linear` without bias, with the rows of `A` before those of `B`.
        bias: `[2, out]`.

    Example:
        >>> ComplexLinear(4, 3)(torch.zeros(5, 2, 4)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(
        self, in_features: int, out_features: int, *, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        self.in_features: int = positive_int("in_features", in_features)
        self.out_features: int = positive_int("out_features", out_features)
        self.parts: nn.Linear = uniform_linear(
            self.in_features, 2 * self.out_features, generator, bias=False
        )
        bound = self.in_features**-0.5
        bias = torch.empty(2, self.out_features).uniform_(-bound, bound, generator=generator)
        self.bias: nn.Parameter = nn.Parameter(bias)

    def forward(self, z: Float[Tensor, "*batch 2 i"]) -> Float[Tensor, "*batch 2 o"]:
        """Both parts of the output."""
        (ap, bp), (aq, bq) = (
            part.chunk(2, -1) for part in self.parts(z).unbind(-2)
        )  # A p, B p; A q, B q
        return torch.stack([ap - bq, bp + aq], -2) + self.bias


class ComplexGabor(nn.Module):
    """`exp(i frequency z - (scale |z|)^2)` of complex numbers, real and imaginary parts side by side.

    `[..., 2, n]` to the same, part 0 real; with `is_real` from real numbers `[..., n]`.

    Args:
        frequency: In radians per unit of `z`.
        scale: `1 / (sqrt(2) deviation)` of the Gaussian window.
        is_real: Whether the inputs are real.

    Source: Saragadam et al. 2023 (arXiv:2301.05187), eq. 4.

    Example:
        >>> ComplexGabor(10.0, 10.0)(torch.zeros(1, 2, 1)).flatten()
        tensor([1., 0.])
    """

    def __init__(
        self, frequency: float = 10.0, scale: float = 10.0, *, is_real: bool = False
    ) -> None:
        super().__init__()
        self.frequency: float = positive("frequency", frequency)
        self.scale: float = non_negative("scale", scale)
        self.is_real: bool = bool(is_real)

    def forward(self, z: Tensor) -> Tensor:
        """Both parts of the wavelet at each entry."""
        if self.is_real:
            phase, fall = self.frequency * z, (self.scale * z).square()
        else:
            a, b = z.unbind(-2)
            phase = self.frequency * a
            fall = self.frequency * b + self.scale**2 * (a.square() + b.square())
        size = torch.exp(-fall)
        return torch.stack([size * phase.cos(), size * phase.sin()], -2)

    def extra_repr(self) -> str:
        """The numbers, for `repr`."""
        kind = ", is_real=True" if self.is_real else ""
        return f"frequency={self.frequency:g}, scale={self.scale:g}{kind}"


def wire(
    in_dim: int,
    out_dim: int,
    *,
    bandwidth: float | None = None,
    omega_0: float | None = None,
    scale: float = 10.0,
    hidden_omega: float = 20.0,
    hidden_scale: float = 10.0,
    width: int = 256,
    depth: int = 4,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """`depth` layers of complex Gabor wavelets and the real part of a linear read-out, on points in [0, 1)^d.

    The points are brought to [-1, 1) first, as published. The first layer's weights are real, all others
    complex, each part with PyTorch's default law. As published, `width / sqrt(2)` complex units stand
    for `width` real ones, so that there are as many real parameters.

    Args:
        in_dim: Number of coordinates `d`.
        out_dim: Number of outputs.
        bandwidth: Standard deviation of the first layer's carrier frequencies along each axis, cycles per
            unit of [0, 1)^d: `omega_0 / (pi sqrt(3 d))`. The windows add to it: a wavelet's own spectrum is
            as wide as `scale / omega_0` of its carrier frequency.
        omega_0: The first layer's frequency in its place, as published, for points in [-1, 1];
            20 if neither is given.
        scale: Inverse width of the first layer's windows.
        hidden_omega: Frequency of the other layers.
        hidden_scale: Inverse width of their windows.
        width: Real units of each hidden layer that it is counted as.
        depth: Number of layers of wavelets.
        generator: Source of the initial weights.

    Returns:
        An `nn.Sequential` with the attribute `bandwidth`. All its parameters are real.

    Source: Saragadam et al. 2023 (arXiv:2301.05187), section 3, and its published code, with the complex
    wavelets that all results of the paper are of.

    Example:
        >>> network = wire(2, 3, omega_0=20.0, width=16, depth=2)
        >>> round(network.bandwidth, 2)
        2.6
        >>> network(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """
    d, width = positive_int("in_dim", in_dim), positive_int("width", width)
    depth, outputs = positive_int("depth", depth), positive_int("out_dim", out_dim)
    per_omega = cycles(uniform_deviation(d**-0.5))
    omega, found = first_frequency(bandwidth, omega_0, per_omega, usual=20.0)
    hidden, window = (
        positive("hidden_omega", hidden_omega),
        non_negative("hidden_scale", hidden_scale),
    )
    n = max(1, int(width / sqrt(2)))
    layers: list[nn.Module] = [Centred(d), uniform_linear(d, n, generator)]
    layers.append(ComplexGabor(omega, scale, is_real=True))
    for _ in range(depth - 1):
        layers.append(ComplexLinear(n, n, generator=generator))
        layers.append(ComplexGabor(hidden, window))
    # The real part of `(A + i B)(p + i q) + c` is a real layer of the parts in a row: `A p - B q + c`.
    layers.append(nn.Flatten(-2))
    layers.append(uniform_linear(2 * n, outputs, generator, bound=n**-0.5, bias_bound=n**-0.5))
    return named(nn.Sequential(*layers), found)
