"""The networks of the reference values, by their names there: recipes in neural-tangents' words.

Widths are arbitrary (8) where the recipe is in the NTK parametrisation, whose limit has none. Images
are NCHW here, NHWC there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit.networks import (
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Linear,
    LocalConv2d,
    SelfAttention,
)
from tests.cases import pin_

WIDTH = 8
Padding = Literal["SAME", "CIRCULAR", "VALID"]


@dataclass(frozen=True)
class Recipe:
    """A network, and the points it takes.

    Attributes:
        inputs: Their name among the reference inputs.
        make: The network.
        channels_first: Whether it takes images and sequences with the channels in front.
    """

    inputs: str
    make: Callable[[], nn.Module]
    channels_first: bool = False

    def points(self, x: Tensor) -> Tensor:
        """Reference inputs, channels last, as the network takes them."""
        return x.movedim(-1, 1).contiguous() if self.channels_first else x


class Apply(nn.Module):
    """A function without weights, written out in a forward."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Residual(nn.Module):
    """`shortcut(x) + branch(x)`."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.branch(x)


class Both(nn.Module):
    """Two branches of one input, joined by a function."""

    def __init__(
        self, first: nn.Module, second: nn.Module, join: Callable[[Any, Any], Any]
    ) -> None:
        super().__init__()
        self.first = first
        self.second = second
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        return self.join(self.first(x), self.second(x))


def dense(n_in: int, n_out: int = WIDTH, *, w: float = 1.5, b: float | None = 0.3) -> Linear:
    """`Dense(n_out, W_std=w, b_std=b)`."""
    return Linear(n_in, n_out, bias=b is not None, w_std=w, b_std=b or 0.0)


def fully_connected(depth: int, *, w: float, b: float | None, n_in: int = 5) -> nn.Sequential:
    """`depth x [Dense, Relu], Dense`."""
    hidden = [
        layer for k in range(depth) for layer in (dense(WIDTH if k else n_in, w=w, b=b), nn.ReLU())
    ]
    return nn.Sequential(*hidden, dense(WIDTH if depth else n_in, 1, w=w, b=b))


def padded(
    padding: Padding, size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int]
) -> list[nn.Module]:
    """The border that jax adds for "SAME" (and fills for "CIRCULAR"): the odd sample comes last."""
    if padding == "VALID":
        return []
    sides: list[int] = []
    for n, k, s in reversed(list(zip(size, kernel, stride, strict=True))):
        total = max(0, (-(-n // s) - 1) * s + k - n)
        sides += [total // 2, total - total // 2]
    if padding == "SAME":
        return [nn.ZeroPad2d(tuple(sides))]
    return [nn.CircularPad2d(tuple(sides))]


def conv(n_in: int, n_out: int = WIDTH, *, w: float = 1.5, b: float | None = 0.3) -> Conv2d:
    """`Conv(3x3, SAME)`."""
    return Conv2d(n_in, n_out, 3, padding=1, bias=b is not None, w_std=w, b_std=b or 0.0)


def _mean(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def read_out(kind: str, places: int, *, w: float = 1.5, b: float | None = 0.3) -> list[nn.Module]:
    """Flatten or pool globally, then a dense layer."""
    if kind == "flatten":
        return [nn.Flatten(), dense(WIDTH * places, 1, w=w, b=b)]
    return [Apply(_mean), dense(WIDTH, 1, w=w, b=b)]


def two_convolutions(padding: Padding, kind: str, channels: int, places: int) -> nn.Sequential:
    """`2 x [Conv(3x3, padding), Relu]`, read out."""

    def one(n_in: int) -> Conv2d:
        if padding == "CIRCULAR":
            return Conv2d(n_in, WIDTH, 3, padding=1, padding_mode="circular", w_std=1.5, b_std=0.3)
        return Conv2d(n_in, WIDTH, 3, padding=padding.lower(), w_std=1.5, b_std=0.3)

    return nn.Sequential(one(channels), nn.ReLU(), one(WIDTH), nn.ReLU(), *read_out(kind, places))


def strided(padding: Padding, kind: str) -> nn.Sequential:
    """`Conv(3x3, stride 2, padding), Relu, Conv(2x3, strides (1, 2), SAME), Relu`, read out."""
    size = 2 if padding == "VALID" else 3
    return nn.Sequential(
        *padded(padding, (6, 6), (3, 3), (2, 2)),
        Conv2d(2, WIDTH, 3, stride=2, w_std=1.5, b_std=0.3),
        nn.ReLU(),
        *padded("SAME", (size, size), (2, 3), (1, 2)),
        Conv2d(WIDTH, WIDTH, (2, 3), stride=(1, 2), w_std=1.5, b_std=0.3),
        nn.ReLU(),
        *read_out(kind, size * -(-size // 2)),
    )


def pooled(kind: str) -> nn.Sequential:
    """`Conv(3x3, SAME), Relu, AvgPool(2x2, stride 2), Conv(3x3, SAME), Relu`, read out."""
    return nn.Sequential(
        conv(2), nn.ReLU(), nn.AvgPool2d(2), conv(WIDTH), nn.ReLU(), *read_out(kind, 9)
    )


def standard(layer: nn.Linear | nn.Conv2d, *, w: float, b: float | None) -> nn.Module:
    """A plain layer whose entries' mean squares are those of `W_std / sqrt(fan_in)` and `b_std`."""
    fan_in = layer.weight[0].numel()
    pin_(layer.weight, w / sqrt(fan_in))
    if b is not None and layer.bias is not None:
        pin_(layer.bias, b)
    return layer


