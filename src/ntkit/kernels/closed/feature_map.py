"""The dot product of features that someone wrote down."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkit._core import checks
from ntkit._core.copies import Copier, cloned
from ntkit._core.devices import device_of
from ntkit._core.running import call
from ntkit.kernels.base import AbstractKernel
from ntkit.kernels.checked_points import checked

__all__ = ["FeatureMap"]


class FeatureMap(AbstractKernel):
    """`k(x, x') = g(x).g(x')`: the NTK of a linear model on the features `g`, at any width.

    Computes in float64 (a module's parameters and buffers too, whatever their dtype) and returns the
    dtype of its input. Gradients reach the points and the module's parameters.

    Args:
        function: `g`: a function or module from points `[n, ...]` to features `[n, ...]`, which are
            flattened. It must treat each point by itself.

    Example:
        >>> lift = FeatureMap(lambda x: torch.cat([x, (x**2).sum(1, keepdim=True)], 1))
        >>> lift(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        tensor([[ 2.,  4.],
                [ 4., 20.]])
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function: Callable[[Tensor], Tensor] = checks.function("function", function)

    @property
    def device(self) -> torch.device | None:
        """That of the module's parameters and buffers; None for a function."""
        return device_of(self.function) if isinstance(self.function, nn.Module) else None

    def __call__(
        self, x1: Float[Tensor, "n ..."], x2: Float[Tensor, "m ..."] | None = None
    ) -> Float[Tensor, "n m"]:
        """Dot products of the features of finite points."""
        z1 = self._map("x1", x1)
        return (z1 @ (z1 if x2 is None else self._map("x2", x2)).T).to(x1.dtype)

    def diag(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
        """Squared lengths of the features."""
        return (self._map("x", x) ** 2).sum(1).to(x.dtype)

    def copied_by(self, copier: Copier) -> "FeatureMap":
        """The map as it is now; gradients still reach the parameters of the user's module."""
        return FeatureMap(Copier(cloned)(self.function))

    def _features(self, x: Tensor) -> Tensor:
        return self._map("x", x).to(x.dtype)

    def _map(self, name: str, x: Tensor) -> Tensor:
        points = checked(name, x, (1, 1))[0].double()
        if isinstance(self.function, nn.Module):
            weights = dict(self.function.named_parameters())
            weights |= {k: b.clone() for k, b in self.function.named_buffers()}  # may be written to
            double = {k: w.double() if w.is_floating_point() else w for k, w in weights.items()}
            features = call(self.function, double, points)
        else:
            features = self.function(points)
        if not isinstance(features, Tensor) or features.shape[:1] != points.shape[:1]:
            got = tuple(features.shape) if isinstance(features, Tensor) else type(features).__name__
            raise ValueError(
                f"`function` must map {len(points)} points to [{len(points)}, features], got {got}."
            )
        return features.double().flatten(1)

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", None) or repr(self.function)
        return f"FeatureMap({name})"
