"""Pooling, resizing, cropping and other fixed maps of positions."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit.networks.activations import Erf
from tests.kernels.infinite.zoo.base import (
    Apply,
    Border,
    Example,
    Sum,
    chain,
    conv,
    dense,
    flat,
    gap,
)

__all__ = ["POOLS"]

_SIDES = {"SAME": "constant", "CIRCULAR": "circular"}


def img(*parts: Any) -> Example:
    return Example(("img",), lambda: chain(*[make() for make in parts]), channels_first=True)


def seq(*parts: Any) -> Example:
    return Example(("seq",), lambda: chain(*[make() for make in parts]), channels_first=True)


def first() -> nn.Module:
    """`Conv(2x2, SAME), Relu` on 5x4 pixels."""
    return chain(conv(2, (2, 2), border="SAME", size=(5, 4)), nn.ReLU())


def last() -> nn.Module:
    return chain(conv(8, (2, 2)), nn.ReLU(), gap())


def valid() -> nn.Module:
    return chain(conv(2, (2, 2)), nn.ReLU())


def on_channels_last(layer: nn.Module) -> nn.Module:
    """Dense layers on the channels of `[n, channels, *positions]`."""
    return chain(
        Apply(lambda x: x.movedim(1, -1)), layer, nn.ReLU(), Apply(lambda x: x.movedim(-1, 1))
    )


class EdgePool(nn.Module):
    """Mean over 3x3 windows, at the borders over what lies inside."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, 1, 1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(x)


def pool(border: str, kernel: tuple[int, ...], stride: tuple[int, ...], size: Any) -> nn.Module:
    layer = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}[len(kernel)](kernel, stride)
    return layer if border == "VALID" else chain(Border(border, kernel, stride, size), layer)


def of_border(p: str) -> dict[str, Example]:
    def averages() -> nn.Module:
        return pool(p, (3, 3), (1, 1), (5, 4))

    def sums() -> nn.Module:
        return Apply(lambda x: 9 * x)

    places = 2 * 3 if p == "VALID" else 3 * 4
    return {
        f"avg_{p}_False": img(first, averages, last),
        f"avg_{p}_True": img(first, EdgePool if p == "SAME" else averages, last),
        f"avg_even_{p}": img(first, lambda: pool(p, (2, 2), (2, 1), (5, 4)), lambda: flat(places)),
        f"sum_{p}": img(
            first,
            lambda: pool(p, (3, 3), (2, 2), (5, 4)),
            sums,
            lambda: on_channels_last(dense(8)),
            gap,
        ),
        f"avg1d_{p}": seq(
            lambda: conv(3, (2,)),
            nn.ReLU,
            lambda: pool(p, (3,), (2,), (6,)),
            lambda: Apply(lambda x: x.mT),
            lambda: dense(8),
            Erf,
            lambda: Apply(lambda x: x.mean(dim=-2)),
            lambda: dense(8, 1),
        ),
        f"avg3d_{p}": Example(
            ("vol",),
            lambda: chain(
                conv(2, (2, 2, 1)),
                nn.ReLU(),
                pool(p, (2, 3, 1), (1, 1, 1), (2, 3, 2)),
                flat(2 if p == "VALID" else 12),
            ),
            channels_first=True,
        ),
    }


def resized(size: tuple[int, ...], **options: Any) -> Example:
    return img(
        lambda: on_channels_last(dense(2)),
        lambda: Apply(lambda x: functional.interpolate(x, size, **options)),
        last,
    )


class Weighted(nn.Module):
    """A fixed matrix on the positions."""

    def __init__(self) -> None:
        super().__init__()
        table = torch.arange(18.0, dtype=torch.float64).reshape(3, 6) / 18 - 0.4
        self.register_buffer("table", table)

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.table.to(x.dtype).T


POOLS: dict[str, Example] = {
    **{name: e for p in ("VALID", "SAME", "CIRCULAR") for name, e in of_border(p).items()},
    "sum_global": seq(lambda: conv(3, (3,)), nn.ReLU, Sum, lambda: dense(8, 1)),
    "avg_global_volume": Example(
        ("vol",),
        lambda: chain(
            conv(2, (2, 2, 2), border="SAME", size=(3, 4, 2)),
            nn.ReLU(),
            conv(8, (2, 2, 1)),
            nn.ReLU(),
            nn.AdaptiveAvgPool3d(1),
            nn.Flatten(),
            dense(8, 1),
        ),
        channels_first=True,
    ),
    "pool_of_inputs": img(lambda: nn.AvgPool2d(2, (1, 2)), valid, gap),
    "flatten_of_inputs": img(nn.Flatten, lambda: dense(40), nn.ReLU, lambda: dense(8, 1)),
    "gap_then_deep": img(
        lambda: conv(2, (3, 3)),
        nn.ReLU,
        lambda: Apply(lambda x: torch.mean(x, (-2, -1))),
        lambda: dense(8),
        nn.ReLU,
        lambda: dense(8),
        Erf,
        lambda: dense(8, 1),
    ),
    "flatten_then_deep": img(
        lambda: conv(2, (3, 3)),
        nn.ReLU,
        lambda: Apply(lambda x: x.view(x.shape[0], -1)),
        lambda: dense(48),
        nn.ReLU,
        lambda: dense(8, 1),
    ),
    "resize_linear_up": resized((9, 6), mode="bilinear"),
    "resize_linear_down": resized((3, 2), mode="bilinear", antialias=True),
    "resize_linear_down_plain": resized((3, 2), mode="bilinear", align_corners=False),
    "resize_linear_mixed": resized((3, 7), mode="bilinear", antialias=True),
    "resize_nearest_up": resized((9, 8), mode="nearest-exact"),
    "resize_nearest_down": resized((3, 2), mode="nearest-exact"),
    "resize_sequence": seq(
        lambda: conv(3, (2,)),
        nn.ReLU,
        lambda: nn.Upsample(11, mode="linear"),
        lambda: on_channels_last(dense(8)),
        gap,
    ),
    "index_slices": img(
        valid,
        lambda: Apply(lambda x: x.flip(2)[..., 1:]),
        lambda: on_channels_last(dense(8)),
        gap,
    ),
    "index_one": img(
        valid, lambda: Apply(lambda x: x[:, :, 2]), lambda: conv(8, (2,)), nn.ReLU, gap
    ),
    "index_position": seq(
        lambda: conv(3, (3,)),
        nn.ReLU,
        lambda: Apply(lambda x: x[..., -1]),
        lambda: dense(8),
        nn.ReLU,
        lambda: dense(8, 1),
    ),
    "dot_positions": seq(lambda: conv(3, (2,)), nn.ReLU, Weighted, lambda: flat(3)),
}
