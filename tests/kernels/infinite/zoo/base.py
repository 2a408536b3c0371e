"""What the networks of the zoo are built of: layers as the peer's recipes name them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit import networks

__all__ = [
    "WIDTH",
    "Apply",
    "B",
    "Border",
    "Example",
    "Mean",
    "Sum",
    "W",
    "add",
    "cat",
    "chain",
    "conv",
    "dense",
    "flat",
    "gap",
    "join",
    "local",
    "up",
]

WIDTH = 8
W, B = 1.3, 0.2
_CONV = {1: networks.Conv1d, 2: networks.Conv2d, 3: networks.Conv3d}
_UP = {1: networks.ConvTranspose1d, 2: networks.ConvTranspose2d, 3: networks.ConvTranspose3d}
_LOCAL = {1: networks.LocalConv1d, 2: networks.LocalConv2d, 3: networks.LocalConv3d}


@dataclass(frozen=True)
class Example:
    """A network of the zoo.

    Attributes:
        inputs: The names of its inputs in `data/zoo.npz`.
        make: The network.
        channels_first: Whether the first input goes in with its channels in front.
        masked: Whether the network takes, beside the points, which places are real (`[n, t, 1]`).
    """

    inputs: tuple[str, ...]
    make: Callable[[], nn.Module]
    channels_first: bool = False
    masked: bool = False


class Apply(nn.Module):
    """A function without weights, written out in a forward."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Mean(nn.Module):
    """Over all positions of `[n, channels, *positions]`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).mean(2)


class Sum(nn.Module):
    """Over all positions of `[n, channels, *positions]`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(2).sum(-1)


class Join(nn.Module):
    """Branches of one input, joined by a function."""

    def __init__(self, function: Callable[[list[Tensor]], Tensor], *branches: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return self.function([branch(x) for branch in self.branches])


class Border(nn.Module):
    """The border that the peer adds before windows; the odd sample comes last."""

    def __init__(
        self, kind: str, kernel: Sequence[int], stride: Sequence[int], size: Sequence[int]
    ) -> None:
        super().__init__()
        self.mode = "circular" if kind == "CIRCULAR" else "constant"
        self.sides: list[int] = []
        for n, k, s in reversed(list(zip(size, kernel, stride, strict=True))):
            total = max(0, (-(-n // s) - 1) * s + k - n)
            self.sides += [total // 2, total - total // 2]

    def forward(self, x: Tensor) -> Tensor:
        return functional.pad(x, self.sides, mode=self.mode)


def chain(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def join(function: Callable[[list[Tensor]], Tensor], *branches: nn.Module) -> nn.Module:
    return Join(function, *branches)


def add(parts: list[Tensor]) -> Tensor:
    return parts[0] + parts[1]


def cat(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts, 1)


def dense(n_in: int, n_out: int = WIDTH, w: float = W, b: float | None = B) -> nn.Module:
    return networks.Linear(n_in, n_out, bias=b is not None, w_std=w, b_std=b or 0.0)


def conv(
    n_in: int,
    kernel: tuple[int, ...],
    *,
    n_out: int = WIDTH,
    stride: tuple[int, ...] | None = None,
    border: str = "VALID",
    size: tuple[int, ...] = (),
    w: float = W,
    b: float | None = B,
) -> nn.Module:
    """A convolution behind the peer's border; `size` of what comes in matters only with one."""
    stride = stride or (1,) * len(kernel)
    layer = _CONV[len(kernel)](
        n_in, n_out, kernel, stride, bias=b is not None, w_std=w, b_std=b or 0.0
    )
    return layer if border == "VALID" else chain(Border(border, kernel, stride, size), layer)


def up(
    n_in: int, kernel: tuple[int, ...], stride: tuple[int, ...], border: str, n_out: int = WIDTH
) -> nn.Module:
    """A transposed convolution with the peer's border."""
    beyond = [max(0, s - k) for k, s in zip(kernel, stride, strict=True)]
    layer = _UP[len(kernel)](n_in, n_out, kernel, stride, 0, beyond, w_std=W, b_std=B)
    return layer if border == "VALID" else Cropped(layer, border)


class Cropped(nn.Module):
    """From all that a transposed convolution reaches to `stride` samples an input."""

    def __init__(self, layer: Any, border: str) -> None:
        super().__init__()
        self.layer = layer
        self.kernel, self.stride = layer.kernel_size, layer.stride
        self.wrapped = [
            -(-max(0, k - s) // s) if border == "CIRCULAR" else 0
            for k, s in zip(self.kernel, self.stride, strict=True)
        ]

    def forward(self, x: Tensor) -> Tensor:
        sizes = x.shape[2:]
        sides = [side for q in reversed(self.wrapped) for side in (q, q)]
        y = self.layer(functional.pad(x, sides, mode="circular") if any(sides) else x)
        for axis, (k, s) in enumerate(zip(self.kernel, self.stride, strict=True)):
            start = self.wrapped[axis] * s + max(0, k - s) // 2
            y = y.narrow(axis + 2, start, sizes[axis] * s)
        return y


def local(
    n_in: int, kernel: tuple[int, ...], stride: tuple[int, ...], border: str, size: tuple[int, ...]
) -> nn.Module:
    """A locally connected layer behind the peer's border."""
    if border == "VALID":
        return _LOCAL[len(kernel)](n_in, WIDTH, size, kernel, stride, w_std=W, b_std=B)
    edge = Border(border, kernel, stride, size)
    sides = edge.sides[::-1]
    wide = tuple(n + sides[2 * k] + sides[2 * k + 1] for k, n in enumerate(size))
    return chain(edge, _LOCAL[len(kernel)](n_in, WIDTH, wide, kernel, stride, w_std=W, b_std=B))


def gap() -> nn.Module:
    return chain(Mean(), dense(WIDTH, 1))


def flat(places: int, channels: int = WIDTH) -> nn.Module:
    return chain(nn.Flatten(), dense(channels * places, 1))
