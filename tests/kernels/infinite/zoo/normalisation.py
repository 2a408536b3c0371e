"""Layer normalisation over channels and chosen positions, and dropout."""

from typing import Any

from torch import nn

from ntkit.networks.activations import Erf
from tests.kernels.infinite.zoo.base import Apply, Example, chain, conv, dense, flat, gap

__all__ = ["NORMALISATION"]


def norm(*shape: int, eps: float = 1e-12) -> nn.Module:
    return nn.LayerNorm(shape, eps, elementwise_affine=False)


def ordered(layer: nn.Module, *axes: int) -> nn.Module:
    """A layer between a permutation of the axes and its inverse."""
    back = [axes.index(k) for k in range(len(axes))]
    return chain(Apply(lambda x: x.permute(*axes)), layer, Apply(lambda x: x.permute(*back)))


def img(middle: Any, *last: Any) -> Example:
    return Example(
        ("img",),
        lambda: chain(conv(2, (2, 2)), middle(), *[make() for make in last]),
        channels_first=True,
    )


_NORMS = {  # of [n, 8, 4, 3]
    "channels": lambda: ordered(norm(8), 0, 2, 3, 1),
    "all": lambda: norm(8, 4, 3),
    "columns": lambda: ordered(norm(3, 8), 0, 2, 3, 1),
    "rows": lambda: ordered(norm(8, 4), 0, 3, 1, 2),
}
NORMALISATION: dict[str, Example] = {
    **{
        f"layernorm_{name}": img(make, nn.ReLU, lambda: conv(8, (2, 2)), nn.ReLU, gap)
        for name, make in _NORMS.items()
    },
    **{
        f"layernorm_{name}_flat": img(make, nn.ReLU, lambda: flat(12))
        for name, make in _NORMS.items()
    },
    "layernorm_sequence": Example(
        ("seq",), lambda: chain(conv(3, (2,)), norm(8, 6), Erf(), gap()), channels_first=True
    ),
    "layernorm_eps": Example(
        ("vec_small",), lambda: chain(dense(5), norm(8, eps=1e-2), nn.ReLU(), dense(8, 1))
    ),
    "dropout_conv": img(
        lambda: chain(nn.ReLU(), nn.Dropout(0.2)), lambda: conv(8, (2, 2)), nn.ReLU, gap
    ),
    "dropout_before_pool": Example(
        ("seq",),
        lambda: chain(conv(3, (2,)), nn.ReLU(), nn.Dropout(0.2), gap()),
        channels_first=True,
    ),
    "dropout_flat": img(lambda: chain(nn.ReLU(), nn.Dropout(0.5)), lambda: flat(12)),
}
