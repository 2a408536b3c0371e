"""Multiples of an operator and of the identity, against dense matrices."""

import pytest
import torch

from ntkit.operators import AbstractOperator, DenseOperator, ToeplitzOperator, affine
from tests.cases import randn
from tests.tolerances import assert_near

OPERATORS = {
    "dense": lambda: DenseOperator(randn(12, 12)),
    "toeplitz": lambda: ToeplitzOperator(randn(5, 7), (3, 4)),
}


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(("scale", "shift"), [(0.3, -2.0), (1.0, 1e-3), (-4.0, 0.0)])
def test_scaled_and_shifted(name: str, scale: float, shift: float) -> None:
    op = OPERATORS[name]()
    found = affine(op, scale, shift)
    expected = scale * op.dense() + shift * torch.eye(12, dtype=torch.float64)
    assert_near(found.dense(), expected)
    assert_near(found.diagonal(), expected.diagonal())
    again: AbstractOperator = found.to(torch.float32)
    assert_near(again.dense(), expected.float())


def test_a_toeplitz_operator_stays_one() -> None:
    """So that a step of a recurrence costs one product."""
    op = OPERATORS["toeplitz"]()
    assert isinstance(affine(op, 2.0, 1.0), ToeplitzOperator)


def test_a_rectangular_operator_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`op` must be square .*\(12, 7\)"):
        affine(DenseOperator(randn(12, 7)), 1.0, 1.0)
