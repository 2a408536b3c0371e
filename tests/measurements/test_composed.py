"""Composition and stacks: what fits together, and what is refused."""

import re

import pytest
import torch

from ntkit.measurements import Composed, Samples, stack
from tests.cases import randn

LINE = Samples.every_other((8,))


def test_one_after_the_other() -> None:
    field = randn(8, 2)
    both = Samples.every_other((4,)) @ LINE
    assert isinstance(both, Composed)
    assert torch.equal(both(field), field[::4])
    assert torch.equal(both[1:](field), field[4::4])
    assert torch.equal(both.groups, both.outer.groups)


def test_rows_of_a_stack_leave_out_the_parts_that_they_do_not_need() -> None:
    both = stack(LINE, Samples.everywhere((8,)))
    assert len(both[:4].parts) == 1
    assert len(both[3:5].parts) == 2


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: LINE @ LINE, ValueError, "`A` takes (8,), `B` gives (4,)"),
        (lambda: LINE @ torch.ones(8), TypeError, "needs two measurements, got Tensor"),
        (lambda: stack(), ValueError, "one measurement or more"),
        (lambda: stack(LINE, Samples.everywhere((4,))), ValueError, "shapes [(4,), (8,)]"),
    ],
)
def test_refusals(make, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        make()
