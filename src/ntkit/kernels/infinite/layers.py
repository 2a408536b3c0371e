"""The tangent kernel layer by layer: what each layer's own parameters contribute."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.kernels.infinite.graph import Chain
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState
from ntkit.kernels.infinite.variances import Variances

__all__ = ["LayerProfile", "layer_kernels", "layer_profile"]

_DEGREES = (16, 32, 64, 128)


def layer_kernels(chain: Chain, state: PairState, variances: Variances) -> Float[Tensor, "g ..."]:
    """Contribution of each layer with parameters to the tangent kernel; they add up to it.

    Every rule is affine in the tangent kernel that comes in, so a layer's own part is what its
    rule adds to zero, and what the later layers make of it is a difference.
    """
    zero = torch.zeros_like(state.gap)
    parts: list[Tensor] = []
    for layer in chain.layers:
        rule = rules[layer]
        base = rule(layer, replace(state, ntk=zero), variances)
        if parts:
            stacked = torch.stack(parts)
            parts = list(rule(layer, replace(state, ntk=stacked), variances).ntk - base.ntk)
        if any(True for _ in layer.parameters()):
            parts.append(base.ntk.expand_as(zero))
        state = replace(base, ntk=zero)
    return torch.stack(parts)


@dataclass(frozen=True)
class LayerProfile:
    """`layer_kernels` of inputs of one norm, as polynomials in their angle.

    Attributes:
        coefficients: `[k, g]`, Chebyshev coefficients on `[0, pi]`.
        error: Largest deviation from the rules, relative to the kernel at angle zero.
    """

    coefficients: Float[Tensor, "k g"]
    error: float

    def __call__(self, angle: Float[Tensor, "..."]) -> Float[Tensor, "g ..."]:
        """The contributions at `angle` (radians), one three-term recurrence for all layers."""
        x = (2 / torch.pi) * angle.flatten() - 1
        return (_chebyshev_basis(x, len(self.coefficients)).T @ self.coefficients).T.reshape(
            -1, *angle.shape
        )


def layer_profile(
    chain: Chain, variance: float, variances: Variances, *, tolerance: float
) -> LayerProfile:
    """Fit a `LayerProfile`, doubling the degree until it meets the rules between the nodes.

    Source: Trefethen, Approximation Theory and Practice, chapter 8 (analytic functions: geometric
    convergence); the tangent kernel of ReLU layers is analytic in the angle.
    """
    profile = LayerProfile(torch.zeros(1, 1, dtype=torch.float64), float("inf"))
    for degree in _DEGREES:
        nodes = torch.pi * (torch.arange(degree, dtype=torch.float64) + 0.5) / degree
        values = layer_kernels(
            chain, _state_at(torch.pi * (nodes.cos() + 1) / 2, variance), variances
        )
        basis = _chebyshev_basis(nodes.cos(), degree)
        coefficients = (basis @ values.T) * (2 / degree)
        coefficients[0] /= 2
        profile = LayerProfile(coefficients, 0.0)
        between = torch.linspace(0, torch.pi, 3 * degree + 1, dtype=torch.float64)
        exact = layer_kernels(chain, _state_at(between, variance), variances)
        scale = exact[:, :1].abs()
        error = float(((profile(between) - exact) / scale).abs().max())
        profile = LayerProfile(coefficients, error)
        if error <= tolerance:
            break
    return profile


def _state_at(angle: Tensor, variance: float) -> PairState:
    gap = 4 * variance * (angle / 2).sin() ** 2
    var = torch.full((), variance, dtype=torch.float64)
    return PairState(var - gap / 2, gap, var, var, torch.zeros_like(gap))


def _chebyshev_basis(x: Tensor, size: int) -> Tensor:
    """`T_0(x) .. T_{size-1}(x)`, `[size, len(x)]`."""
    basis = torch.empty(size, len(x), dtype=x.dtype, device=x.device)
    basis[0] = 1
    if size > 1:
        basis[1] = x
    for k in range(2, size):
        torch.mul(basis[k - 1], 2 * x, out=basis[k]).sub_(basis[k - 2])
    return basis
