"""Distances keep the digits of near points, wherever the origin is."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkit.kernels.closed.distances import manhattan_distances, squared_distances
from tests.cases import randn
from tests.tolerances import assert_near


def by_hand(x, y, scale, power: int) -> torch.Tensor:
    """In 50 digits, one pair at a time."""
    with mpmath.workdps(50):
        rows = [
            [
                float(
                    sum(
                        abs((mpmath.mpf(a) - b) / s) ** power
                        for a, b, s in zip(p, q, scale, strict=True)
                    )
                )
                for q in y.tolist()
            ]
            for p in x.tolist()
        ]
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("axes", [False, True], ids=["one", "axes"])
@given(digits=st.integers(0, 12), offset=st.sampled_from([0.0, 1.0, 1e3]), seed=st.integers(0, 99))
def test_every_entry_is_accurate(
    power: int, axes: bool, digits: int, offset: float, seed: int
) -> None:
    """Each pair by itself: some are `10^-digits` apart, others of order one."""
    base = offset + randn(2, 3, seed=seed)
    x = base.repeat(2, 1)
    y = base + 10.0**-digits * randn(2, 3, seed=seed + 100)
    scale = torch.tensor([0.3, 1.0, 7.0] if axes else 0.7, dtype=torch.float64)
    measure = squared_distances if power == 2 else manhattan_distances
    found = measure(x, y, scale)
    expected = by_hand(x, y, scale.expand(3).tolist(), power)
    assert_near(found / expected, torch.ones_like(expected))


def test_points_that_coincide_are_at_distance_zero() -> None:
    x = 1e3 + randn(5, 3)[[0, 1, 0, 2, 1]]
    for measure in (squared_distances, manhattan_distances):
        table = measure(x, None, torch.tensor(0.1).double())
        assert torch.equal(table == 0, (x[:, None] == x).all(2))


def test_many_near_pairs_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, scale = 1e-8 * randn(9, 4) + 1, torch.tensor(1.0).double()
    whole = squared_distances(x, None, scale)
    monkeypatch.setattr("ntkit.kernels.closed.distances._AT_ONCE", 20)
    assert torch.equal(squared_distances(x, None, scale), whole)


def test_second_derivatives_hold_at_coinciding_points() -> None:
    """`d^2 / dx dy exp(-|x - y|^2 / 2)` is the identity at `x = y`."""
    x = randn(1, 3)

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.exp(-squared_distances(a, b, torch.tensor(1.0).double()) / 2).sum()

    hessian = torch.autograd.functional.hessian(kernel, (x, x.clone()))
    assert_near(hessian[0][1][0, :, 0], torch.eye(3).double())
