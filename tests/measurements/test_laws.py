"""What every measurement obeys: it is linear with its adjoint, by columns, by rows, in every dtype, and has groups."""

import pickle
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ntkit.measurements import AbstractMeasurement, stack
from tests import cases
from tests.cases import randn
from tests.tolerances import TOLERANCE

EVERY = [
    pytest.param(make, id=f"{kind.__name__}-{number}")
    for kind, makers in cases.MEASUREMENTS.items()
    for number, make in enumerate(makers)
]
ALL = pytest.mark.parametrize("make", EVERY)
Make = Callable[[], AbstractMeasurement]
NARROW = {torch.float64: torch.float32, torch.complex128: torch.complex64}


def own_dtype(A: AbstractMeasurement) -> torch.dtype:
    return torch.complex128 if A.is_complex else torch.float64


def a_field(A: AbstractMeasurement, outputs: int = 2, seed: int = 0) -> Tensor:
    return randn(*A.field_shape, outputs, seed=seed, dtype=own_dtype(A))


def some_data(A: AbstractMeasurement, outputs: int = 2, seed: int = 1) -> Tensor:
    return randn(*A.data_shape, outputs, seed=seed, dtype=own_dtype(A))


def assert_close(actual: Tensor, expected: Tensor, dtype: torch.dtype = torch.float64) -> None:
    assert actual.shape == expected.shape
    scale = float(expected.abs().max().clamp_min(1e-30))
    assert float((actual - expected).abs().max()) <= TOLERANCE[dtype] * scale


@ALL
def test_the_adjoint_is_the_adjoint(make: Make) -> None:
    A = make()
    for dtype in {own_dtype(A), torch.complex128}:
        field, data = a_field(A).to(dtype), some_data(A).to(dtype)
        if dtype.is_complex:
            field, data = field * (1 + 0.5j), data * (0.3 - 2j)
        left = torch.vdot(data.flatten(), A(field).flatten())
        right = torch.vdot(A.adjoint(data).flatten(), field.flatten())
        scale = float(data.norm() * A(field).norm())
        assert abs(complex(left - right)) <= 1e-12 * scale


@ALL
def test_outputs_are_measured_one_by_one(make: Make) -> None:
    A = make()
    field, data = a_field(A, 3), some_data(A, 3)
    each = [A(field[..., k : k + 1]) for k in range(3)]
    assert_close(A(field), torch.cat(each, -1))
    each = [A.adjoint(data[..., k : k + 1]) for k in range(3)]
    assert_close(A.adjoint(data), torch.cat(each, -1))


@ALL
def test_rows_are_rows(make: Make) -> None:
    A = make()
    field, count = a_field(A), A.data_shape[0]
    mask = torch.arange(count) % 2 == 1
    for rows in (torch.tensor([count - 1, 0]), slice(1, None), mask):
        part = A[rows]
        assert part.data_shape == (len(torch.arange(count)[rows]), *A.data_shape[1:])
        assert_close(part(field), A(field)[rows])
        padded = torch.zeros_like(A(field))
        padded[rows] = part(field)
        assert_close(part.adjoint(part(field)), A.adjoint(padded))
        assert part.grid == A.grid


@ALL
def test_answers_have_the_dtype_of_what_is_given(make: Make) -> None:
    A = make()
    dtype = own_dtype(A)
    field, data = a_field(A), some_data(A)
    assert A(field).dtype == A.adjoint(data).dtype == dtype
    narrow = NARROW[dtype]
    found, back = A(field.to(narrow)), A.adjoint(data.to(narrow))
    assert found.dtype == back.dtype == narrow
    assert_close(found.to(dtype), A(field), torch.float32)
    assert_close(back.to(dtype), A.adjoint(data), torch.float32)


@ALL
def test_derivatives_go_through_twice(make: Make) -> None:
    A = make()
    field, data = a_field(A, 1).requires_grad_(), some_data(A, 1).requires_grad_()
    for measure, value in ((A, field), (A.adjoint, data)):
        assert torch.autograd.gradcheck(measure, (value,), fast_mode=True)
        assert torch.autograd.gradgradcheck(measure, (value,), fast_mode=True)


@ALL
def test_groups_cover_all_rows_and_have_no_gaps(make: Make) -> None:
    A = make()
    for each in (A, A[1:]):
        groups = each.groups
        assert groups.shape == (each.data_shape[0],)
        assert torch.equal(groups.unique(), torch.arange(int(groups.max()) + 1))


@ALL
def test_other_shapes_are_refused(make: Make) -> None:
    A = make()
    with pytest.raises(ValueError, match=re.escape(f"takes {(*A.field_shape, 'o')}")):
        A(a_field(A)[..., 0])
    with pytest.raises(ValueError, match="`data` has shape"):
        A.adjoint(some_data(A)[1:])
    with pytest.raises(ValueError, match="picks 0 of"):
        A[:0]
    with pytest.raises(ValueError, match="picks a single row"):
        A[torch.tensor(0)]


@ALL
def test_a_copy_measures_the_same(make: Make) -> None:
    A = make()
    field = a_field(A)
    before = A(field)
    assert torch.equal(pickle.loads(pickle.dumps(A))(field), before)


@ALL
def test_a_stack_is_its_parts_one_after_the_other(make: Make) -> None:
    A = make()
    both, field = stack(A, A[1:]), a_field(A)
    parts = [A(field).reshape(-1, 2), A[1:](field).reshape(-1, 2)]
    assert_close(both(field), torch.cat(parts))
    size = len(parts[0])
    first, second = both.groups[:size], both.groups[size:]
    assert not set(first.tolist()) & set(second.tolist())
    inner = size // A.data_shape[0]
    assert torch.equal(first, A.groups.repeat_interleave(inner))
