"""Kernels that multiply without their matrix."""

from abc import abstractmethod
from typing import Any

import torch

from ntkit._core.executor import Executor
from ntkit.kernels.base import AbstractKernel
from ntkit.operators.base import AbstractOperator

__all__ = ["AbstractMatrixFree"]


class AbstractMatrixFree(AbstractKernel):
    """A kernel with products of its own: the door to `gram(kernel, x, lazy=True)`."""

    @abstractmethod
    def size(self, x: Any) -> int:
        """Rows that these points have in the matrix: their number, times that of the outputs kept."""

    @abstractmethod
    def operator(
        self,
        x1: Any,
        x2: Any = None,
        *,
        dtype: torch.dtype = torch.float64,
        executor: Executor | None = None,
    ) -> AbstractOperator:
        """The matrix of `x1` against `x2` (itself if left out) as something that multiplies, in an executor's places."""
