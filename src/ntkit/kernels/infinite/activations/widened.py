"""A pair with noise of its own added to each unit: what erf, GELU and Gaussians see."""

from functools import cached_property

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import Pair

__all__ = ["Widened"]


class Widened:
    """The pair `(sqrt(q) u + e1, sqrt(q) v + e2)` with independent standard normal `e1, e2`.

    Attributes:
        pair: `(u, v)`.
        q: What the variances are multiplied by.
        norms: `g = sqrt((1 + q var1) (1 + q var2))`.
        least: `g - q |u||v|`, as a quotient without a difference.
    """

    def __init__(self, pair: Pair, q: float) -> None:
        self.pair = pair
        self.q = q
        self.norms: Tensor = (1 + q * pair.var1).sqrt() * (1 + q * pair.var2).sqrt()
        self.least: Tensor = (1 + q * (pair.var1 + pair.var2)) / (self.norms + q * pair.norms)

    @cached_property
    def rise(self) -> Tensor:
        """`sqrt(g - q cov)`: `sqrt(2 g)` times the sine of half the angle."""
        return (self.least + self.q / 2 * self.pair.apart).sqrt()

    @cached_property
    def run(self) -> Tensor:
        """`sqrt(g + q cov)`."""
        return (self.least + self.q / 2 * self.pair.together).sqrt()

    @cached_property
    def sine(self) -> Tensor:
        """`sqrt(g^2 - q^2 cov^2)`: `g` times the sine of the angle."""
        return self.rise * self.run

    @cached_property
    def rise0(self) -> Tensor:
        """`rise` of parallel inputs."""
        return self.least.sqrt()

    @cached_property
    def run0(self) -> Tensor:
        """`run` of parallel inputs."""
        return (self.least + 2 * self.q * self.pair.norms).sqrt()

    @cached_property
    def turn(self) -> Tensor:
        """The angle less that of parallel inputs, as one arc tangent."""
        q, apart = self.q, self.pair.apart
        across = (self.least + q * self.pair.norms) / (
            self.rise * self.run0 + self.rise0 * self.run
        )
        across = q * apart * across  # in this order, which overflows no sooner than the moments
        return 2 * torch.atan2(across, self.run * self.run0 + self.rise * self.rise0)

    @cached_property
    def growth(self) -> Tensor:
        """`sine` less that of parallel inputs."""
        half, both = self.q / 2, self.sine + self.rise0 * self.run0
        return half * self.pair.apart * (half * self.pair.together / both)
