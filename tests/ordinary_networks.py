"""Networks as people write them, of any width."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ntkit import encodings, networks
from ntkit.networks import Linear

__all__ = ["ORDINARY", "Written", "written"]

relu = torch.relu


@dataclass(frozen=True)
class Written:
    """A network as somebody writes it.

    Attributes:
        layers: By name, as a function of the width and the outputs.
        forward: `forward(net, x)`.
        shape: Of one point.
    """

    layers: Callable[[int, int], dict[str, nn.Module | nn.Parameter]]
    forward: Callable[[nn.Module, Tensor], Tensor]
    shape: tuple[int, ...] = (3,)

    def network(self, width: int, outputs: int = 1, seed: int = 0) -> nn.Module:
        """The network, in float64 and eval mode, drawn with a seed of its own."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return written(self.layers(width, outputs), self.forward).double().eval()


def written(layers: dict[str, nn.Module | nn.Parameter], forward: Callable) -> nn.Module:
    """A module of a class of its own, with these attributes and this forward."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, layer in layers.items():
                setattr(self, name, layer)

        def forward(self, x: Tensor) -> Tensor:
            return forward(self, x)

    return Net()


def hidden(*sizes: int) -> Callable[[int, int], dict[str, nn.Module | nn.Parameter]]:
    """Dense layers `a`, `b`, ... on `d` inputs: `sizes` in widths, and a read-out `o`."""

    def layers(w: int, o: int) -> dict[str, nn.Module | nn.Parameter]:
        found: dict[str, nn.Module | nn.Parameter] = {}
        for name, size in zip("abcdef", sizes, strict=False):
            found[name] = nn.Linear(size if size < 8 else w, w)
        return found | {"o": nn.Linear(w, o, bias=False)}

    return layers


W = 8
"""Stands for the width in `hidden`."""


def residual(net, x: Tensor) -> Tensor:
    h = net.a(x)
    h = h + net.b(h.relu())
    h = h - 0.5 * net.c(functional.gelu(h)) + h
    return net.o(relu(h / 2**0.5))


def in_place(net, x: Tensor) -> Tensor:
    h = net.a(x)
    kept = h
    h = net.b(functional.relu(h, inplace=True))
    h += kept  # which is rectified by now
    return net.o(h)


def added_in_place(net, x: Tensor) -> Tensor:
    h = net.a(x)
    kept = h
    h += net.b(relu(h))
    return net.o(net.c(relu(h)) + kept)


def without_gradients(net, x: Tensor) -> Tensor:
    with torch.no_grad():
        h = relu(net.b(relu(net.a(x))))
    return net.o(relu(net.c(h)))


def gate(net, x: Tensor) -> Tensor:
    a, b = net.a(x).chunk(2, dim=-1)
    return net.o(a * torch.sigmoid(b))


def squeeze_and_excite(net, x: Tensor) -> Tensor:
    h = relu(net.stem(x))
    g = torch.sigmoid(net.b(relu(net.a(h.mean((2, 3))))))
    h = h * g[:, :, None, None]
    return net.o(relu(net.conv(h)).mean(dim=[-1, -2]))


def convnext(net, x: Tensor) -> Tensor:
    x = net.stem(x)
    h = net.depthwise(x).permute(0, 2, 3, 1)
    h = net.scale * net.b(functional.gelu(net.a(net.norm(h))))
    x = x + h.permute(0, 3, 1, 2)
    return net.o(x.mean([-2, -1]))


def vit(net, x: Tensor) -> Tensor:
    x = net.patches(x).flatten(2).transpose(1, 2)
    x = torch.cat([net.token.expand(x.shape[0], -1, -1), x], dim=1)
    x = x + net.position[:, : x.shape[1]]
    x = x + net.attention(net.norm(x))
    x = x + net.b(functional.gelu(net.a(x)))
    return net.o(x[:, 0])


def unet(net, x: Tensor) -> Tensor:
    top = relu(net.down(x))
    low = relu(net.inner(functional.avg_pool2d(top, 2)))
    up = functional.interpolate(low, scale_factor=2, mode="bilinear")
    return net.o(relu(net.join(torch.cat([net.up(low), up, top], dim=1)))).mean((2, 3))


def resnet(net, x: Tensor) -> Tensor:
    x = net.stem(x)
    h = net.conv1(relu(net.norm1(x)))
    h = net.conv2(relu(net.norm2(h)))
    x = relu(net.shortcut(x) + h)
    x = functional.adaptive_avg_pool2d(x, 1)
    return net.o(x.view(x.size(0), -1))


def frozen(w: int, o: int) -> dict[str, nn.Module | nn.Parameter]:
    layers = hidden(3, W)(w, o)
    layers["a"].requires_grad_(False)
    layers["b"].bias.requires_grad_(False)  # type: ignore[union-attr]
    return layers


def normed(w: int, o: int) -> dict[str, nn.Module | nn.Parameter]:
    norm = nn.BatchNorm1d(w)
    norm.running_mean.fill_(0.4)  # type: ignore[union-attr]
    norm.running_var.fill_(0.3)  # type: ignore[union-attr]
    return hidden(3)(w, o) | {"n": norm}


def normed_inputs(w: int, o: int) -> dict[str, nn.Module | nn.Parameter]:
    norm = nn.BatchNorm1d(3)
    norm.running_mean.copy_(torch.tensor([1.0, -2.0, 0.5]))  # type: ignore[operator]
    norm.running_var.copy_(torch.tensor([1.0, 2.0, 0.5]))  # type: ignore[operator]
    return hidden(3)(w, o) | {"n": norm}


def conv(*args: int, **options) -> nn.Conv2d:
    return nn.Conv2d(*args, **options)


ORDINARY: dict[str, Written] = {
    "residual sums of dependent branches": Written(hidden(3, W, W), residual),
    "a tensor plus itself": Written(hidden(3), lambda s, x: s.o((lambda h: relu(h + h))(s.a(x)))),
    "a sum after two nonlinearities": Written(
        hidden(3, 3), lambda s, x: s.o(relu(s.a(x)) - 2 * relu(s.b(x)))
    ),
    "a constant added": Written(hidden(3), lambda s, x: s.o(1 - torch.sigmoid(s.a(x)))),
    "a swish by hand": Written(
        hidden(3), lambda s, x: s.o((lambda h: h * torch.sigmoid(1.7 * h))(s.a(x)))
    ),
    "a bump by hand": Written(hidden(3), lambda s, x: s.o(torch.exp(-(s.a(x) ** 2)))),
    "in place": Written(hidden(3, W), in_place),
    "added in place": Written(hidden(3, W, W), added_in_place),
    "without gradients": Written(hidden(3, W, W), without_gradients),
    "detached": Written(hidden(3, W), lambda s, x: s.o(relu(s.b(relu(s.a(x)).detach())))),
    "frozen": Written(frozen, lambda s, x: s.o(relu(s.b(relu(s.a(x)))))),
    "a gate": Written(
        lambda w, o: {"a": nn.Linear(3, 2 * w), "o": nn.Linear(w, o, bias=False)}, gate
    ),
    "layer norm of the inputs": Written(
        lambda w, o: hidden(3)(w, o) | {"n": nn.LayerNorm(3)},
        lambda s, x: s.o(relu(s.a(s.n(x)))),
    ),
    "batch norm of the inputs": Written(normed_inputs, lambda s, x: s.o(relu(s.a(s.n(x))))),
    "layer norm after a nonlinearity": Written(
        lambda w, o: hidden(3)(w, o) | {"n": nn.LayerNorm(w)},
        lambda s, x: s.o(s.n(relu(s.a(x)))),
    ),
    "batch norm after a nonlinearity": Written(normed, lambda s, x: s.o(s.n(relu(s.a(x))))),
    "a bias by hand": Written(
        lambda w, o: hidden(3)(w, o) | {"bias": nn.Parameter(torch.randn(w))},
        lambda s, x: s.o(relu(s.a(x) + s.bias)),
    ),
    "a table of positions": Written(
        hidden(3, W),
        lambda s, x: s.o(
            relu(s.b(s.a(x) + torch.arange(4.0).outer(torch.ones(s.a.out_features)).sin())).mean(1)
        ),
        (4, 3),
    ),
    "deep sets": Written(
        hidden(3, W, W), lambda s, x: s.o(relu(s.c(relu(s.b(relu(s.a(x)))).sum(1)))), (5, 3)
    ),
    "nerf": Written(
        lambda w, o: {
            "encoding": encodings.NeRF(3, 3),
            "a": nn.Linear(18, w),
            "b": nn.Linear(w + 18, w),
            "o": nn.Linear(w, o, bias=False),
        },
        lambda s, x: s.o(relu(s.b(torch.cat([relu(s.a(s.encoding(x))), s.encoding(x)], -1)))),
    ),
    "squeeze and excite": Written(
        lambda w, o: hidden(W, W)(w, o) | {"stem": conv(3, w, 3), "conv": conv(w, w, 1)},
        squeeze_and_excite,
        (3, 4, 4),
    ),
    "convnext": Written(
        lambda w, o: (
            hidden(W, W)(w, o)
            | {
                "stem": conv(3, w, 2, stride=2),
                "depthwise": conv(w, w, 3, padding=1, groups=w),
                "norm": nn.LayerNorm(w),
                "scale": nn.Parameter(0.3 * torch.ones(w)),
            }
        ),
        convnext,
        (3, 4, 4),
    ),
    "vit": Written(
        lambda w, o: (
            hidden(W, W)(w, o)
            | {
                "patches": conv(3, w, 2, stride=2),
                "token": nn.Parameter(torch.randn(1, 1, w)),
                "position": nn.Parameter(0.5 * torch.randn(1, 9, w)),
                "norm": nn.LayerNorm(w),
                "attention": networks.SelfAttention(w, w, w // 4, 8, 4),
            }
        ),
        vit,
        (3, 4, 4),
    ),
    "unet": Written(
        lambda w, o: {
            "down": conv(3, w, 3, padding=1),
            "inner": conv(w, w, 3, padding=1),
            "up": nn.ConvTranspose2d(w, w, 2, 2),
            "join": conv(3 * w, w, 1),
            "o": conv(w, o, 1, bias=False),
        },
        unet,
        (3, 4, 4),
    ),
    "resnet": Written(
        lambda w, o: {
            "stem": conv(3, w, 3, padding=1, bias=False),
            "norm1": nn.BatchNorm2d(w),
            "conv1": conv(w, w, 3, stride=2, padding=1, bias=False),
            "norm2": nn.BatchNorm2d(w),
            "conv2": conv(w, w, 3, padding=1, bias=False),
            "shortcut": conv(w, w, 1, stride=2, bias=False),
            "o": nn.Linear(w, o, bias=False),
        },
        resnet,
        (3, 4, 4),
    ),
    "a transformer's layer": Written(
        lambda w, o: {
            "a": nn.Linear(3, w),
            "layer": nn.TransformerEncoderLayer(w, w // 8, 2 * w, 0.0, batch_first=True),
            "o": nn.Linear(w, o, bias=False),
        },
        lambda s, x: s.o(s.layer(s.a(x)).mean(1)),
        (4, 3),
    ),
    "siren": Written(
        lambda w, o: {
            "a": Linear(3, w),
            "b": Linear(w, w),
            "o": Linear(w, o, bias=False),
        },
        lambda s, x: s.o(torch.sin(s.b(torch.sin(3 * s.a(x))))),
    ),
}
"""By what is particular to them."""
