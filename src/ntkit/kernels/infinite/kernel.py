"""The NNGP and NTK of a module in the limit of infinite width."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core.checks import finite, floating_tensor
from ntkit._core.errors import NumericalError
from ntkit.encodings.base import AbstractFourier
from ntkit.kernels.base import AbstractLagKernel
from ntkit.kernels.infinite.graph import Chain, read_chain
from ntkit.kernels.infinite.layers import layer_profile
from ntkit.kernels.infinite.rules import rules
from ntkit.kernels.infinite.state import PairState, state_of_features
from ntkit.kernels.infinite.variances import Variances

__all__ = ["InfiniteKernel", "nngp", "ntk"]

_ENTRIES_AT_ONCE = 2**15  # the rules' intermediate results then stay in a core's cache


_TILE = 2**15  # entries whose state stays in the cache while the rules walk the layers


class InfiniteKernel(AbstractLagKernel):
    """Kernel of an infinitely wide network; made by `ntkit.ntk` and `ntkit.nngp`.

    Computes in float64 and returns the dtype of its input. One output of the network; all outputs
    have the same kernel and are independent.
    """

    def __init__(
        self, module: nn.Module, which: Literal["ntk", "nngp"], variances: Variances
    ) -> None:
        if variances not in {"measured", "default"}:
            raise ValueError(f'`variances={variances!r}` must be "measured" or "default".')
        self._chain: Chain = read_chain(module)
        self._which = which
        self._variances: Variances = variances
        features = self._chain.features
        alone = features[0] if len(features) == 1 else None
        self._fourier = (
            alone if isinstance(alone, AbstractFourier) and alone.is_stationary else None
        )

    def __call__(
        self, x1: Float[Tensor, "n d"], x2: Float[Tensor, "m d"] | None = None
    ) -> Float[Tensor, "n m"]:
        """The Gram matrix, `[n, m]`, of finite float points. O(n m (f + layers)) for `f` features."""
        z1 = self._features("x1", x1)
        z2 = z1 if x2 is None else self._features("x2", x2)
        tiles = [
            self._propagate(state_of_features(part, z2)).expand(len(part), len(z2))
            for part in z1.split(max(1, _TILE // max(1, len(z2))))
        ]
        return torch.cat(tiles).to(x1.dtype)

    def diag(self, x: Float[Tensor, "n d"]) -> Float[Tensor, " n"]:
        """`k(x_i, x_i)` of finite float points, in O(n f)."""
        z = self._features("x", x)
        var = (z**2).mean(1)
        zero = torch.zeros_like(var)
        return self._propagate(PairState(var, zero, var, var, zero)).expand(len(z)).to(x.dtype)

    @property
    def is_stationary(self) -> bool:
        """Whether the feature map is one stationary encoding: then every layer keeps it so."""
        return self._fourier is not None

    @property
    def has_unit_period(self) -> bool:
        """Whether the encoding's frequencies are whole cycles per unit."""
        return self._fourier is not None and bool(
            torch.equal(self._fourier.frequencies, self._fourier.frequencies.round())
        )

    def lag_table(self, lags: Sequence[Float[Tensor, " _"]]) -> Float[Tensor, "..."]:
        """The kernel at every combination of lags: the encoding's table, then the same rules.

        A kernel that is not stationary has none, and says so with a ValueError.
        """
        fourier = self._stationary()
        gap = fourier.gap_table(lags) / fourier.out_dim
        var = torch.tensor(fourier.energy / fourier.out_dim, device=gap.device).double()
        parts = [
            self._propagate(PairState(var - g / 2, g, var, var, torch.zeros_like(g))).expand(
                g.shape
            )
            for g in gap.flatten().split(_ENTRIES_AT_ONCE)
        ]
        return torch.cat(parts).reshape(gap.shape)

    def layer_table(
        self, lags: Sequence[Float[Tensor, " _"]], *, tolerance: float = 1e-10
    ) -> Float[Tensor, "g ..."]:
        """Each layer's own part of the tangent kernel at every combination of lags, float64.

        The parts add up to the NTK's `lag_table`. Inputs of one norm leave only their angle: each
        part is a polynomial in it, checked against the rules.

        Args:
            lags: One 1-D tensor an axis.
            tolerance: Error allowed to the polynomials, relative to the part at lag zero.

        Raises:
            NumericalError: No polynomial of degree up to 128 meets the tolerance.
        """
        fourier = self._stationary()
        variance = fourier.energy / fourier.out_dim
        profile = layer_profile(self._chain, variance, self._variances, tolerance=tolerance)
        if profile.error > tolerance:
            raise NumericalError(
                f"The layers' kernels are no polynomials of the angle to {tolerance:.1g} "
                f"(reached {profile.error:.1g}); pass a larger `tolerance`."
            )
        half = fourier.gap_table(lags) / (4 * fourier.energy)
        return profile(2 * half.clamp(0, 1).sqrt().asin())

    def layer_sizes(self) -> list[int]:
        """Number of parameters of each layer, in the order of `layer_table`; both halves of a pair."""
        halves = 2 if self._chain.starts_at_zero else 1
        counts = [
            halves * sum(p.numel() for p in layer.parameters()) for layer in self._chain.layers
        ]
        return [count for count in counts if count]

    def _stationary(self) -> AbstractFourier:
        if self._fourier is None:
            front = self._chain.features or "raw coordinates"
            raise ValueError(
                f"A table of lags needs one stationary encoding in front, got {front}. "
                "Use `kernel(x1, x2)` on the points instead."
            )
        return self._fourier

    def _features(self, name: str, x: Tensor) -> Tensor:
        z = finite(name, floating_tensor(name, x, ndim=(2,))).double()
        for module in self._chain.features:
            z = module(z)
        expected = getattr(self._chain.layers[0], "in_features", z.shape[-1])
        if z.shape[-1] != expected:
            raise ValueError(
                f"`{name}` has {z.shape[-1]} features at the first layer, which takes {expected}."
            )
        return z

    def _propagate(self, state: PairState) -> Tensor:
        for layer in self._chain.layers:
            state = rules[layer](layer, state, self._variances)
        if self._which == "ntk":
            return state.ntk
        return 0 * state.cov if self._chain.starts_at_zero else state.cov

    def __repr__(self) -> str:
        return f"<{self._which} of {len(self._chain.layers)} layers, {self._variances} variances>"


