"""On a GPU everything is what it is on the CPU; without one, on a card that is pretended (`tests/pretended_card.py`)."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import solvers
from ntkit.dynamics.normal import Normal
from ntkit.encodings import Gaussian
from ntkit.kernels import RBF, AbstractKernel, Stationary
from ntkit.kernels.empirical.method import AbstractGramMethod
from ntkit.measurements import AbstractMeasurement, Radon
from ntkit.networks import Linear, mlp
from ntkit.reconstruction import predict_training
from ntkit.tasks import Budget, Measured, Signal, train
from tests.cases import MEASUREMENTS, randn
from tests.encodings.test_modules import Case, each
from tests.pretended_card import CARD, pretended_card

CUDA = torch.device("cuda") if torch.cuda.is_available() else CARD
needs_a_card = pytest.mark.skipif(CUDA is CARD, reason="needs a GPU: what is fused knows its types")
if_quick = pytest.mark.slow if CUDA is CARD else lambda test: test
"""Each operation on what is pretended takes some twenty microseconds more."""


@pytest.fixture(autouse=True)
def _card() -> Iterator[None]:
    with pretended_card() if CUDA is CARD else nullcontext():
        yield


def again(module: nn.Module) -> nn.Module:
    """A copy, on the GPU."""
    return deepcopy(module).to(CUDA)


def points(n: int = 24, d: int = 2, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(n, d, generator=draw, dtype=torch.float64)


def network(width: int = 32, out: int = 1) -> nn.Sequential:
    draw = torch.Generator().manual_seed(0)
    encoding = Gaussian(2, 16, 3.0, draw, integer=True)
    return mlp(encoding, out, width=width, depth=2, generator=draw).double()


def same(on_gpu: Tensor, on_cpu: Tensor, tolerance: float = 1e-9) -> None:
    assert on_gpu.device.type == CUDA.type
    on_gpu, on_cpu = on_gpu.detach(), on_cpu.detach()
    scale = float(on_cpu.abs().max())
    assert float((on_gpu.cpu() - on_cpu).abs().max()) <= tolerance * scale


def convolutional() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 1)
    ).double()


@each
def test_encodings(case: Case) -> None:
    encoding, inputs = case.make(), case.inputs(3, 4)
    expected = encoding(*inputs)
    same(encoding.to(CUDA)(*(x.to(CUDA) for x in inputs)), expected)


@pytest.mark.parametrize("kernel", [ntkit.ntk, ntkit.nngp])
def test_infinite_kernels(kernel: Callable[..., Callable[..., Tensor]]) -> None:
    x, z = points(), points(10, seed=1)
    expected = kernel(network())(x, z)
    same(kernel(network().to(CUDA))(x.to(CUDA), z.to(CUDA)), expected)


def hard_points(n: int, d: int = 5) -> Tensor:
    """Some at zero, equal, opposite and 1e-9 apart."""
    x = points(n, d) - 0.5
    x[3], x[5], x[7], x[8] = 0, x[6], -x[6], x[6] * (1 + 1e-9) + 1e-10
    return x


def layers(activation: nn.Module, *, bias: bool) -> nn.Sequential:
    draw = torch.Generator().manual_seed(0)
    first, last = Linear(5, 16, bias, generator=draw), Linear(16, 1, bias, generator=draw)
    between = Linear(16, 16, bias, generator=draw)
    return nn.Sequential(first, activation, between, activation, last).double()


ROUTES = {
    "by angle": layers(nn.ReLU(), bias=False),
    "by cosine": layers(nn.ReLU(), bias=True),
    "a formula": layers(nn.GELU(), bias=False),
}
SMOOTH = layers(nn.Tanh(), bias=True)
"""Its kernel is integrated numerically."""


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("route", ROUTES)
def test_every_route_to_a_matrix(route: str, dtype: torch.dtype) -> None:
    x, module = hard_points(130 if route == "by angle" else 70).to(dtype), ROUTES[route]
    here, there = ntkit.ntk(module), ntkit.ntk(again(module))
    tolerance = 1e-9 if dtype == torch.float64 else 1e-6
    same(there(x.to(CUDA)), here(x), tolerance)
    same(there(x[:60].to(CUDA), x.to(CUDA)), here(x[:60], x), tolerance)
    same(there.diag(x.to(CUDA)), here.diag(x), tolerance)


@needs_a_card
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("route", ["by angle", "by cosine"])
def test_what_is_fused(route: str, dtype: torch.dtype, caplog: pytest.LogCaptureFixture) -> None:
    x, module = hard_points(1100).to(dtype), ROUTES[route]
    with caplog.at_level("INFO", "ntkit"):
        found = ntkit.ntk(again(module))(x.to(CUDA))
    assert not caplog.records  # where Triton is not installed, or does not work
    same(found, ntkit.ntk(module)(x), 1e-9 if dtype == torch.float64 else 1e-6)


@needs_a_card
def test_tf32_is_not_used_for_kernels() -> None:
    x, module = hard_points(130).float(), ROUTES["by angle"]
    expected = ntkit.ntk(module)(x)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        same(ntkit.ntk(again(module))(x.to(CUDA)), expected, 1e-6)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)


@if_quick
def test_a_matrix_of_integrals() -> None:
    x = hard_points(12)
    same(ntkit.ntk(again(SMOOTH))(x.to(CUDA)), ntkit.ntk(SMOOTH)(x))


def test_points_of_one_length_and_a_matrix_of_the_caller() -> None:
    x = nn.functional.normalize(hard_points(130), dim=1)
    module = ROUTES["by cosine"]
    out = torch.empty(130, 130, dtype=torch.float64).to(CUDA)
    assert ntkit.ntk(again(module))(x.to(CUDA), out=out) is out
    same(out, ntkit.ntk(module)(x))
    with pytest.raises(ValueError, match="as the points are"):
        ntkit.ntk(again(module))(x.to(CUDA), out=torch.empty(130, 130, dtype=torch.float64))


@if_quick
def test_gradients_of_points() -> None:
    here, there = points(12, 5).requires_grad_(), points(12, 5).to(CUDA).requires_grad_()
    module = ROUTES["by cosine"]
    ntkit.ntk(module)(here).sum().backward()
    ntkit.ntk(again(module))(there).sum().backward()
    assert here.grad is not None and there.grad is not None
    same(there.grad, here.grad)


@if_quick
@pytest.mark.parametrize("kernel", [ntkit.ntk, ntkit.empirical_ntk])
def test_kernels_of_images(kernel: Callable[..., Callable[..., Tensor]]) -> None:
    x = points(6 * 2 * 16, 1).reshape(6, 2, 4, 4)
    module = convolutional()
    expected = kernel(module)(x)
    same(kernel(again(module))(x.to(CUDA)), expected)


def test_empirical_kernels() -> None:
    x, z = points(), points(10, seed=1)
    module = network(out=2)
    expected = ntkit.empirical_ntk(module)(x, z)
    same(ntkit.empirical_ntk(again(module))(x.to(CUDA), z.to(CUDA)), expected)


def test_gram_on_points() -> None:
    x, v = points(40), points(40, 3, seed=2)
    expected = ntkit.gram(ntkit.ntk(network()), x)
    found = ntkit.gram(ntkit.ntk(network().to(CUDA)), x.to(CUDA))
    same(found @ v.to(CUDA), expected @ v)
    same(found.dense(), expected.dense())
    same(found.diagonal(), expected.diagonal())


@if_quick
def test_flow_on_points() -> None:
    x, y, z = points(30), points(30, 1, seed=3), points(8, seed=4)
    times = [0.1, 10.0, float("inf")]
    expected = ntkit.GradientFlow(ntkit.ntk(network()), x, y)
    found = ntkit.GradientFlow(ntkit.ntk(network().to(CUDA)), x.to(CUDA), y.to(CUDA))
    same(found.predict(z.to(CUDA), times), expected.predict(z, times), 1e-6)
    same(found.loss(times[:2]), expected.loss(times[:2]), 1e-6)


def test_sums_and_products_on_a_grid() -> None:
    grid, v = ntkit.Grid((6, 6)), points(36, 1)

    def product(device: str | torch.device) -> Tensor:
        net = network().to(device)
        encoding = net[0]
        assert isinstance(encoding, Gaussian)
        kernel = 2 * ntkit.ntk(net) + RBF(0.3) * Stationary(encoding) + 1
        return ntkit.gram(kernel, grid) @ v.to(device)

    same(product(CUDA), product("cpu"))


@if_quick
@pytest.mark.parametrize("values_on", ["cpu", CUDA])
def test_grid_operator_and_flow(values_on: str | torch.device) -> None:
    grid = ntkit.Grid((16, 16))
    y = points(64, 1, seed=5).reshape(8, 8)
    kernel = ntkit.ntk(network())
    there = ntkit.ntk(network().to(CUDA))
    target = y.to(values_on)
    times = [1e-2, 1.0, 10.0]
    expected = ntkit.GradientFlow(kernel, grid[::2, ::2], y).predict(grid, times)
    found = ntkit.GradientFlow(there, grid[::2, ::2], target).predict(grid, times)
    same(found, expected, 1e-6)


@if_quick
def test_flow_on_a_grid_that_has_no_structure() -> None:
    grid, times = ntkit.Grid((4, 4)), [0.1, 10.0]
    module = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    y = points(16, 1, seed=5).reshape(4, 4)

    def predicted(device: str | torch.device) -> Tensor:
        module.to(device)
        flow = ntkit.GradientFlow(ntkit.empirical_ntk(module), grid, y.to(device), f0=module)
        return flow.predict(ntkit.Grid((8, 8)), times)

    expected = predicted("cpu")
    same(predicted(CUDA), expected, 1e-6)


@if_quick
def test_flow_of_another_loss() -> None:
    x, z = points(12), points(5, seed=7)
    labels = (x[:, :1] > 0.5).double()

    def predicted(device: str | torch.device) -> Tensor:
        kernel = ntkit.ntk(network().to(device))
        loss = nn.BCEWithLogitsLoss(reduction="sum")
        flow = ntkit.LossFlow(kernel, x.to(device), labels.to(device), loss=loss)
        return flow.predict(z.to(device), [0.1, 3.0])

    same(predicted(CUDA), predicted("cpu"), 1e-5)


@if_quick
def test_descent_and_momentum() -> None:
    x, y, z = points(20), points(20, 1, seed=6), points(5, seed=7)
    here, there = ntkit.ntk(network()), ntkit.ntk(network().to(CUDA))
    for make in (
        lambda k, *data: ntkit.GradientDescent(k, *data, lr=0.01),
        lambda k, *data: ntkit.Momentum(k, *data, lr=0.01, beta=0.9),
        lambda k, *data: ntkit.Nesterov(k, *data, lr=0.01, beta=0.9),
    ):
        cpu = make(here, x, y).predict(z, [1, 50])
        same(make(there, x.to(CUDA), y.to(CUDA)).predict(z.to(CUDA), [1, 50]), cpu, 1e-7)


@if_quick
def test_ensemble_and_posterior() -> None:
    x, y, z = points(20), points(20, 1, seed=6), points(5, seed=7)

    def moments(device: str | torch.device) -> tuple[Normal, Normal]:
        module = network().to(device)
        ensemble = ntkit.Ensemble(ntkit.nngp(module), ntkit.ntk(module), x.to(device), y.to(device))
        process = ntkit.GaussianProcess(ntkit.nngp(module), x.to(device), y.to(device), noise=0.1)
        return ensemble.predict(z.to(device), [1.0]), process.predict(z.to(device))

    for gpu, cpu in zip(moments(CUDA), moments("cpu"), strict=True):
        same(gpu.mean, cpu.mean, 1e-6)
        same(gpu.covariance, cpu.covariance, 1e-6)


@if_quick
def test_linearised_network() -> None:
    x = points()
    module = network()
    move = [0.1 * points(p.numel(), 1, seed=8).reshape(p.shape) for p in module.parameters()]

    def outputs(device: str | torch.device) -> Tensor:
        linear = ntkit.linearize(network().to(device))
        with torch.no_grad():
            for own, step in zip(linear.parameters(), move, strict=True):
                own.add_(step.to(device))
            return linear(x.to(device))

    same(outputs(CUDA), outputs("cpu"))


@if_quick
def test_spectrum_of_a_grid() -> None:
    grid = ntkit.Grid((8, 8))
    cpu = ntkit.spectrum(ntkit.ntk(network()), grid)
    gpu = ntkit.spectrum(ntkit.ntk(network().to(CUDA)), grid)
    assert torch.allclose(gpu.eigenvalues.cpu(), cpu.eigenvalues, rtol=1e-8)


def test_solve() -> None:
    x, y = points(40), points(40, 1, seed=9)
    cpu = ntkit.solvers.solve(ntkit.gram(ntkit.ntk(network()), x), y, ridge=1e-3)
    gpu = ntkit.solvers.solve(
        ntkit.gram(ntkit.ntk(network().to(CUDA)), x.to(CUDA)), y.to(CUDA), ridge=1e-3
    )
    same(gpu.x, cpu.x, 1e-7)


SOLVERS = [
    solvers.Cholesky(),
    solvers.ConjugateGradients(solvers.PivotedCholesky(rank=10)),
    solvers.ConjugateGradients(solvers.Nystrom(rank=10), dtype=torch.float32),
    solvers.BlockDescent(),
]


@if_quick
@pytest.mark.parametrize("method", SOLVERS, ids=repr)
def test_every_method_on_tiles(method: solvers.AbstractMethod) -> None:
    x, y, module = points(40, 5), points(40, 2, seed=3), ROUTES["by cosine"]

    def solution(kernel: AbstractKernel, x: Tensor, y: Tensor) -> Tensor:
        op = ntkit.gram(kernel, x, structure="tiled")
        return solvers.solve(op, y, method=method, ridge=1.0, tolerance=1e-6).x

    expected = solution(ntkit.ntk(module), x, y)
    same(solution(ntkit.ntk(again(module)), x.to(CUDA), y.to(CUDA)), expected, 1e-4)


@if_quick
def test_inducing_points_are_the_same_on_any_device() -> None:
    x, y, module = points(80, 5), points(80, 1, seed=3), ROUTES["by cosine"]
    kernels = ntkit.ntk(module), ntkit.ntk(again(module))
    method = solvers.InducingPoints(20)
    here, there = (
        solvers.kernel_ridge(kernel, x.to(device), y.to(device), ridge=1.0, method=method)
        for kernel, device in zip(kernels, ("cpu", CUDA), strict=True)
    )
    same(there.predict(x.to(CUDA)), here.predict(x), 1e-6)


@if_quick
@pytest.mark.parametrize("method", [ntkit.kernels.Structured(), ntkit.kernels.Sketch(16)], ids=repr)
def test_kernel_of_a_network_and_its_sketch(method: AbstractGramMethod) -> None:
    x, module = points(20, 5), SMOOTH
    here = ntkit.empirical_ntk(module, method=method)
    there = ntkit.empirical_ntk(again(module), method=method)
    same(there(x.to(CUDA)), here(x))
    same(there.diag(x.to(CUDA)), here.diag(x))


def test_products_with_the_kernel_of_a_network() -> None:
    x, v, module = points(20, 5), points(20, 2, seed=2), SMOOTH
    expected = ntkit.gram(ntkit.empirical_ntk(module), x, lazy=True) @ v
    there = ntkit.gram(ntkit.empirical_ntk(again(module)), x.to(CUDA), lazy=True)
    same(there @ v.to(CUDA), expected)


def test_eigenvalues_of_tiles() -> None:
    x, module = points(40, 5), ROUTES["by cosine"]
    here = ntkit.spectrum(ntkit.gram(ntkit.ntk(module), x, structure="tiled"), k=5)
    tiles = ntkit.gram(ntkit.ntk(again(module)), x.to(CUDA), structure="tiled")
    there = ntkit.spectrum(tiles, k=5)
    assert torch.allclose(there.eigenvalues.cpu(), here.eigenvalues, rtol=1e-7)


@needs_a_card
def test_training_of_a_network_on_the_gpu() -> None:
    image = points(256, 1).reshape(16, 16)
    losses = []
    for device in ("cpu", CUDA):
        module = network().float().to(device)
        done = train(module, Signal(image.to(device)), Budget(steps=20))
        losses.append(done[-1].train)
    assert abs(losses[0] - losses[1]) <= 1e-3 * losses[0]


@needs_a_card
def test_tuning_of_a_signal_on_the_gpu() -> None:
    y, x = torch.meshgrid(torch.arange(32) / 32, torch.arange(32) / 32, indexing="ij")
    image = 0.5 + 0.4 * torch.sin(20 * x * y)
    cpu = ntkit.tune(image, steps=100, bandwidths=[1, 4], pilot=False)
    gpu = ntkit.tune(image.to(CUDA), steps=100, bandwidths=[1, 4], pilot=False)
    assert gpu.choice == cpu.choice
    assert gpu.predicted.train == pytest.approx(cpu.predicted.train, abs=1e-3)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(m, id=f"{k.__name__}-{i}")
        for k, ms in MEASUREMENTS.items()
        for i, m in enumerate(ms)
    ],
)
def test_measurements_go_where_the_field_is(make: Callable[[], AbstractMeasurement]) -> None:
    A = make()
    dtype = torch.complex128 if A.is_complex else torch.float64
    field, data = randn(*A.field_shape, 2, dtype=dtype), randn(*A.data_shape, 2, dtype=dtype)
    same(A(field.to(CUDA)), A(field))
    same(A.adjoint(data.to(CUDA)), A.adjoint(data))


@needs_a_card
def test_training_through_a_measurement_on_the_gpu() -> None:
    A = Radon.parallel((16, 16), [0.0, 0.4, 0.9, 1.5, 2.0, 2.6])
    y = A(points(256, 1).reshape(16, 16, 1))
    task, errors = Measured(y, A, bounds=(0, None), total_variation=1e-3), []
    for device in ("cpu", CUDA):
        module = network().float().to(device)
        (done,) = train(module, task, Budget(steps=20))
        errors.append([done.train, done.held_out])
        assert task.field(module).device.type == "cpu"
    assert torch.tensor(errors).diff(dim=0).abs().max() <= 1e-3 * max(errors[0])
    wide = network()
    cpu = predict_training(y, A, ntkit.ntk(wide), steps=[3, 50])
    gpu = predict_training(y.to(CUDA), A, ntkit.ntk(wide.to(CUDA)), steps=[3, 50])
    same(gpu.field, cpu.field)
