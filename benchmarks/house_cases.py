"""The cases of `house`: answers each line of its input, a case's name, with the processor seconds of one call."""

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

import ntkit
from ntkit import GradientFlow, encodings, networks


def draw(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def dense(depth: int, features: int, bend: type[nn.Module]) -> nn.Sequential:
    sizes = [features, *(8,) * depth]
    layers = [
        part
        for a, b in pairwise(sizes)
        for part in (networks.Linear(a, b, w_std=2**0.5, b_std=0.1), bend())
    ]
    return nn.Sequential(*layers, networks.Linear(8, 1))


def convolutional(*head: nn.Module) -> nn.Module:
    layers: list[nn.Module] = []
    for k in range(4):
        layers += [networks.Conv2d(3 if k == 0 else 8, 8, 3, padding=1, w_std=2**0.5), nn.ReLU()]
    return nn.Sequential(*layers, *head)


def pairs(module: nn.Module, x: Tensor) -> Callable[[], object]:
    kernel = ntkit.ntk(module)
    return lambda: kernel(x)


def first(make: Callable[[], nn.Module], x: Tensor) -> Callable[[], object]:
    return lambda: ntkit.ntk(make())(x)


def perceptron() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)
    )


def pooled() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(), nn.Flatten(), nn.Linear(64 * 64, 10),
    )  # fmt: skip


def empirical(module: nn.Module, x: Tensor) -> Callable[[], object]:
    return lambda: ntkit.empirical_ntk(module)(x)


def grid(engine: Literal["periodic", "exact"]) -> Callable[[], object]:
    signal = draw(96, 96).cumsum(0).cumsum(1)
    signal = (signal - signal.min()) / (signal.max() - signal.min())

    def call() -> object:
        return ntkit.tune(
            signal, steps=300, bandwidths=[2.0, 5.0, 10.0], encodings=("gaussian",), pilot=False,
            families=("mlp",), engine=engine,
        )  # fmt: skip

    return call


def flow(dtype: torch.dtype) -> Callable[[], object]:
    x, y = draw(2000, 20, dtype=dtype), draw(2000, 10, dtype=dtype)
    kernel = ntkit.ntk(dense(3, 20, nn.ReLU))
    return lambda: GradientFlow(kernel, x, y).predict(x[:500], [0.01, 0.1, 1.0])


CASES: dict[str, Callable[[], Callable[[], object]]] = {
    "small MLP, n = 32, called again": lambda: pairs(dense(3, 10, nn.ReLU), draw(32, 10)),
    "small MLP of nn.Linear, n = 32, called again": lambda: pairs(
        nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 1)), draw(32, 10)
    ),
    "small MLP, n = 32, first call": lambda: first(lambda: dense(3, 10, nn.ReLU), draw(32, 10)),
    "ReLU, depth 3, n = 3,000, d = 256": lambda: pairs(dense(3, 256, nn.ReLU), draw(3000, 256)),
    "tanh, depth 3, n = 600": lambda: pairs(dense(3, 256, nn.Tanh), draw(600, 256)),
    "convolutions without pooling, 64 images": lambda: pairs(
        convolutional(nn.Flatten(), networks.Linear(8 * 256, 1)), draw(64, 3, 16, 16)
    ),
    "convolutions with pooling, 8 images": lambda: pairs(
        convolutional(nn.AdaptiveAvgPool2d(1), nn.Flatten(), networks.Linear(8, 1)),
        draw(8, 3, 16, 16),
    ),
    "Fourier features and MLP, n = 1,500": lambda: pairs(
        nn.Sequential(
            encodings.Gaussian(2, 64, 4.0, torch.Generator().manual_seed(0)),
            *dense(3, 128, nn.ReLU),
        ),
        draw(1500, 2).sigmoid(),
    ),
    "empirical kernel of an MLP, n = 256": lambda: empirical(
        perceptron(), draw(256, 784, dtype=torch.float32)
    ),
    "empirical kernel of a CNN, n = 48": lambda: empirical(
        pooled(), draw(48, 3, 16, 16, dtype=torch.float32)
    ),
    "choice on a grid, periodic": lambda: grid("periodic"),
    "choice on a grid, exact": lambda: grid("exact"),
    "gradient flow, n = 2,000, float64": lambda: flow(torch.float64),
    "gradient flow, n = 2,000, float32": lambda: flow(torch.float32),
}

if __name__ == "__main__":
    made: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in made:
            made[name] = CASES[name]()
            made[name]()
        calls, spent = 0, 0.0
        while spent < 0.2:  # short calls are repeated, or the clock would decide
            began = time.process_time()
            made[name]()
            spent += time.process_time() - began
            calls += 1
        print(spent / calls, flush=True)
