"""A network that is being put together: its layers at a width, and what passes between them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from random import Random
from typing import Any, Literal

import torch
from torch import nn

from ntkit import networks
from tests.fuzz.activations import ACTIVATIONS, OWN_NAMES

__all__ = ["Drawing", "Initialisation", "Kind", "normal", "weighted"]

Kind = Literal["vector", "tokens", "maps"]
Initialisation = Literal["ntk", "normal", "uniform", "torch"]

_CONV = {
    1: (networks.Conv1d, nn.Conv1d),
    2: (networks.Conv2d, nn.Conv2d),
    3: (networks.Conv3d, nn.Conv3d),
}
_UP = {
    1: (networks.ConvTranspose1d, nn.ConvTranspose1d),
    2: (networks.ConvTranspose2d, nn.ConvTranspose2d),
    3: (networks.ConvTranspose3d, nn.ConvTranspose3d),
}
_BATCH = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass
class Drawing:
    """The choices made so far. They do not depend on the width, so that a seed is an architecture.

    Attributes:
        rng: Source of every choice.
        width: Units of a hidden layer.
        initialisation: Of all layers: those of `ntkit.networks`, or plain ones, drawn normal or
            uniform with a gain, or as torch does.
        bias_std: Of the biases of plain layers that are not torch's own.
        kind: What passes: `[n, c]`, `[n, t, c]` or `[n, c, *sizes]`.
        sizes: Of the positions.
        channels: How many.
        gains: By the identity of a plain layer, the variance of its weights times their fan-in.
        words: What was drawn, for the report.
    """

    rng: Random
    width: int
    initialisation: Initialisation
    bias_std: float = 0.3
    kind: Kind = "vector"
    sizes: tuple[int, ...] = ()
    channels: int = 0
    gains: dict[int, float] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def pick(self, *options: Any) -> Any:
        return self.rng.choice(options)

    @property
    def takes_few(self) -> bool:
        """Whether inputs may be few: sums of few uniform weights are not normal at any width."""
        return self.initialisation in {"ntk", "normal"}

    def first(self, n_in: int) -> nn.Module:
        """A dense layer to the width; vectors pass from here on."""
        self.channels = self.width
        return self.dense(n_in, self.width)

    @property
    def axis(self) -> int:
        """Of the channels."""
        return 1 if self.kind == "maps" else -1

    def dense(self, n_in: int, n_out: int, *, bias: bool | None = None) -> nn.Module:
        """A dense layer."""
        bias = self.chance(0.6) if bias is None else bias
        gain, b_std = self.pick(0.8, 1.0, 1.4, 2.0), self.pick(0.1, 0.3, 1.0)
        if self.initialisation == "ntk":
            return networks.Linear(n_in, n_out, bias, w_std=gain**0.5, b_std=b_std)
        return self.plain(nn.Linear(n_in, n_out, bias), gain)

    def plain(self, layer: nn.Module, gain: float) -> nn.Module:
        """The layer of torch, with its gain noted."""
        self.gains[id(layer)] = gain
        return layer

    def conv(self, n_in: int, n_out: int, *, keeps: bool = False, simple: bool = False) -> Any:
        """A convolution with options; `keeps` its sizes."""
        axes = len(self.sizes)
        kernel = tuple(self.pick(1, 2, 3, 3) for _ in self.sizes)
        kernel = tuple(min(k, n) for k, n in zip(kernel, self.sizes, strict=True))
        options: dict[str, Any] = {"bias": self.chance(0.6)}
        if keeps:
            kernel = tuple(k - 1 + k % 2 for k in kernel)
            options["padding"] = tuple(k // 2 for k in kernel)
        elif self.chance(0.4):
            options["padding"] = tuple(k // 2 for k in kernel)
        if not keeps and self.chance(0.3):
            options["stride"] = 2
        elif (
            not keeps
            and self.chance(0.2)
            and all(2 * k <= n for k, n in zip(kernel, self.sizes, strict=True))
        ):
            options["dilation"] = 2
        if self.chance(0.15) and "padding" in options:
            options["padding_mode"] = self.pick("circular", "reflect", "replicate")
            if axes == 3:  # torch has no others there
                options["padding_mode"] = "circular"
        can = not simple and n_in % 2 == 0 and n_in > 8 and self.initialisation != "ntk"
        groups = 2 if can and self.chance(0.2) else 1
        gain = self.pick(1.0, 1.4, 2.0)
        ours, plain = _CONV[axes]
        if self.initialisation == "ntk":
            layer: Any = ours(n_in, n_out, kernel, w_std=gain**0.5, b_std=0.3, **options)
        else:
            layer = self.plain(plain(n_in, n_out, kernel, groups=groups, **options), gain)
        self.sizes = tuple(
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, p, d, s in zip(
                self.sizes, kernel, _each(layer.padding, axes), _each(layer.dilation, axes),
                _each(layer.stride, axes), strict=True,
            )
        )  # fmt: skip
        return layer

    def depthwise(self) -> nn.Module:
        """One filter a channel, of plain torch."""
        axes = len(self.sizes)
        kind = _CONV[axes][1]
        layer = kind(self.channels, self.channels, 3, padding=1, groups=self.channels)
        return self.plain(layer, 1.0)

    def up(self) -> nn.Module:
        """A transposed convolution."""
        ours, plain = _UP[len(self.sizes)]
        stride, kernel = self.pick((1, 3), (2, 2), (2, 3))
        self.sizes = tuple((n - 1) * stride + kernel for n in self.sizes)
        if self.initialisation == "ntk":
            return ours(self.channels, self.width, kernel, stride, w_std=1.3, b_std=0.3)
        return self.plain(plain(self.channels, self.width, kernel, stride), 1.7)

    def layer(self, n_out: int | None = None, *, keeps: bool = False) -> nn.Module:
        """Fresh weights over the channels, of the kind that goes with what passes."""
        n_in, n_out = self.channels, n_out or self.width
        made = (
            self.conv(n_in, n_out, keeps=keeps) if self.kind == "maps" else self.dense(n_in, n_out)
        )
        self.channels = n_out
        return made

    def act(self) -> nn.Module:
        """A nonlinearity; the common ones more often."""
        names = list(ACTIVATIONS)
        common = ("ReLU", "GELU", "Tanh", "SiLU", "Sine")
        name = self.pick(*common) if self.chance(0.5) else self.pick(*names)
        if self.kind != "vector" and name in OWN_NAMES:
            name = "ReLU"
        self.words.append(name)
        return ACTIVATIONS[name](self.rng)

    def norm(self) -> nn.Module:
        """A normalisation of what passes."""
        affine = self.chance(0.15 if self.initialisation == "ntk" else 0.7)
        c = self.channels
        kinds = {
            "vector": ("LayerNorm", "RMSNorm", "BatchNorm", "GroupNorm"),
            "tokens": ("LayerNorm", "LayerNorm", "RMSNorm"),
            "maps": ("BatchNorm", "GroupNorm"),
        }
        name = self.pick(*kinds[self.kind])
        self.words.append(name)
        if name == "BatchNorm":
            norm = _BATCH[len(self.sizes)](c, affine=affine)
            if self.chance(0.5):
                norm.running_var.fill_(self.pick(0.4, 0.7, 2.0))
            return norm
        if name == "GroupNorm":
            return nn.GroupNorm(self.pick(1, 2), c, affine=affine)
        shape = (self.sizes[0], c) if self.kind == "tokens" and self.chance(0.2) else (c,)
        if name == "LayerNorm":
            return nn.LayerNorm(shape, elementwise_affine=affine)
        return nn.RMSNorm(shape, eps=self.pick(None, 0.1), elementwise_affine=affine)

    def aside(self, build: Callable[[], list[nn.Module]]) -> nn.Sequential:
        """A branch: what passes afterwards is as it was."""
        before = self.kind, self.sizes, self.channels
        made = nn.Sequential(*build())
        self.kind, self.sizes, self.channels = before
        return made

    @property
    def positions(self) -> int:
        return prod(self.sizes)


def _each(value: Any, axes: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * axes


def weighted(rng: Random, table: dict[str, tuple[float, Any]]) -> str:
    """A name out of a table of weights."""
    names = list(table)
    return rng.choices(names, [table[name][0] for name in names])[0]


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)
