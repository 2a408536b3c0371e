"""Training through a measurement: against dense exponentials, against steps taken one by one, and real training."""

from math import inf

import pytest
import torch
from torch import Tensor, nn

from ntkit import GradientFlow, Grid, empirical_ntk, gram, linearize
from ntkit._core.errors import NumericalError
from ntkit.kernels import RBF, Constant, Matern
from ntkit.measurements import AbstractMeasurement, Matrix, Radon, Samples
from ntkit.operators import DenseOperator
from ntkit.reconstruction import predict_training
from ntkit.reconstruction.data_kernel import DataKernel
from tests.cases import randn
from tests.tolerances import assert_near

LINES = Radon.parallel((8, 8), [0.0, 0.6, 1.3, 1.9, 2.5], n_detectors=14)
COMPLEX = Matrix(torch.complex(randn(20, 42), randn(20, 42, seed=1)), (6, 7))
CASES = {"real": LINES, "complex": COMPLEX}
STRUCTURES = pytest.mark.parametrize("structure", ["dense", "matrix-free"])
EACH = pytest.mark.parametrize("measurement", CASES.values(), ids=list(CASES))


def drawn(A: AbstractMeasurement, shape: tuple[int, ...], o: int, seed: int) -> Tensor:
    real = randn(*shape, o, seed=seed)
    return torch.complex(real, randn(*shape, o, seed=seed + 1)) if A.is_complex else real


def dense(A: AbstractMeasurement) -> Tensor:
    """`[m, n]`, column by column."""
    n = torch.Size(A.field_shape).numel()
    dtype = torch.complex128 if A.is_complex else torch.float64
    unit = torch.eye(n, dtype=dtype).reshape(*A.field_shape, n)
    return A(unit).reshape(-1, n)


def by_expm(A: AbstractMeasurement, K: Tensor, y: Tensor, start: Tensor, t: float) -> Tensor:
    """The field after gradient flow in the space of the field: `df/dt = K A^H (y - A f)`, by a matrix exponential."""
    a, f0 = dense(A), start.reshape(-1, start.shape[-1])
    n, o = f0.shape
    flow = torch.zeros(n + o, n + o, dtype=a.dtype)
    flow[:n, :n] = -K.to(a.dtype) @ a.mH @ a
    flow[:n, n:] = K.to(a.dtype) @ a.mH @ y.reshape(-1, o)
    state = torch.cat([f0, torch.eye(o, dtype=a.dtype)])
    return (torch.linalg.matrix_exp(t * flow) @ state)[:n].reshape(start.shape)


@STRUCTURES
@EACH
def test_gradient_flow_is_the_exponential(measurement: AbstractMeasurement, structure) -> None:
    A, grid, times = measurement, Grid(measurement.field_shape), [0.0, 0.3, 4.0]
    y, start = drawn(A, A.data_shape, 2, 2), drawn(A, A.field_shape, 2, 4)
    kernel = Matern(1.5, 0.4)
    found = predict_training(
        y, A, kernel, grid, times, start=start, structure=structure, tolerance=1e-12
    )
    K = kernel(grid.points())
    expected = torch.stack([by_expm(A, K, y, start, t) for t in times])
    assert_near(torch.view_as_real(found.field + 0j), torch.view_as_real(expected + 0j), loosen=1e3)
    through = torch.stack([A(f) for f in found.field])
    assert_near(torch.view_as_real(found.data + 0j), torch.view_as_real(through + 0j), loosen=1e3)
    misfit = (through - y).abs().square().flatten(1).sum(1)
    assert_near(found.loss, 0.5 * misfit, loosen=1e3)


@STRUCTURES
@EACH
def test_gradient_descent_is_its_steps(measurement: AbstractMeasurement, structure) -> None:
    A, grid = measurement, Grid(measurement.field_shape)
    y = drawn(A, A.data_shape, 1, 2)
    K = gram(Matern(0.5, 0.3), grid)
    found = predict_training(y, A, K, steps=[0, 1, 7, 40], structure=structure, tolerance=1e-12)
    assert found.lr is not None
    assert found.lr == pytest.approx(1 / found.largest_eigenvalue)
    field, every = torch.zeros_like(drawn(A, A.field_shape, 1, 4)), []
    for step in range(41):
        if step in {0, 1, 7, 40}:
            every.append(field)
        change = A.adjoint(y - A(field))
        field = field + found.lr * (K @ change.reshape(-1, 1)).reshape(change.shape)
    assert_near(
        torch.view_as_real(found.field + 0j),
        torch.view_as_real(torch.stack(every) + 0j),
        loosen=1e3,
    )


@STRUCTURES
def test_the_end_of_training_is_the_kernel_solution(structure) -> None:
    A, ridge = LINES[:3], 0.01
    y, K, a = randn(*A.data_shape), RBF(0.3)(Grid((8, 8)).points()), dense(A)
    found = predict_training(y, A, RBF(0.3), times=[inf], ridge=ridge, structure=structure)
    regular = a @ K @ a.T + ridge * torch.eye(len(a))
    expected = K @ a.T @ torch.linalg.solve(regular, y.flatten())
    assert_near(found.field[0].flatten(), expected, loosen=1e6)
    stepped = predict_training(y, A, RBF(0.3), steps=[10**6], ridge=ridge, structure="dense")
    assert_near(stepped.field[0].flatten(), expected, loosen=1e6)


