"""Convolutions, their transposes and locally connected layers: axes, borders, strides, sizes."""

from math import sqrt
from typing import Any

import torch
from torch import nn

from ntkit.networks.activations import Erf
from tests.cases import pin_
from tests.kernels.infinite.zoo.base import (
    Apply,
    B,
    Example,
    Mean,
    W,
    chain,
    conv,
    dense,
    flat,
    gap,
    local,
    up,
)

__all__ = ["CONVOLUTIONS"]

BORDERS = ("VALID", "SAME", "CIRCULAR")
SIZES = {"seq": (7,), "img": (5, 4), "tiny": (3, 2), "vol": (3, 4, 2)}
CHANNELS = {"seq": 3, "img": 2, "tiny": 2, "vol": 2}


def on(inputs: str, make: Any) -> Example:
    return Example((inputs,), make, channels_first=True)


def after(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...], border: str
) -> tuple[int, ...]:
    """Positions after a convolution."""
    full = [0 if border != "VALID" else k - 1 for k in kernel]
    return tuple(-(-(n - f) // s) for n, f, s in zip(size, full, stride, strict=True))


def windows(inputs: str, border: str, *layers: Any, flatten: bool = False) -> nn.Module:
    """Convolutions `(kernel, stride)`, ReLU after each, read out; a third entry is another border."""
    size, n_in, parts = SIZES[inputs], CHANNELS[inputs], []
    for kernel, stride, *other in layers:
        edge = other[0] if other else border
        parts += [conv(n_in, kernel, stride=stride, border=edge, size=size), nn.ReLU()]
        size, n_in = after(size, kernel, stride, edge), 8
    places = torch.Size(size).numel()
    return chain(*parts, flat(places) if flatten else gap())


def of_border(p: str) -> dict[str, Example]:
    found = {
        f"conv1d_{p}": on(
            "seq", lambda: windows("seq", p, ((4,), (1,)), ((3,), (2,)), flatten=True)
        ),
        f"conv1d_stride3_{p}": on("seq", lambda: windows("seq", p, ((2,), (3,)))),
        f"conv2d_even_{p}": on(
            "img", lambda: windows("img", p, ((2, 4), (1, 1)), ((4, 1), (1, 1)))
        ),
        f"conv2d_strides_{p}": on(
            "img",
            lambda: windows("img", p, ((3, 2), (2, 1)), ((2, 2), (1, 3), "SAME"), flatten=True),
        ),
        f"conv3d_{p}": on("vol", lambda: windows("vol", p, ((3, 2, 2), (1, 1, 1)))),
        f"conv3d_strides_{p}": on(
            "vol", lambda: windows("vol", p, ((2, 3, 1), (1, 2, 2)), flatten=True)
        ),
        f"local1d_{p}": on(
            "seq",
            lambda: chain(
                local(3, (3,), (2,), p, (7,)), nn.ReLU(), flat(*after((7,), (3,), (2,), p))
            ),
        ),
        f"local2d_{p}": on(
            "img",
            lambda: chain(
                local(2, (2, 3), (1, 1), p, (5, 4)), nn.ReLU(), conv(8, (2, 2)), nn.ReLU(), gap()
            ),
        ),
        f"local3d_{p}": on(
            "vol",
            lambda: chain(local(2, (2, 2, 1), (1, 1, 1), p, (3, 4, 2)), nn.ReLU(), gap()),
        ),
        f"up2d_{p}": on("tiny", lambda: chain(up(2, (3, 2), (2, 1), p), nn.ReLU(), gap())),
        f"up3d_{p}": on(
            "vol",
            lambda: chain(
                up(2, (2, 1, 3), (2, 1, 1), p),
                nn.ReLU(),
                flat(6 * 4 * (4 if p == "VALID" else 2)),
            ),
        ),
    }
    for k, s in ((2, 2), (3, 1), (3, 2), (2, 3), (4, 2)):
        places = 7 * s + (max(0, k - s) if p == "VALID" else 0)
        found[f"up1d_{k}_{s}_{p}"] = on(
            "seq",
            lambda k=k, s=s, n=places: chain(
                up(3, (k,), (s,), p), nn.ReLU(), gap() if s < 3 else flat(n)
            ),
        )
    return found


def standard(layer: Any, fan_in: int) -> Any:
    """A plain layer of exact variances `W^2 / fan_in` and `b^2`."""
    layer = layer.double()
    pin_(layer.weight, W / sqrt(fan_in))
    pin_(layer.bias, B)
    return layer


CONVOLUTIONS: dict[str, Example] = {
    **{name: example for p in BORDERS for name, example in of_border(p).items()},
    "conv_larger_than_image": on(
        "tiny", lambda: windows("tiny", "SAME", ((5, 7), (1, 1)), ((3, 5), (2, 2)))
    ),
    "conv_pointwise": on("img", lambda: windows("img", "VALID", *[((1, 1), (1, 1))] * 2)),
    "conv_no_bias": on(
        "img",
        lambda: chain(
            conv(2, (3, 3), border="SAME", size=(5, 4), b=None),
            nn.ReLU(),
            conv(8, (3, 3), border="SAME", size=(5, 4), b=None),
            nn.ReLU(),
            flat(20),
        ),
    ),
    "conv_standard": on(
        "img",
        lambda: chain(
            standard(nn.Conv2d(2, 6, 3, padding="same"), 18),
            nn.ReLU(),
            standard(nn.Conv2d(6, 5, 3, (2, 1), 1), 54),
            nn.ReLU(),
            nn.Flatten(),
            standard(nn.Linear(60, 1), 60),
        ),
    ),
    "up_standard": on(
        "tiny",
        lambda: chain(
            standard(nn.ConvTranspose2d(2, 6, 3, 2), 18), nn.ReLU(), Mean(), dense(6, 1).double()
        ),
    ),
    "pairs_of_positions": on(
        "tiny",
        lambda: chain(
            conv(2, (2, 2), border="SAME", size=(3, 2)),
            nn.ReLU(),
            conv(8, (3, 1), border="SAME", size=(3, 2)),
        ),
    ),
    "pairs_after_up": on(
        "tiny", lambda: chain(up(2, (2, 2), (2, 2), "VALID"), Erf(), conv(8, (2, 2)))
    ),
    "dense_on_pixels": on(
        "img",
        lambda: chain(
            conv(2, (2, 2)),
            nn.ReLU(),
            Apply(lambda x: x.permute(0, 2, 3, 1)),
            dense(8),
            nn.ReLU(),
            Apply(lambda x: x.mean((1, 2))),
            dense(8, 1),
        ),
    ),
}