def standard_dense(b: float | None) -> nn.Sequential:
    """`Dense(16), Relu, Dense(24), Relu, Dense(1)`."""
    sizes = [(5, 16), (16, 24), (24, 1)]
    layers = [
        standard(nn.Linear(*s, bias=b is not None, dtype=torch.float64), w=1.5, b=b) for s in sizes
    ]
    return nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])


def standard_convolution() -> nn.Sequential:
    """`2 x [Conv(16 ch, 3x3 SAME), Relu], GlobalAvgPool, Dense`."""
    first, second = (nn.Conv2d(c, 16, 3, padding=1, dtype=torch.float64) for c in (2, 16))
    last = nn.Linear(16, 1, dtype=torch.float64)
    first, second, last = (standard(k, w=1.5, b=0.3) for k in (first, second, last))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), Apply(_mean), last)


def block(stride: int = 1, *, projected: bool = False) -> nn.Module:
    """`shortcut + (Relu, Conv3x3, Relu, Conv3x3)` on 6x6 pixels; a projection is a convolution."""

    def first() -> list[nn.Module]:
        pad = padded("SAME", (6, 6), (3, 3), (stride, stride))
        return [*pad, Conv2d(WIDTH, WIDTH, 3, stride=stride, w_std=1.5, b_std=0.3)]

    branch = nn.Sequential(nn.ReLU(), *first(), nn.ReLU(), conv(WIDTH))
    return Residual(branch, nn.Sequential(*first()) if projected else None)


def wide_resnet_flatten() -> nn.Sequential:
    return nn.Sequential(
        conv(2),
        block(projected=True),
        block(),
        block(2, projected=True),
        nn.AvgPool2d(3),
        nn.Flatten(),
        dense(WIDTH, 1, w=1.0, b=None),
    )


def wide_resnet_pooled() -> nn.Sequential:
    return nn.Sequential(conv(2), block(projected=True), block(), *read_out("gap", 1))


def attention(
    scores: Any = "softmax",
    *,
    scaling: Any = "linear",
    bias: float | None = None,
    **embedding: Any,
) -> SelfAttention:
    """`GlobalSelfAttention` with key 1.2, value 1.1, query 0.9, out 1.3."""
    return SelfAttention(
        WIDTH,
        WIDTH,
        2,
        4,
        4,
        bias is not None,
        scores=scores,
        scaling=scaling,
        query_std=0.9,
        key_std=1.2,
        value_std=1.1,
        out_std=1.3,
        b_std=bias or 0.0,
        **embedding,
    )


def _mean_of_tokens(x: Tensor) -> Tensor:
    return x.mean(1)


def attending(scores: str) -> nn.Sequential:
    return nn.Sequential(
        dense(4),
        nn.ReLU(),
        attention(scores, bias=0.2),
        nn.ReLU(),
        Apply(_mean_of_tokens),
        dense(WIDTH, 1),
    )


def _decay(distance: Tensor) -> Tensor:
    return 1 / (1 + distance**2)


def attending_with_places(embedding: str) -> nn.Sequential:
    return nn.Sequential(
        dense(4),
        attention(
            embedding=embedding,
            embedding_std=0.8,
            embedding_decay=_decay,
            embed_values=True,
            positions=(5,),
        ),
        nn.ReLU(),
        nn.Flatten(),
        dense(5 * WIDTH, 1),
    )


def attending_to_pixels() -> nn.Sequential:
    return nn.Sequential(
        conv(2),
        nn.ReLU(),
        Apply(lambda x: x.permute(0, 2, 3, 1)),
        attention(),
        nn.ReLU(),
        Apply(lambda x: x.mean((1, 2))),
        dense(WIDTH, 1),
    )


