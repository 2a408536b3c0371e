"""The choice between the two ways of multiplying without the matrix."""

from typing import Any

import torch
from torch import Tensor

from ntkit.kernels.empirical.batch import Batch
from ntkit.kernels.empirical.derivatives import DerivativeProducts
from ntkit.kernels.empirical.evaluation import evaluation
from ntkit.kernels.empirical.kept_products import KeptProducts, kept_bytes
from ntkit.kernels.empirical.kernel_products import AbstractProducts, mean_product, whole_product
from ntkit.kernels.empirical.network_runs import NetworkRuns
from ntkit.kernels.empirical.outputs import Outputs
from ntkit.kernels.empirical.target import Target

__all__ = ["LazyProduct"]


class LazyProduct:
    """`v -> K v` on rows, by kept factors where they hold and fit, else by derivatives.

    A copy makes the factors or graphs again: they hold what no file can.

    Args:
        target: The network, whose values nobody changes.
        x1: Row points.
        x2: Column points; None for the same.
        outputs: As in the kernel.
        memory: Bytes for factors or graphs.

    Attributes:
        block: Rows that a point has in the matrix: the outputs that are kept apart.
        about: What a product takes, in words.
    """

    def __init__(
        self, target: Target, x1: Batch, x2: Batch | None, outputs: Outputs, memory: int
    ) -> None:
        self._of = target, x1, x2, outputs, memory
        self._products: AbstractProducts
        with target.evaluation() as still:
            job = NetworkRuns(still, x1, x2, outputs, memory)
            self._n_outputs = len(job.outputs)
            self.block: int = self._n_outputs if job.full else 1
            if not job.left_out and kept_bytes(job) <= memory:
                self._products = KeptProducts(job)
            else:
                columns = x1 if x2 is None else x2
                self._products = DerivativeProducts(still, x1, columns, job.outputs, memory)
        self.about: str = self._products.about

    def __call__(self, v: Tensor) -> Tensor:
        """The product with each row of `v [w, m]`, `m` times the outputs with all pairs of them."""
        product = whole_product if self.block > 1 else mean_product
        with evaluation(self._of[0].device), torch.no_grad():
            return product(self._products, v, self._n_outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyProduct, self._of