def ntk(module: nn.Module, *, variances: Variances = "measured") -> InfiniteKernel:
    """The neural tangent kernel of `module` as its hidden layers become infinitely wide.

    `K(x, x') = E <df(x)/dtheta, df(x')/dtheta>` of one output, in the parametrisation of the module
    itself: `ntkit.networks.Linear` is NTK parametrisation; a plain `nn.Linear` is the standard one,
    whose kernel grows in proportion to the width, so that `t = lr * steps` of plain SGD holds.

    Args:
        module: `nn.Sequential` (nested ones too) of encodings, dense layers and ReLU, or
            `ntkit.networks.symmetrise` of one.
        variances: For plain layers, "measured" from their entries, or PyTorch's "default".

    Returns:
        A kernel: `k(x1, x2=None) -> [n, m]`, `k.diag(x) -> [n]`.

    Source: Jacot et al. 2018 (arXiv:1806.07572), theorem 1; standard parametrisation as in
    Sohl-Dickstein et al. 2020 (arXiv:2001.07301).

    Example:
        >>> import torch
        >>> from ntkit.networks import Linear
        >>> net = nn.Sequential(Linear(2, 64, bias=False), nn.ReLU(), Linear(64, 1, bias=False))
        >>> ntk(net)(torch.eye(2).double()) * 4 * torch.pi  # K_a + K_b, Cho and Saul's angles
        tensor([[6.2832, 1.0000],
                [1.0000, 6.2832]], dtype=torch.float64)
    """
    return InfiniteKernel(module, "ntk", variances)


def nngp(module: nn.Module, *, variances: Variances = "measured") -> InfiniteKernel:
    """The covariance of one output of `module` over its random weights, at infinite width.

    Args:
        module: As for `ntkit.ntk`.
        variances: For plain layers, "measured" from their entries, or PyTorch's "default".

    Returns:
        A kernel: `k(x1, x2=None) -> [n, m]`, `k.diag(x) -> [n]`.

    Source: Lee et al. 2018 (arXiv:1711.00165), eq. 5.

    Example:
        >>> import torch
        >>> from ntkit.networks import Linear
        >>> net = nn.Sequential(Linear(2, 64, bias=False), nn.ReLU(), Linear(64, 1, bias=False))
        >>> nngp(net).diag(torch.tensor([[3.0, 4.0]]))  # |x|^2 / 2 / 2
        tensor([6.2500])
    """
    return InfiniteKernel(module, "nngp", variances)