def _relu_cases() -> dict[str, Recipe]:
    root = sqrt(2)
    found = {}
    for inputs, depth, b in (
        ("vec", 1, 0.3),
        ("vec", 2, 0.3),
        ("vec", 8, None),
        ("vec", 8, 0.3),
        ("vec_hard", 2, 0.3),
        ("vec_hard", 4, 0.3),
        ("vec_hard", 8, None),
        ("sphere", 1, None),
        ("sphere", 1, 0.3),
        ("sphere", 4, None),
        ("sphere", 8, 0.3),
    ):
        found[f"fc_relu_{inputs}_d{depth}_b{b}"] = Recipe(
            inputs, lambda depth=depth, b=b: fully_connected(depth, w=root, b=b)
        )
    found["fc_relu_stabilized_d8"] = Recipe("vec_hard", lambda: fully_connected(8, w=root, b=None))
    found["fc_relu_d50"] = Recipe("vec", lambda: fully_connected(50, w=root, b=None))
    found["linear"] = Recipe("vec", lambda: dense(5, 1))
    for b in (None, 0.3):
        found[f"param_ntk_b{b}"] = Recipe("vec", lambda b=b: fully_connected(2, w=1.5, b=b))
    found["param_standard_bNone"] = Recipe("vec", lambda: standard_dense(None))
    return found


def _convolutions() -> dict[str, Recipe]:
    found = {}
    for inputs, channels, size in (("img", 2, (6, 6)), ("img_odd", 3, (5, 7))):
        for padding in ("SAME", "CIRCULAR", "VALID"):
            crop = 4 if padding == "VALID" else 0
            places = (size[0] - crop) * (size[1] - crop)
            for kind in ("flatten", "gap"):
                if inputs == "img" and kind == "gap" and padding != "VALID":
                    continue  # no such reference
                found[f"conv_{inputs}_{padding}_{kind}"] = Recipe(
                    inputs,
                    lambda p=padding, k=kind, c=channels, n=places: two_convolutions(p, k, c, n),
                    channels_first=True,
                )
    for kind in ("flatten", "gap"):
        for padding in ("SAME", "CIRCULAR", "VALID"):
            if kind == "gap" and padding == "CIRCULAR":
                continue  # no such reference
            found[f"conv_stride2_{padding}_{kind}"] = Recipe(
                "img", lambda p=padding, k=kind: strided(p, k), channels_first=True
            )
            # 6 pixels in windows of 2: no border, whatever it would hold
            found[f"conv_avgpool_{padding}_{kind}"] = Recipe(
                "img", lambda k=kind: pooled(k), channels_first=True
            )
    return found


def _image(*layers: Callable[[], nn.Module]) -> Recipe:
    return Recipe("img", lambda: nn.Sequential(*[make() for make in layers]), channels_first=True)


def _pooled_read_out() -> nn.Module:
    return nn.Sequential(*read_out("gap", 1))


def _erf() -> nn.Module:
    return Apply(torch.erf)


