"""Operators: the Gram matrix of a kernel as something that multiplies."""

from ntkit.operators.affine import AffineOperator, affine
from ntkit.operators.base import AbstractOperator
from ntkit.operators.dense import DenseOperator
from ntkit.operators.low_rank import LowRankOperator
from ntkit.operators.matrix_free import MatrixFreeOperator
from ntkit.operators.scaled import ScaledOperator, scaled
from ntkit.operators.tiled import TiledOperator
from ntkit.operators.toeplitz import CirculantOperator, ToeplitzOperator

__all__ = [
    "AbstractOperator",
    "AffineOperator",
    "CirculantOperator",
    "DenseOperator",
    "LowRankOperator",
    "MatrixFreeOperator",
    "ScaledOperator",
    "TiledOperator",
    "ToeplitzOperator",
    "affine",
    "scaled",
]
