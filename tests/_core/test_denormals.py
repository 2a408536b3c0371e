"""Denormal numbers are zero inside, and what they were before outside."""

from collections.abc import Iterator

import pytest
import torch

from ntkit._core.denormals import flushed_denormals

pytestmark = pytest.mark.skipif(
    not torch.set_flush_denormal(False), reason="this processor keeps denormal numbers"
)


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    yield
    torch.set_flush_denormal(False)


def smallest() -> float:
    """Four of the smallest numbers, times 0.9: four again, unless they are flushed."""
    return float(torch.full((64,), 4e-45).mul(0.9).max())


@pytest.mark.parametrize("before", [False, True])
def test_zero_inside_and_as_before_outside(before: bool) -> None:
    torch.set_flush_denormal(before)
    with flushed_denormals():
        assert smallest() == 0
        with flushed_denormals():
            assert smallest() == 0
        assert smallest() == 0
    assert (smallest() == 0) is before


def test_put_back_after_an_error() -> None:
    with pytest.raises(KeyError), flushed_denormals():
        raise KeyError
    assert smallest() > 0


def test_full_numbers_are_left_alone() -> None:
    tiny = torch.tensor(torch.finfo(torch.float32).tiny)
    with flushed_denormals():
        assert float(tiny * 1) > 0
