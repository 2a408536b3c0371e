"""Linear regression on features: the network whose tangent kernel never changes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from ntkit._core.checks import function, non_negative, positive_int, random_source
from ntkit._core.pickling import named_state

__all__ = ["LinearModel"]


class LinearModel(nn.Module):
    """`f(x) = W g(x)`: linear in its parameters, so its NTK is `g(x).g(x')` at every moment.

    Train it like any module. Under gradient descent on `1/2 * sum (f - y)^2` the residual after `k`
    steps is `(1 - lr K)^k r` with `K = ntkit.kernels.FeatureMap(g)(x)`, exactly; with small steps it
    is what `ntkit.GradientFlow` of that kernel predicts at `t = lr * k`.

    Args:
        feature_map: `g`: a function or module from points `[n, ...]` to features `[n, f]`, with
            nothing to train in it.
        n_features: `f`; that of an encoding is known.
        n_outputs: Rows of `W`.
        w_std: Standard deviation of the initial weights; 0 starts at the zero function.
        generator: Source of the draw.

    Raises:
        TypeError: `feature_map` cannot be called.
        ValueError: It has parameters that train, or `n_features` is left out and not known.

    Attributes:
        feature_map: `g`.
        readout: The `nn.Linear` of `W`, without a bias: a constant feature is one.

    Example:
        >>> from ntkit.encodings import Basic
        >>> model = LinearModel(Basic(1), w_std=1.0, generator=torch.Generator().manual_seed(0))
        >>> model(torch.zeros(5, 1)).shape
        torch.Size([5, 1])
        >>> LinearModel(lambda x: x**3, n_features=2)(torch.ones(1, 2))
        tensor([[0.]], grad_fn=<MmBackward0>)
    """

    def __init__(
        self,
        feature_map: Callable[[Tensor], Tensor],
        n_features: int | None = None,
        n_outputs: int = 1,
        *,
        w_std: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        function("feature_map", feature_map)
        if isinstance(feature_map, nn.Module):
            trained = [name for name, p in feature_map.named_parameters() if p.requires_grad]
            if trained:
                raise ValueError(
                    f"`feature_map` trains `{trained[0]}`, and the model would not be linear in it. "
                    "Freeze it: `feature_map.requires_grad_(False)`."
                )
        size = getattr(feature_map, "out_dim", None) if n_features is None else n_features
        if size is None:
            raise ValueError(
                "`n_features` is needed: the feature map has no `out_dim` that says how many it gives."
            )
        random_source(generator)
        spread = non_negative("w_std", w_std)
        size, n_outputs = positive_int("n_features", size), positive_int("n_outputs", n_outputs)
        weight = torch.zeros(n_outputs, size)
        if spread:
            weight.normal_(0.0, spread, generator=generator)
        self.feature_map: Callable[..., Any] = feature_map
        self.readout: nn.Linear = nn.Linear(
            size, n_outputs, bias=False, device="meta"
        )  # draws nothing
        self.readout.weight = nn.Parameter(weight)

    def __getstate__(self) -> dict[str, Any]:
        return named_state(self, "feature_map")

    def forward(self, x: Tensor | fx.Proxy) -> Any:
        """`[n, n_outputs]`; also followed by `torch.fx`, for `ntkit.ntk(model)`."""
        return self.readout(self.feature_map(x))
