"""The checks at the public door."""

import pytest
import torch

from ntkit._core import checks
from tests.cases import randn


def test_what_passes_comes_back() -> None:
    assert checks.positive("x", 3) == 3.0
    assert checks.non_negative("x", float("inf")) == float("inf")
    assert checks.positive_int("n", 2) == 2
    x = randn(2, 2)
    assert checks.finite("x", checks.floating_tensor("x", x, ndim=(1, 2))) is x


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: checks.positive("x", 0), ValueError, "`x=0` must be a finite number above 0"),
        (lambda: checks.positive("x", float("nan")), ValueError, "`x=nan` must be a finite"),
        (lambda: checks.positive("x", True), TypeError, "`x=True` must be a number, got bool"),
        (lambda: checks.non_negative("x", -1), ValueError, "`x=-1` must be 0 or more"),
        (lambda: checks.non_negative("x", float("nan")), ValueError, "`x=nan` must be 0 or more"),
        (lambda: checks.positive_int("n", 0), ValueError, "`n=0` must be at least 1"),
        (lambda: checks.positive_int("n", 2.0), TypeError, "`n=2.0` must be an int, got float"),
        (lambda: checks.positive_int("n", True), TypeError, "`n=True` must be an int, got bool"),
        (lambda: checks.floating_tensor("x", [1.0]), TypeError, "must be a torch.Tensor, got list"),
        (
            lambda: checks.floating_tensor("x", torch.zeros(2).half()),
            TypeError,
            r"must be float32 or float64, got torch.float16",
        ),
        (
            lambda: checks.floating_tensor("x", torch.zeros(2), ndim=(2, 3)),
            ValueError,
            r"must have 2 or 3 axes, got shape \(2,\)",
        ),
        (
            lambda: checks.finite("x", torch.tensor([[0.0, 1.0], [torch.inf, torch.nan]])),
            ValueError,
            r"`x` has 2 NaN or infinite entries, the first at index \(1, 0\)",
        ),
    ],
)
def test_what_does_not_pass(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
