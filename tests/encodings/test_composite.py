"""Encodings side by side."""

import pytest
import torch
from torch import nn

from ntkit.encodings import Basic, Composite, HashGrid, Identity, NeRF, SphericalHarmonics
from tests.cases import randn
from tests.tolerances import assert_near


def test_each_part_takes_the_columns_that_follow() -> None:
    parts, x = (NeRF(3, 2), SphericalHarmonics(2), Identity(1)), randn(4, 7)
    encoding = Composite(*parts)
    expected = torch.cat([parts[0](x[:, :3]), parts[1](x[:, 3:6]), x[:, 6:]], 1)
    assert torch.equal(encoding(x), expected)
    assert (encoding.in_dim, encoding.out_dim) == (7, 12 + 9 + 1)


def test_what_holds_of_all_parts_holds_of_it() -> None:
    assert Composite(Basic(1), NeRF(2, 2)).is_stationary
    assert not Composite(Basic(1), Identity(1)).is_stationary
    assert Composite(Basic(1), Identity(1)).is_fixed
    assert not Composite(Basic(1), HashGrid(2, 1, log2_hashmap_size=4)).is_fixed


def test_dot_products_of_stationary_parts() -> None:
    encoding, x = Composite(Basic(1), NeRF(1, 2)), randn(5, 2)
    moved = x + torch.tensor([0.3, -1.2], dtype=torch.float64)
    assert_near(encoding(moved) @ encoding(moved).T, encoding(x) @ encoding(x).T, loosen=100)


def test_refusals(unchecked: None) -> None:
    with pytest.raises(TypeError, match=r"`parts\[1\]` must be an encoding, got Linear"):
        Composite(Basic(1), nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"`Composite\(\)` needs at least one encoding"):
        Composite()
