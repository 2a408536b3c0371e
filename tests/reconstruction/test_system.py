"""A measurement as the solvers take it: against its matrix column by column, and a bound of its curvature."""

from itertools import product
from math import pi, prod

import pytest
import torch
from torch import Tensor

from ntkit.measurements import (
    AbstractMeasurement,
    Blur,
    Fourier,
    Matrix,
    Radon,
    Samples,
    Subsample,
)
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus
from tests.cases import randn, seeded
from tests.tolerances import assert_near

MASK = torch.rand(7, 6, generator=seeded()) > 0.5
COILS = randn(3, 7, 6, seed=1, dtype=torch.complex128)
MATRIX = torch.complex(randn(20, 30), randn(20, 30, seed=1))
HOLE = torch.ones(7, 8, dtype=torch.bool)
HOLE[2:6, 2:7] = False  # what is in the middle is not measured
CASES = {
    "radon": Radon.parallel((8, 8), torch.arange(5) * pi / 5, n_detectors=12),
    "few views": Radon.parallel((9, 7), torch.tensor([0.3])),
    "samples": Samples.every_other((9, 6)),
    "a hole": Samples.mask(HOLE),
    "blur and a hole": Samples.mask(HOLE) @ Blur((7, 8), 0.4),
    "a line": Samples.everywhere((20,)),
    "a volume": Samples.every((4, 3, 5), 2),
    "blur": Blur((13, 11), 1.0),
    "blocks": Subsample((6, 8), 2),
    "matrix": Matrix(randn(20, 30), (5, 6)),
    "complex matrix": Matrix(MATRIX, (5, 6)),
    "fourier": Fourier((7, 6), MASK),
    "coils": Fourier((7, 6), MASK, COILS),
}
EACH = pytest.mark.parametrize("A", CASES.values(), ids=list(CASES))
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])


def system_of(A: AbstractMeasurement, weighted: bool) -> System:
    count = prod(A.data_shape)
    weights = torch.rand(count, generator=seeded(3), dtype=torch.float64) if weighted else None
    if weights is not None:
        weights[::4] = 0
    return System(A, weights, torch.arange(count))


def by_columns(system: System) -> Tensor:
    """`sqrt(w) A`, `[m, n]`; of a complex one real, `[2 m, 2 n]`, all real parts before all imaginary ones."""
    A = system.measurement
    n = prod(A.field_shape)
    columns = []
    for k in range(n):
        unit = torch.zeros(n, 1, dtype=torch.complex128 if A.is_complex else torch.float64)
        unit[k] = 1
        columns.append(A(unit.reshape(*A.field_shape, 1)).flatten())
    matrix = torch.stack(columns, 1)
    if system.weights is not None:
        matrix = matrix * system.weights.sqrt()[:, None]
    if not A.is_complex:
        return matrix
    return torch.cat([
        torch.cat([matrix.real, -matrix.imag], 1),
        torch.cat([matrix.imag, matrix.real], 1),
    ])


@WEIGHTED
@EACH
def test_products_are_those_of_the_matrix(A: AbstractMeasurement, weighted: bool) -> None:
    """Several problems of several channels at once, each part of each as by itself."""
    system = system_of(A, weighted)
    matrix, width = by_columns(system), 2 if A.is_complex else 1
    fields, data = randn(3, 2 * width, *A.field_shape), randn(3, 2 * width, system.n_data, seed=1)
    there, back = system.forward(fields), system.adjoint(data)
    for c, o in product(range(3), range(2)):
        own = slice(o * width, (o + 1) * width)
        assert_near(there[c, own].flatten(), matrix @ fields[c, own].flatten(), loosen=10)
        assert_near(back[c, own].flatten(), matrix.T @ data[c, own].flatten(), loosen=10)


@WEIGHTED
@EACH
def test_the_adjoint_is_the_adjoint(A: AbstractMeasurement, weighted: bool) -> None:
    system, parts = system_of(A, weighted), 4 if A.is_complex else 2
    fields, data = randn(2, parts, *A.field_shape), randn(2, parts, system.n_data, seed=1)
    left = (system.forward(fields) * data).sum()
    right = (fields * system.adjoint(data)).sum()
    assert abs(float(left - right)) < 1e-12 * float(system.forward(fields).norm() * data.norm())


