"""The dense layer in the NTK parametrisation."""

import pytest
import torch

from ntkit.networks import Linear
from tests.cases import randn, seeded
from tests.tolerances import assert_near


def test_the_formula() -> None:
    """`w_std / sqrt(in_features) W x + b_std b`."""
    layer, x = Linear(5, 3, w_std=1.5, b_std=0.2, generator=seeded()).double(), randn(4, 5)
    expected = 1.5 / 5**0.5 * x @ layer.weight.T + 0.2 * layer.bias
    assert_near(layer(x).detach(), expected.detach())
    bare = Linear(5, 3, bias=False).double()
    assert_near(bare(x).detach(), (x @ bare.weight.T / 5**0.5).detach())


def test_entries_are_standard_normal_and_seedable() -> None:
    weight = Linear(200, 300, generator=seeded()).weight.detach()
    count = weight.numel()
    assert abs(float(weight.mean())) < 4 * count**-0.5
    assert abs(float(weight.square().mean()) - 1) < 4 * (2 / count) ** 0.5
    assert torch.equal(weight, Linear(200, 300, generator=seeded()).weight)


def test_scales_are_no_parameters_and_show_in_repr() -> None:
    assert [name for name, _ in Linear(2, 3).named_parameters()] == ["weight", "bias"]
    assert repr(Linear(2, 3, w_std=1.5)) == "Linear(2, 3, bias=True, w_std=1.5, b_std=1)"


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: Linear(0, 1), ValueError, "`in_features=0` must be at least 1"),
        (lambda: Linear(1, 0), ValueError, "`out_features=0` must be at least 1"),
        (
            lambda: Linear(1, 1, w_std=0.0),
            ValueError,
            "`w_std=0.0` must be a finite number above 0",
        ),
        (lambda: Linear(1, 1, b_std=-1.0), ValueError, "`b_std=-1.0` must be 0 or more"),
        (lambda: Linear(1.5, 1), TypeError, "`in_features=1.5` must be an int, got float"),
    ],
)
def test_errors(unchecked, call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
