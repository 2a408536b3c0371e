"""Networks on vectors: depth, hard inputs, parametrisations, branches, several inputs and outputs."""

from functools import partial
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from ntkit.networks.activations import Erf
from tests.cases import pin_
from tests.kernels.infinite.zoo.base import WIDTH, B, Example, W, add, cat, chain, dense, join

__all__ = ["VECTORS", "shallow"]


def vec(make: Any, inputs: str = "vec") -> Example:
    return Example((inputs,), make)


def stacked(act: Any, depth: int, w: float, b: float) -> nn.Module:
    layers = [p for k in range(depth) for p in (dense(WIDTH if k else 5, WIDTH, w, b), act())]
    return chain(*layers, dense(WIDTH, 1))


def shallow(act: Any, depth: int = 1, n_in: int = 5) -> nn.Module:
    """`depth x [Dense, ACT], Dense`."""
    layers = [p for k in range(depth) for p in (dense(WIDTH if k else n_in), act())]
    return chain(*layers, dense(WIDTH, 1))


def standard(n_in: int, n_out: int, b: float | None = B) -> nn.Module:
    """A plain layer of exact variances `W^2 / fan_in` and `b^2`."""
    layer = nn.Linear(n_in, n_out, bias=b is not None, dtype=torch.float64)
    pin_(layer.weight, W / sqrt(n_in))
    if b is not None:
        pin_(layer.bias, -b)
    return layer


def residual(*branch: nn.Module) -> nn.Module:
    return join(add, nn.Identity(), chain(*branch))


def deep_residual() -> nn.Module:
    blocks = [residual(nn.ReLU(), dense(8), nn.ReLU(), dense(8)) for _ in range(10)]
    return chain(dense(5), *blocks, nn.ReLU(), dense(8, 1))


def product(parts: list[Tensor]) -> Tensor:
    found = parts[0]
    for part in parts[1:]:
        found = found * part
    return found


def three() -> nn.Module:
    branches = [dense(5), *(chain(dense(5), act(), dense(8)) for act in (nn.ReLU, Erf))]
    return chain(join(lambda p: p[0] + p[1] + p[2], *branches), nn.GELU(), dense(8, 1))


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = dense(5)
        self.right = chain(dense(2), nn.ReLU(), dense(8))
        self.last = dense(8, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.last((self.left(x) + self.right(y)).relu())


class TwoOutputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.early = dense(5), dense(8, 1)
        self.late = chain(dense(8), Erf(), dense(8, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = torch.relu(self.first(x))
        return self.early(y), self.late(y)


VECTORS: dict[str, Example] = {
    "deep_relu": vec(lambda: stacked(nn.ReLU, 30, sqrt(2), 0.1)),
    "deep_erf": vec(lambda: stacked(Erf, 30, 1.2, 0.3)),
    "deep_gelu": vec(lambda: stacked(nn.GELU, 10, 1.4, 0.1)),
    "linear_chain": vec(lambda: chain(dense(5), dense(8), dense(8, 1))),
    **{
        f"{name}_{inputs}": vec(partial(shallow, act, 2, 1 if inputs == "vec1" else 5), inputs)
        for inputs in ("vec1", "vec_zero", "vec_small", "vec_large")
        for name, act in (("relu", nn.ReLU), ("erf", Erf))
    },
    "gelu_vec_zero": vec(lambda: shallow(nn.GELU, 2), "vec_zero"),
    "relu_no_bias_vec_zero": vec(
        lambda: chain(dense(5, b=None), nn.ReLU(), dense(8, 1, b=None)), "vec_zero"
    ),
    "standard_bias": vec(
        lambda: chain(standard(5, 16), nn.ReLU(), standard(16, 24), nn.ReLU(), standard(24, 1))
    ),
    "standard_then_ntk": vec(
        lambda: chain(
            standard(5, 16), Erf(), dense(16, 24), nn.ReLU(), standard(24, 1, None)
        ).double()
    ),
    "residual_deep": vec(deep_residual),
    "residual_scaled": vec(
        lambda: chain(
            dense(5),
            join(lambda p: 0.6 * p[0] + p[1] * 0.8, nn.Identity(), chain(nn.ReLU(), dense(8))),
            Erf(),
            dense(8, 1),
        )
    ),
    "three_branches": vec(three),
    "product_gaussians": vec(lambda: chain(join(product, dense(5), dense(5)), dense(8, 1))),
    "product_three": vec(
        lambda: chain(
            join(product, chain(dense(5), nn.ReLU()), chain(dense(5), Erf()), dense(5)),
            dense(8),
            nn.ReLU(),
            dense(8, 1),
        )
    ),
    "concat_of_concat": vec(
        lambda: chain(
            join(
                cat,
                join(cat, chain(dense(5, 8), nn.ReLU()), chain(dense(5, 4), Erf())),
                chain(dense(5, 20), nn.GELU()),
            ),
            dense(32),
            nn.ReLU(),
            dense(8, 1),
        )
    ),
    "concat_input": vec(
        lambda: chain(
            join(cat, nn.Identity(), chain(dense(5, 15), nn.ReLU())),
            dense(20),
            nn.ReLU(),
            dense(8, 1),
        )
    ),
    "dropout_twice": vec(
        lambda: chain(
            dense(5), nn.ReLU(), nn.Dropout(0.2), dense(8), Erf(), nn.Dropout(0.5), dense(8, 1)
        )
    ),
    "layernorm_erf": vec(
        lambda: chain(
            dense(5),
            nn.LayerNorm(8, 1e-12, elementwise_affine=False),
            Erf(),
            dense(8),
            nn.LayerNorm(8, 1e-12, elementwise_affine=False),
            nn.ReLU(),
            dense(8, 1),
        )
    ),
    "two_inputs": Example(("vec", "side"), TwoInputs),
    "two_outputs": vec(TwoOutputs),
}
