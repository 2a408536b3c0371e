"""The thin factors and their rank."""

import torch

from ntkit.operators import LowRankOperator
from tests.cases import randn
from tests.tolerances import assert_near


def test_one_factor_is_a_gram_matrix() -> None:
    factor = randn(9, 2)
    op = LowRankOperator(factor)
    assert op.rank == 2 == int(torch.linalg.matrix_rank(op.dense()))
    assert_near(op.dense(), factor @ factor.T)


def test_changing_precision_keeps_one_factor_one() -> None:
    op = LowRankOperator(randn(9, 2)).to(torch.float32)
    assert op.right is op.left
    two = LowRankOperator(randn(9, 2), randn(4, 2)).to(torch.float32)
    assert two.right.dtype == torch.float32