@EACH
def test_parts_are_channels(A: AbstractMeasurement) -> None:
    """Of complex numbers real and imaginary parts in turn; and back again."""
    system = system_of(A, False)
    dtype = torch.complex128 if A.is_complex else torch.float64
    field, y = randn(*A.field_shape, 3, dtype=dtype), randn(*A.data_shape, 3, dtype=dtype)
    parts = system.parts_of(field)
    for o in range(3):
        if A.is_complex:
            assert torch.equal(parts[2 * o], field[..., o].real)
            assert torch.equal(parts[2 * o + 1], field[..., o].imag)
        else:
            assert torch.equal(parts[o], field[..., o])
    assert torch.equal(system.whole_of(parts), field)
    weighted = system_of(A, True)
    assert weighted.weights is not None
    assert_near(weighted.data_of(y), system.data_of(y) * weighted.weights.sqrt())
    assert_near(system.data_of(A(field)), system.forward(parts[None])[0], loosen=10)


@WEIGHTED
@EACH
def test_the_curvature_is_never_below(A: AbstractMeasurement, weighted: bool) -> None:
    """The largest eigenvalue of `A^H w A` relative to the circulant matrix is just below one."""
    system = system_of(A, weighted)
    torus, matrix = system.torus, by_columns(system)
    assert float(system.curvature.min()) > 0
    n = prod(torus.lengths)
    unit = torch.eye(n, dtype=torch.float64).reshape(n, *torus.lengths)
    inverse = torus.crop(torus.on_torus(torch.fft.rfftn(unit, dim=torus.axes) / system.curvature))
    places = torus.crop(torch.arange(n).double().reshape(torus.lengths)).flatten().long()
    inverse = inverse.flatten(1)[places]
    if A.is_complex:
        inverse = torch.block_diag(inverse, inverse)
    root = torch.linalg.cholesky(inverse)
    ratio = float(torch.linalg.eigvalsh(root.T @ (matrix.T @ matrix) @ root).max())
    assert 0.9 < ratio <= 1


def test_line_integrals_are_bounded_closely() -> None:
    """By about the inverse of the ramp: its mean is far below that of the same at all waves."""
    A = Radon.parallel((16, 16), torch.arange(24) * pi / 24)
    system = system_of(A, False)
    largest = torch.linalg.matrix_norm(by_columns(system), 2) ** 2
    assert float(system.curvature.mean()) < 0.25 * float(largest)


def test_the_level_is_the_mean_diagonal() -> None:
    """Of one random field: to a few parts in a hundred where there are many points."""
    A = Radon.parallel((40, 40), torch.arange(6) * pi / 6)
    system = System(A, None, torch.zeros(prod(A.data_shape), dtype=torch.long))
    expected = by_columns(system).square().sum() / 1600
    assert system.level == pytest.approx(float(expected), rel=0.1)


@EACH
@WEIGHTED
def test_data_that_share_nothing_are_known(A: AbstractMeasurement, weighted: bool) -> None:
    """By `A A^H` itself."""
    system = system_of(A, weighted)
    matrix = by_columns(system)
    gram = matrix @ matrix.T
    assert system.is_diagonal == (float((gram - gram.diag().diag()).abs().max()) < 1e-9)


def test_what_sees_nothing_is_known() -> None:
    assert system_of(CASES["radon"], False).sees_something
    blind = System(Matrix(torch.zeros(3, 4).double()), None, torch.arange(3))
    assert not blind.sees_something
    assert float(blind.curvature.abs().max()) == 0
    weights = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    matrix = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]], dtype=torch.float64)
    assert not System(Matrix(matrix), weights, torch.arange(3)).sees_something


def test_counts_and_groups() -> None:
    weights = torch.tensor([0.0, 0.5, 1.5], dtype=torch.float64)
    system = System(Samples.everywhere((3,)), weights, torch.tensor([0, 1, 0]))
    assert system.counts.tolist() == [False, True, True]
    assert system.n_groups == 2
    assert System(Samples.everywhere((3,)), None, torch.arange(3)).counts.all()
    assert system.torus == Torus.around((3,))
