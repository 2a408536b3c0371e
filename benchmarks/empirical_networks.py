"""The networks of `empirical_speed`, and the recipe that the kernels are compared with."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ntkit.kernels import Auto, Contraction, Structured, empirical_ntk


class Residual(nn.Module):
    """Two convolutions with BatchNorm, and a way past them."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        self.past = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.second(torch.relu(self.norm1(self.first(x)))))
        return torch.relu(self.past(x) + y)


class VisionTransformer(nn.Module):
    """64 patches of 4x4 and a class token, two layers of width 64."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 65, width))
        layers = [
            nn.TransformerEncoderLayer(
                width, 4, 2 * width, dropout=0.0, batch_first=True, activation="gelu"
            )
            for _ in range(2)
        ]
        self.encoder = nn.Sequential(*layers)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.positions
        return self.head(self.encoder(x)[:, 0])


def mlp() -> nn.Module:
    layers = nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    return nn.Sequential(*layers)


def convolutions() -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (3, 32, 32):
        layers += [nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU()]
    return layers


def cnn() -> nn.Module:
    return nn.Sequential(*convolutions(), nn.Flatten(), nn.Linear(32 * 32 * 32, 10))


def cnn_mean() -> nn.Module:
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10)
    return nn.Sequential(*convolutions(), *head)


def resnet() -> nn.Module:
    stem = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()
    blocks = Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    return nn.Sequential(*stem, *blocks, *head).eval()


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (256, 784)),
    "cnn": (cnn, (64, 3, 32, 32)),
    "cnn_mean": (cnn_mean, (64, 3, 32, 32)),
    "resnet": (resnet, (64, 3, 32, 32)),
    "vit": (VisionTransformer, (32, 3, 32, 32)),
}
"""Name to the module, and the shape of its points."""

METHODS = {"auto": Auto(), "structured": Structured(), "contraction": Contraction()}


def case(name: str) -> tuple[nn.Module, Tensor]:
    """The module and its points, the same each time."""
    make, shape = CASES[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make(), torch.randn(*shape)


def recipe(net: nn.Module, x: Tensor, *, full: bool) -> Tensor:
    """The `torch.func` tutorial's: the whole Jacobian by `vmap(jacrev)`, multiplied by `einsum`."""
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def output(p: dict[str, Tensor], point: Tensor) -> Tensor:
        return torch.func.functional_call(net, p, (point[None],))[0]

    jacobian = torch.func.vmap(torch.func.jacrev(output), (None, 0))(parameters, x)
    blocks = [j.flatten(2) for j in jacobian.values()]
    equation = "nop,mqp->nmoq" if full else "nop,mop->nm"
    total = torch.zeros(())
    for j in blocks:
        total = total + torch.einsum(equation, j, j)
    return total if full else total / blocks[0].shape[1]


def ours(name: str, method: str, *, full: bool) -> Tensor:
    net, x = case(name)
    return empirical_ntk(net, "full" if full else "trace", method=METHODS[method])(x)


def measured(name: str, what: str) -> Callable[[], None]:
    """A function without arguments for `memory.peak_above`: one call with all pairs of outputs."""

    def call() -> None:
        if what == "recipe":
            recipe(*case(name), full=True)
        else:
            ours(name, what, full=True)

    return call


mlp_recipe, mlp_auto = measured("mlp", "recipe"), measured("mlp", "auto")
cnn_recipe, cnn_auto = measured("cnn", "recipe"), measured("cnn", "auto")
cnn_mean_recipe, cnn_mean_auto = measured("cnn_mean", "recipe"), measured("cnn_mean", "auto")
resnet_recipe, resnet_auto = measured("resnet", "recipe"), measured("resnet", "auto")
vit_recipe, vit_auto = measured("vit", "recipe"), measured("vit", "auto")