RECIPES: dict[str, Recipe] = {
    **_relu_cases(),
    "residual_fc": Recipe(
        "vec",
        lambda: nn.Sequential(
            dense(5),
            Residual(nn.Sequential(nn.ReLU(), dense(WIDTH), nn.ReLU(), dense(WIDTH))),
            nn.ReLU(),
            dense(WIDTH, 1),
        ),
    ),
    "layernorm_fc": Recipe(
        "vec",
        lambda: nn.Sequential(
            dense(5),
            nn.LayerNorm(WIDTH, eps=1e-12, elementwise_affine=False),
            nn.ReLU(),
            dense(WIDTH),
            nn.LayerNorm(WIDTH, eps=1e-12, elementwise_affine=False),
            nn.ReLU(),
            dense(WIDTH, 1),
        ),
    ),
    "dropout_fc": Recipe(
        "vec",
        lambda: nn.Sequential(
            dense(5), nn.ReLU(), nn.Dropout(0.2), dense(WIDTH), nn.ReLU(), dense(WIDTH, 1)
        ),
    ),
    **_convolutions(),
    "conv_sumpool": _image(
        lambda: conv(2),
        nn.ReLU,
        lambda: Apply(lambda x: 4 * functional.avg_pool2d(x, 2)),
        lambda: conv(WIDTH),
        lambda: Apply(lambda x: x.sum((2, 3))),
        lambda: dense(WIDTH, 1, w=1.0, b=None),
    ),
    "conv_standard_gap": _image(standard_convolution),
    "conv_layernorm_channel": _image(
        lambda: conv(2),
        lambda: Apply(lambda x: x.permute(0, 2, 3, 1)),
        lambda: nn.LayerNorm(WIDTH, eps=1e-12, elementwise_affine=False),
        lambda: Apply(lambda x: x.permute(0, 3, 1, 2)),
        nn.ReLU,
        _pooled_read_out,
    ),
    "conv_transpose_stride2": _image(
        lambda: ConvTranspose2d(2, WIDTH, 3, stride=2, w_std=1.5, b_std=0.3),
        lambda: Apply(lambda x: x[:, :, :12, :12]),  # SAME: 13 less the last
        nn.ReLU,
        _pooled_read_out,
    ),
    "conv_local_flatten": _image(
        lambda: LocalConv2d(2, WIDTH, 6, 3, w_std=1.5, b_std=0.3),
        nn.ReLU,
        lambda: nn.Sequential(*read_out("flatten", 16)),
    ),
    "conv_1d_gap": Recipe(
        "seq",
        lambda: nn.Sequential(
            Conv1d(4, WIDTH, 3, padding=1, w_std=1.5, b_std=0.3),
            nn.ReLU(),
            Apply(lambda x: x.mean(2)),
            dense(WIDTH, 1),
        ),
        channels_first=True,
    ),
    "image_resize_linear": _image(
        lambda: conv(2),
        nn.ReLU,
        lambda: Apply(lambda x: functional.interpolate(x, (3, 3), mode="bilinear", antialias=True)),
        lambda: conv(WIDTH),
        nn.ReLU,
        _pooled_read_out,
    ),
    "index_crop": _image(
        lambda: conv(2),
        nn.ReLU,
        lambda: Apply(lambda x: x[:, :, 1:5, ::2]),
        lambda: nn.Sequential(*read_out("flatten", 12)),
    ),
    "wide_resnet_small_flatten": _image(wide_resnet_flatten),
    "wide_resnet_small_gap": _image(wide_resnet_pooled),
    "myrtle_like": _image(
        lambda: conv(2, b=None),
        nn.ReLU,
        lambda: nn.AvgPool2d(2),
        lambda: conv(WIDTH, b=None),
        nn.ReLU,
        lambda: nn.Sequential(*read_out("gap", 1, b=None)),
    ),
    **{
        f"attn_linear_{scores.upper()}": Recipe("seq", lambda scores=scores: attending(scores))
        for scores in ("softmax", "identity", "abs", "relu")
    },
    "attn_sqrt_IDENTITY": Recipe(
        "seq",
        lambda: nn.Sequential(
            dense(4), attention("identity", scaling="sqrt"), nn.Flatten(), dense(5 * WIDTH, 1)
        ),
    ),
    **{
        f"attn_linear_SOFTMAX_pos_{kind.upper()}": Recipe(
            "seq", lambda kind=kind: attending_with_places(kind)
        )
        for kind in ("sum", "concat")
    },
    "attn_2d": _image(attending_to_pixels),
}
"""Every case whose nonlinearities are piecewise linear."""

SMOOTH: dict[str, Recipe] = {
    "residual_fc_x3": Recipe(
        "vec",
        lambda: nn.Sequential(
            dense(5),
            *[Residual(nn.Sequential(_erf(), dense(WIDTH))) for _ in range(3)],
            dense(WIDTH, 1),
        ),
    ),
    "fan_in_prod_fc": Recipe(
        "vec",
        lambda: nn.Sequential(
            Both(
                nn.Sequential(dense(5), nn.ReLU()),
                nn.Sequential(dense(5), _erf()),
                lambda a, b: a * b,
            ),
            dense(WIDTH, 1),
        ),
    ),
    "fan_in_concat_fc": Recipe(
        "vec",
        lambda: nn.Sequential(
            Both(
                nn.Sequential(dense(5, 16), nn.ReLU()),
                nn.Sequential(dense(5, 48), _erf()),
                lambda a, b: torch.cat([a, b], 1),
            ),
            dense(64, 1),
        ),
    ),
    "conv_erf_gap": _image(lambda: conv(2), _erf, lambda: conv(WIDTH), _erf, _pooled_read_out),
    "conv_gelu_gap": _image(lambda: conv(2), nn.GELU, _pooled_read_out),
}
"""Cases with erf and GELU."""


def full_spatial() -> nn.Sequential:
    """`Conv3x3 SAME, Relu, Conv3x3 SAME`: `positions="pairs"` of its output."""
    return nn.Sequential(conv(2), nn.ReLU(), conv(WIDTH))
