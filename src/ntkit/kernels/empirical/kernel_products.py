"""`K v` without `K`: the operator of an empirical kernel."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

__all__ = ["AbstractProducts", "mean_product", "whole_product"]


class AbstractProducts(ABC):
    """`J1` and the transpose of `J2`, for several vectors at once.

    Outputs are given as a slice of those that the kernel is of.

    Attributes:
        width: Vectors that fit in the memory together.
        about: What a product takes, in words.
    """

    width: int
    about: str

    @abstractmethod
    def pulled(self, v: Tensor, outputs: slice) -> list[Tensor]:
        """`J2^T v` for each vector of `v [w, m, q]`, in a form that `pushed` takes."""

    @abstractmethod
    def pushed(self, u: list[Tensor], outputs: slice) -> Tensor:
        """`J1 u`, `[w, n, q]`."""


def whole_product(products: AbstractProducts, v: Tensor, n_outputs: int) -> Tensor:
    """`K v` with all pairs of outputs, `[w, m o]` to `[w, n o]`, samples first."""
    every = slice(0, n_outputs)
    found = []
    for few in v.unflatten(1, (-1, n_outputs)).split(products.width):
        found.append(products.pushed(products.pulled(few, every), every).flatten(1))
    return torch.cat(found)


def mean_product(products: AbstractProducts, v: Tensor, n_outputs: int) -> Tensor:
    """The mean over outputs of their kernels times `v`, `[w, m]` to `[w, n]`: one product each."""
    found = []
    for few in v.split(products.width):
        parts = []
        for k in range(n_outputs):
            one = slice(k, k + 1)
            parts.append(products.pushed(products.pulled(few[..., None], one), one)[..., 0])
        found.append(torch.stack(parts).mean(0))
    return torch.cat(found)
