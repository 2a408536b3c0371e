"""Fourier samples: against the sum itself, fastMRI's convention, coils, groups, and samples off the grid."""

import re
from itertools import product
from math import pi

import pytest
import torch
from torch import Tensor

from ntkit.measurements import Fourier, NonuniformFourier
from tests.cases import randn
from tests.tolerances import assert_near

COMPLEX = torch.complex128


def by_sum(field: Tensor, points: Tensor) -> Tensor:
    """`sum_x f(x) exp(-2 pi i k.(x - c) / n) / sqrt(N)`, a point at a time."""
    shape = torch.tensor(field.shape, dtype=torch.float64)
    places = torch.tensor(list(product(*map(range, field.shape)))).double() - shape // 2
    waves = [torch.exp(-2j * pi * ((places / shape) @ k)) @ field.flatten() for k in points]
    return torch.stack(waves) / field.numel() ** 0.5


def same(a: Tensor, b: Tensor, loosen: float = 1.0) -> None:
    assert_near(torch.view_as_real(a.resolve_conj()), torch.view_as_real(b), loosen=loosen)


@pytest.mark.parametrize("shape", [(7,), (4, 5), (3, 4, 2)])
def test_it_is_the_centred_orthonormal_sum(shape: tuple[int, ...]) -> None:
    field = randn(*shape, 1, dtype=COMPLEX)
    frequencies = torch.tensor(list(product(*[[k - n // 2 for k in range(n)] for n in shape])))
    exact = by_sum(field[..., 0], frequencies.double())
    same(Fourier(shape)(field)[:, 0], exact, loosen=10)


def test_the_whole_of_it_keeps_lengths_and_is_its_own_inverse() -> None:
    A, field = Fourier((6, 5)), randn(6, 5, 2, dtype=COMPLEX)
    assert float(A(field).norm()) == pytest.approx(float(field.norm()))
    same(A.adjoint(A(field)), field)


def test_a_mask_keeps_samples_in_the_order_of_k_space() -> None:
    mask = randn(4, 6) > 0
    field = randn(4, 6, 1, dtype=COMPLEX)
    full = torch.fft.fftshift(torch.fft.fft2(torch.fft.ifftshift(field[..., 0]), norm="ortho"))
    A = Fourier((4, 6), mask)
    same(A(field)[:, 0], full[mask])
    same(A.gather(full), A(field))
    assert torch.equal(A.mask, mask)
    same(A.scatter(A(field)), full * mask)


def test_columns_are_kept_by_a_mask_of_the_last_axis() -> None:
    mask = torch.tensor([True, False, True, False, True, True])
    assert torch.equal(Fourier((4, 6), mask).mask, mask.expand(4, 6))


def test_coils_are_fields_of_their_own() -> None:
    coils, mask = randn(3, 4, 6, dtype=COMPLEX), randn(4, 6) > 0
    field = randn(4, 6, 2, dtype=COMPLEX)
    plain, A = Fourier((4, 6), mask), Fourier((4, 6), mask, coils)
    for c in range(3):
        same(A(field)[:, c], plain(coils[c][..., None] * field))
    kspace = randn(3, 4, 6, dtype=COMPLEX)
    data = A.gather(kspace)
    assert data.shape == (*A.data_shape, 1)
    same(data[:, 1, 0], kspace[1][mask])
    same(A.scatter(data), kspace * mask)


def test_real_fields_have_real_derivatives() -> None:
    A, field = Fourier((4, 6), randn(4, 6) > 0), randn(4, 6, 1).requires_grad_()
    A(field).abs().square().sum().backward()
    assert field.grad is not None
    assert_near(field.grad, 2 * A.adjoint(A(field)).detach().real)


def test_groups_are_lines_with_their_mirror_images() -> None:
    keep = torch.zeros(9, dtype=torch.bool)
    keep[[0, 3, 4, 5, 7, 8]] = True  # frequencies -4, -1, 0, 1, 3, 4
    for mask, axis in ((keep, 1), (keep[:, None], 0)):
        A = Fourier((9, 9), mask)
        places = torch.arange(81).reshape(9, 9).expand(9, 9)
        along = (places % 9 if axis else places // 9).flatten()[A.index]
        label = torch.minimum(along, 8 - along)
        assert torch.equal(A.groups, label.unique(return_inverse=True)[1])
    assert len(Fourier((64, 64)).groups.unique()) == 33
    volume = Fourier((4, 12, 12), randn(12, 12) > 0)
    assert torch.equal(volume.groups[: len(volume.groups) // 4].repeat(4), volume.groups)


def test_samples_without_lines_are_groups_with_their_mirror_images() -> None:
    mask = randn(9, 9) > 0
    A = Fourier((9, 9), mask)
    for place, group in zip(A.index.tolist(), A.groups.tolist(), strict=True):
        mirrored = 80 - place
        partner = (A.index == mirrored).nonzero()
        assert all(int(A.groups[p]) == group for p in partner)
        assert int((A.groups == group).sum()) == 1 + (len(partner) > 0 and mirrored != place)


def test_off_the_grid_it_is_the_same_sum() -> None:
    pytest.importorskip("finufft")
    for shape in ((9,), (6, 7), (4, 5, 3)):
        points = (randn(11, len(shape)).sigmoid() - 0.5) * torch.tensor(shape)
        field = randn(*shape, 1, dtype=COMPLEX)
        A = NonuniformFourier(shape, points)
        same(A(field)[:, 0], by_sum(field[..., 0], points), loosen=100)


def test_at_whole_numbers_it_is_the_transform_on_the_grid() -> None:
    pytest.importorskip("finufft")
    coils, field = randn(2, 4, 6, dtype=COMPLEX), randn(4, 6, 3, dtype=COMPLEX)
    points = torch.tensor(list(product(range(-2, 2), range(-3, 3)))).double()
    A, B = NonuniformFourier((4, 6), points, coils), Fourier((4, 6), None, coils)
    same(A(field), B(field), loosen=100)
    same(A.adjoint(A(field)), B.adjoint(B(field)), loosen=100)


def test_spokes_and_runs_are_groups() -> None:
    pytest.importorskip("finufft")
    spokes = NonuniformFourier((8, 8), randn(5, 7, 2).tanh())
    assert torch.equal(spokes.groups, torch.arange(5).repeat_interleave(7))
    runs = NonuniformFourier((8, 8), randn(640, 2).tanh())
    assert torch.equal(runs.groups, torch.arange(64).repeat_interleave(10))


POINTS, KSPACE = torch.zeros(3, 2), torch.zeros(4, 4, dtype=COMPLEX)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Fourier((4, 4), torch.ones(4)), TypeError, "must be boolean, got torch.float32"),
        (lambda: Fourier((4, 4), torch.ones(3) > 0), ValueError, "broadcasts to (4, 4)"),
        (lambda: Fourier((4, 4), torch.ones(4) < 0), ValueError, "True nowhere"),
        (
            lambda: Fourier((4, 4), torch.ones(4, 4).int()),
            ValueError,
            "must be boolean: `mask > 0`",
        ),
        (lambda: Fourier((4, 4), torch.tensor([16])), ValueError, "from 0 to 15"),
        (lambda: Fourier((4, 4), None, torch.ones(2, 4, 4)), TypeError, "`coils` must be complex"),
        (lambda: Fourier((4, 4), None, KSPACE), ValueError, "(coils, 4, 4) is needed"),
        (lambda: Fourier((4,), groups=torch.ones(3)), ValueError, "each of 4 samples"),
        (lambda: Fourier((4, 5)).gather(KSPACE), ValueError, "`kspace` has shape (4, 4); (4, 5)"),
        (lambda: NonuniformFourier((4,), POINTS), ValueError, "[n, 1] or [spokes, n, 1]"),
        (lambda: NonuniformFourier((4, 4), POINTS + 3), ValueError, "cycles per side of the field"),
        (lambda: NonuniformFourier((2,) * 4, POINTS), ValueError, "must have one to three axes"),
        (
            lambda: NonuniformFourier((4, 4), POINTS, groups=torch.arange(2)),
            ValueError,
            "each of 3 samples",
        ),
    ],
)
def test_refusals(make, kind: type[Exception], message: str, unchecked: None) -> None:
    with pytest.raises(kind, match=re.escape(message)):
        make()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "finufft", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'ntkit[mri]'")):
        NonuniformFourier((4, 4), POINTS)
