"""Residual networks, U-nets and other joins of branches over positions."""

from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.networks import ConvTranspose2d
from ntkit.networks.activations import Erf
from tests.kernels.infinite.zoo.base import (
    Apply,
    B,
    Example,
    Mean,
    Sum,
    W,
    add,
    cat,
    chain,
    conv,
    dense,
    flat,
    gap,
    join,
)

__all__ = ["LARGE"]


def on(inputs: str, make: Any) -> Example:
    return Example((inputs,), make, channels_first=True)


def same(n_in: int = 8, n_out: int = 8, **options: Any) -> nn.Module:
    return conv(n_in, (3, 3), n_out=n_out, border="SAME", size=(8, 8), **options)


def down(size: int) -> nn.Module:
    return conv(8, (3, 3), stride=(2, 2), border="SAME", size=(size, size))


def block() -> nn.Module:
    return join(add, nn.Identity(), chain(nn.ReLU(), same(), nn.ReLU(), same()))


def narrower(size: int) -> nn.Module:
    return join(add, down(size), chain(nn.ReLU(), down(size), nn.ReLU(), same()))


def wide_resnet() -> nn.Module:
    return chain(same(1), block(), narrower(8), block(), narrower(4), block(), gap())


def myrtle() -> nn.Module:
    def one(n_in: int) -> nn.Module:
        return same(n_in, w=sqrt(2), b=None)

    body = [one(1), nn.ReLU(), one(8), nn.ReLU(), nn.AvgPool2d(2)]
    body += [p for _ in range(2) for p in (one(8), nn.ReLU(), nn.AvgPool2d(2))]
    return chain(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), dense(8, 1, sqrt(2), None))


def vgg() -> nn.Module:
    return chain(
        same(1), nn.ReLU(), same(), nn.ReLU(), nn.AvgPool2d(2), same(), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), dense(32), nn.ReLU(), dense(8, 1),
    )  # fmt: skip


class UNet(nn.Module):
    """One level: down, up again, beside what was there."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = same(1, 4)
        self.inner = same(4, 8)
        self.up = ConvTranspose2d(8, 4, 2, 2, w_std=W, b_std=B)
        self.last = same(8, 4)
        self.read = dense(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        high = torch.relu(self.enter(x))
        low = torch.relu(self.inner(nn.functional.avg_pool2d(high, 2)))
        high = torch.cat([high, torch.relu(self.up(low))], dim=1)
        return self.read(torch.relu(self.last(high)).mean(dim=(2, 3)))


class ResizingUNet(nn.Module):
    """The same with bilinear upsampling, flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.inner, self.last = same(1, 4), same(4, 6), same(10, 4)
        self.read = flat(64, 4)

    def forward(self, x: Tensor) -> Tensor:
        high = self.enter(x).relu()
        low = self.inner(nn.functional.avg_pool2d(high, 2)).relu()
        low = nn.functional.interpolate(low, scale_factor=2, mode="bilinear")
        return self.read(self.last(torch.cat((high, low), 1)).relu())


def img_same(n_in: int = 2, kernel: tuple[int, int] = (3, 3), n_out: int = 8) -> nn.Module:
    return conv(n_in, kernel, n_out=n_out, border="SAME", size=(5, 4))


def product(parts: list[Tensor]) -> Tensor:
    return parts[0] * parts[1]


def on_channels(layer: nn.Module) -> nn.Module:
    return chain(Apply(lambda x: x.movedim(1, -1)), layer, Apply(lambda x: x.movedim(-1, 1)))


def rows(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts, 2)


LARGE: dict[str, Example] = {
    "wide_resnet": on("even", wide_resnet),
    "myrtle": on("even", myrtle),
    "vgg_flatten": on("even", vgg),
    "unet": on("even", UNet),
    "unet_resize": on("even", ResizingUNet),
    "dense_net": on(
        "img",
        lambda: chain(
            join(cat, nn.Identity(), chain(img_same(2, n_out=4), nn.ReLU())),
            img_same(6, n_out=8),
            nn.ReLU(),
            gap(),
        ),
    ),
    "squeeze_product": on(
        "img",
        lambda: chain(
            join(
                product,
                chain(img_same(2, (2, 2)), nn.ReLU()),
                chain(img_same(2, (3, 3)), Erf()),
            ),
            conv(8, (2, 2)),
            nn.ReLU(),
            gap(),
        ),
    ),
    "conv_parallel_pools": on(
        "img",
        lambda: chain(
            img_same(),
            nn.ReLU(),
            join(add, chain(Mean(), dense(8)), chain(Sum(), dense(8))),
            nn.ReLU(),
            dense(8, 1),
        ),
    ),
    "concat_positions": on(
        "seq",
        lambda: chain(
            join(
                rows,
                conv(3, (3,)),
                chain(conv(3, (2,)), nn.ReLU(), on_channels(dense(8))),
            ),
            nn.ReLU(),
            conv(8, (3,)),
            nn.ReLU(),
            gap(),
        ),
    ),
    "concat_rows_flat": on(
        "img",
        lambda: chain(join(rows, conv(2, (2, 2)), conv(2, (3, 2))), nn.ReLU(), flat(21)),
    ),
    "mixer": on(
        "img",
        lambda: chain(
            conv(2, (1, 1)),
            join(add, nn.Identity(), chain(nn.ReLU(), conv(8, (1, 1)))),
            nn.GELU(),
            nn.AvgPool2d((5, 1), 1),
            conv(8, (1, 1)),
            nn.ReLU(),
            gap(),
        ),
    ),
}