def test_of_samples_it_is_the_flow_on_points() -> None:
    grid = Grid((6, 6))
    A, y = Samples.every_other((6, 6)), randn(9)
    found = predict_training(y, A, Matern(1.5, 0.5), times=[0.5, 20.0])
    flow = GradientFlow(Matern(1.5, 0.5), grid[::2, ::2], y.reshape(3, 3))
    assert_near(found.field, flow.predict(grid, [0.5, 20.0]), loosen=1e3)


def test_a_linearised_network_does_what_its_kernel_says() -> None:
    """Real gradient descent on the data, step by step, by autograd through the measurement."""
    net = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1)).double()
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(0.7 * randn(*p.shape, seed=i))
    x, y, A = Grid((8, 8)).points(), randn(*LINES.data_shape, 1), LINES
    start = net(x).detach().reshape(8, 8, 1)
    found = predict_training(y, A, empirical_ntk(net), steps=[25], start=start)
    linear = linearize(net)
    assert found.lr is not None
    optimiser = torch.optim.SGD(linear.parameters(), lr=found.lr)
    for _ in range(25):
        optimiser.zero_grad()
        (0.5 * (A(linear(x).reshape(8, 8, 1)) - y) ** 2).sum().backward()
        optimiser.step()
    assert_near(linear(x).detach().reshape(8, 8, 1), found.field[0], loosen=1e3)


def test_the_kernel_of_the_data_is_a_symmetric_matrix() -> None:
    for A in CASES.values():
        K = gram(RBF(0.3), Grid(A.field_shape))
        kernel = DataKernel(A, K)
        a = dense(A)
        whole = a @ K.dense().to(a.dtype) @ a.mH
        lines = kernel.operator("matrix-free")
        if A.is_complex:  # [[Re, -Im], [Im, Re]], the parts of a number next to each other
            parts = torch.stack([torch.view_as_real(whole), torch.view_as_real(1j * whole)], 2)
            whole = parts.permute(0, 3, 1, 2).reshape(kernel.size, kernel.size)
        assert_near(lines.dense(), whole)
        assert_near(lines.diagonal(), whole.diagonal())
        assert_near(kernel.operator("dense").dense(), whole)
        data = drawn(A, A.data_shape, 3, 0)
        assert torch.equal(kernel.data(kernel.rows(data)), data)


def test_large_data_are_not_stored() -> None:
    A, y = Samples.everywhere((36, 36)), randn(36, 36).flatten()
    counted: list[int] = []
    found = predict_training(y, A, RBF(0.1), times=[1.0], on_step=lambda: counted.append(1))
    assert found.method == "chebyshev"
    assert 0 < len(counted) <= found.products
    assert predict_training(y[:100], A[:100], RBF(0.1), times=[1.0]).method == "eigh"


def test_a_kernel_that_is_zero_moves_nothing() -> None:
    y = randn(*LINES.data_shape)
    for structure in ("dense", "matrix-free"):
        found = predict_training(y, LINES, Constant(0.0), steps=[5], structure=structure)
        assert not found.field.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": None}, "Pass `times=` of gradient flow, or `steps=`"),
        ({"steps": [1]}, "Pass `times=` of gradient flow, or `steps=`"),
        ({"lr": 0.1}, "`lr=0.1` is of `steps=`"),
        ({"y": randn(3)}, r"`y` has shape \(3,\), and the data of the measurement \(5, 14\)"),
        ({"y": torch.full((5, 14), torch.nan)}, "`y` has .*NaN"),
        ({"grid": Grid((4, 4))}, r"`grid` has shape \(4, 4\), and the field"),
        ({"kernel": DenseOperator(torch.eye(5))}, "`kernel` has a matrix of 5 x 5"),
        ({"start": randn(4, 4)}, r"`start` has shape \(4, 4\); \(8, 8\) is needed"),
        ({"ridge": -1.0}, "`ridge=-1.0`"),
        ({"structure": "sparse"}, "`structure='sparse'` must be"),
        ({"times": None, "steps": [1.5]}, "`steps=1.5` must be a whole number"),
    ],
)
def test_what_does_not_fit_is_refused(change, message, unchecked) -> None:
    given = {"y": randn(5, 14), "A": LINES, "kernel": RBF(0.3), "times": [1.0], **change}
    with pytest.raises(ValueError, match=message):
        predict_training(**given)


def test_complex_data_of_a_real_measurement_are_refused() -> None:
    with pytest.raises(TypeError, match=r"`y` is torch.complex128, and the data of Radon are real"):
        predict_training(randn(5, 14) + 0j, LINES, RBF(0.3), times=[1.0])
    with pytest.raises(
        TypeError, match=r"`y` is torch.float64, and the data of Matrix are complex"
    ):
        predict_training(randn(20), COMPLEX, RBF(0.3), times=[1.0])


def test_what_diverges_is_said() -> None:
    y = randn(*LINES.data_shape)
    limit = 2 / predict_training(y, LINES, RBF(0.3), times=[0.0]).largest_eigenvalue
    with pytest.warns(UserWarning, match="exceeds the limit of stability"):
        predict_training(y, LINES, RBF(0.3), steps=[3], lr=1.1 * limit)
    with pytest.raises(NumericalError, match="Training does not end"):
        predict_training(y, LINES, RBF(0.3), steps=[inf], lr=limit)
    with pytest.raises(NumericalError, match="past the range of numbers"), pytest.warns():
        predict_training(y, LINES, RBF(0.3), steps=[10**5], lr=1.5 * limit)
