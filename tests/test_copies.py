"""Kernels, operators, rules and results are copied and pickled, before use and after it."""

import copy
import io
import pickle
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import isclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ntkit
from ntkit import dynamics, encodings, kernels, operators, solvers, spectra, tuning
from ntkit.kernels import RBF, AbstractKernel
from tests import cases
from tests.cases import randn

X, Y, TEST = randn(6, 2), randn(6, 1, seed=1), randn(4, 2, seed=2)


def pickled(value: Any) -> Any:
    """Into bytes and back."""
    return pickle.loads(pickle.dumps(value))


def tensors(value: Any) -> list[Tensor]:
    """The tensors of a result, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [t for part in value for t in tensors(part)]
    if is_dataclass(value):
        return [t for field in fields(value) for t in tensors(getattr(value, field.name))]
    return [torch.tensor(value)] if isinstance(value, float) else []


def times(matrix: Tensor, v: Tensor) -> Tensor:
    return v @ matrix.to(v).T


MATRIX = randn(12, 8)
MADE = operators.MatrixFreeOperator(
    partial(times, MATRIX),
    MATRIX.diagonal,
    (12, 8),
    inner=torch.float64,
    device=torch.device("cpu"),
)
KERNELS = [(kind, make) for kind, every in cases.KERNELS.items() for make in every]
OPERATORS = [
    (kind, (lambda: MADE) if kind is operators.MatrixFreeOperator else make)
    for kind, every in cases.OPERATORS.items()
    for make in every
]
DOERS = [pickled, copy.deepcopy]


@pytest.mark.parametrize("after_use", [False, True])
@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize(("kind", "make"), KERNELS, ids=lambda v: getattr(v, "__name__", ""))
def test_kernels(kind: type, make: Callable, doer: Callable, after_use: bool) -> None:
    kernel = make()
    expected = kernel(X, TEST), kernel.diag(X)
    twin = doer(kernel if after_use else make())
    assert type(twin) is kind
    for found, value in zip((twin(X, TEST), twin.diag(X)), expected, strict=True):
        assert torch.equal(found, value)


@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize(("kind", "make"), OPERATORS, ids=lambda v: getattr(v, "__name__", ""))
def test_operators(kind: type, make: Callable, doer: Callable) -> None:
    op = make()
    v = randn(op.shape[1], 2)
    expected, twin = op @ v, doer(op)
    assert type(twin) is kind
    assert torch.equal(twin @ v, expected)
    assert torch.equal(doer(op) @ v, expected)


NET = cases.standard(encodings.Identity(2)).double()
WIDE = cases.layered(encodings.Gaussian(2, 8, 1.0, cases.seeded()))


@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize("memory", [2**30, 1])
@pytest.mark.parametrize("kind", ["matrix-free", "tiled"])
def test_lazy_operators_after_use(kind: Any, memory: int, doer: Callable) -> None:
    kernel = ntkit.empirical_ntk(NET)
    if kind == "tiled":
        op = ntkit.gram(kernel, X, structure="tiled")
    else:
        op = kernel.operator(X, memory=memory)
    v = randn(6, 2)
    expected, diagonal = op @ v, op.diagonal()
    twin = doer(op)
    assert torch.equal(twin @ v, expected)
    assert torch.equal(twin.diagonal(), diagonal)


def _flow(rule: Callable[..., Any], **options: Any) -> list[Callable[[], Any]]:
    every = [ntkit.empirical_ntk(NET), ntkit.ntk(WIDE), RBF(torch.tensor(0.5, dtype=torch.float64))]
    return [lambda k=k: rule(k, X, Y, f0=NET, **options) for k in every]


def _followed() -> dynamics.Followed:
    rule = ntkit.GradientDescent(ntkit.empirical_ntk(NET), X, Y, lr=0.01, f0=NET)
    return next(dynamics.follow(NET, rule, steps=2, points=X))


def _history() -> dynamics.LazyHistory:
    return ntkit.LazyProbe(NET, X).history


RULES: dict[type, list[Callable[[], Any]]] = {
    dynamics.GradientFlow: _flow(ntkit.GradientFlow),
    dynamics.GradientDescent: _flow(ntkit.GradientDescent, lr=0.01),
    dynamics.Momentum: _flow(ntkit.Momentum, lr=0.01, beta=0.5),
    dynamics.Nesterov: _flow(ntkit.Nesterov, lr=0.01, beta=0.5),
    dynamics.HeavyBallFlow: _flow(ntkit.HeavyBallFlow, damping=1.0),
    dynamics.LossFlow: _flow(ntkit.LossFlow, loss=nn.MSELoss(reduction="sum")),
    dynamics.Ensemble: [lambda: ntkit.Ensemble(ntkit.nngp(WIDE), ntkit.ntk(WIDE), X, Y)],
    dynamics.GaussianProcess: [lambda: ntkit.GaussianProcess(ntkit.nngp(WIDE), X, Y, noise=0.1)],
    dynamics.Taylor: [lambda: ntkit.taylor(NET, 2)],
    dynamics.LazyProbe: [lambda: ntkit.LazyProbe(NET, X)],
}
RESULTS: dict[type, Callable[[], Any]] = {
    dynamics.Comparison: lambda: ntkit.compare(
        NET, ntkit.GradientDescent(ntkit.empirical_ntk(NET), X, Y, lr=0.01, f0=NET), steps=2
    ),
    dynamics.Fit: lambda: dynamics.Fit(1.0, True, 3),
    dynamics.Followed: _followed,
    dynamics.Seen: lambda: _followed().seen,
    dynamics.LazyHistory: _history,
    dynamics.LazyRow: lambda: _history().table[0],
    dynamics.NoiseFloor: lambda: dynamics.minibatch_noise(
        ntkit.GradientDescent(RBF(0.5), X, Y, lr=0.01), 2
    ),
    dynamics.Normal: lambda: ntkit.GaussianProcess(RBF(0.5), X, Y, noise=0.1).predict(TEST),
    dynamics.Stopping: lambda: ntkit.GradientFlow(RBF(0.5), X, Y).best_time(TEST, Y[:4]),
    dynamics.Walk: lambda: dynamics.walk(NET, {}, X, [0.0, 1.0]),
}


def _tuned() -> tuning.TuneResult:
    return tuning.tune(
        torch.sin(8 * torch.arange(64.0) / 64),
        encodings=["identity", "gaussian"],
        bandwidths=[2.0],
        optimiser="sgd",
        steps=20,
        width=8,
        depth=2,
        n_frequencies=4,
        pilot=False,
    )


ELSEWHERE: dict[type, Callable[[], Any]] = {
    solvers.RidgeFit: lambda: solvers.kernel_ridge(RBF(0.5), X, Y, ridge=0.1),
    solvers.Solution: lambda: solvers.solve(RBF(0.5)(X), Y, ridge=0.1),
    solvers.FlowSolution: lambda: solvers.solve_flow(
        operators.DenseOperator(RBF(0.5)(X)), Y.T, [1.0], tolerance=1e-8
    ),
    solvers.Factor: lambda: solvers.pivoted_cholesky(RBF(0.5), X, tolerance=1e-6, max_rank=4),
    solvers.CholeskyFactor: lambda: solvers.cholesky(RBF(0.5)(X)),
    spectra.Spectrum: lambda: spectra.spectrum(RBF(0.5), X),
    spectra.SpectralDensity: lambda: spectra.spectral_density(
        operators.DenseOperator(RBF(0.5)(X)), steps=3
    ),
    spectra.Estimate: lambda: spectra.Estimate(1.0, 0.5),
    tuning.TuneResult: _tuned,
}


def used(rule: Any) -> list[Tensor]:
    """What a rule answers."""
    if isinstance(rule, nn.Module):
        return [rule(X).detach()]
    if isinstance(rule, ntkit.LazyProbe):
        return [rule.history.movement, rule.history.nonlinearity]
    if isinstance(rule, ntkit.GaussianProcess):
        return tensors(rule.predict(TEST))
    return tensors(rule.predict(TEST, [0.0, 3.0]))


def test_every_public_class_of_dynamics_is_here() -> None:
    public = {c for c in (getattr(dynamics, name) for name in dynamics.__all__) if isclass(c)}
    assert public - {dynamics.TrainingOptions} == {*RULES, *RESULTS}


@pytest.mark.parametrize("after_use", [False, True])
@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize(
    "make",
    [make for every in RULES.values() for make in every],
    ids=range(sum(map(len, RULES.values()))),
)
def test_rules(make: Callable, doer: Callable, after_use: bool) -> None:
    rule = make()
    expected = used(rule)
    twin = doer(rule if after_use else make())
    for found, value in zip(used(twin), expected, strict=True):
        assert torch.equal(found, value)


@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize("make", RESULTS.values(), ids=[k.__name__ for k in RESULTS])
def test_results(make: Callable, doer: Callable) -> None:
    value = make()
    twin = doer(value)
    assert type(twin) is type(value)
    for one, other in zip(tensors(twin), tensors(value), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("doer", DOERS)
@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=[k.__name__ for k in ELSEWHERE])
def test_results_elsewhere(make: Callable, doer: Callable) -> None:
    value = make()
    twin = doer(value)
    assert type(twin) is type(value)
    found = tensors(value)
    assert found
    for one, other in zip(tensors(twin), found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    if isinstance(value, spectra.Spectrum):
        assert torch.equal(twin.eigenfunctions(TEST, count=2), value.eigenfunctions(TEST, count=2))
    if isinstance(value, tuning.TuneResult):
        assert twin.table == value.table
        assert torch.equal(twin.encoding(X[:, :1].float()), value.encoding(X[:, :1].float()))


def test_a_flow_over_a_hyperparameter_is_copied_without_its_graph() -> None:
    scale = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    flow = ntkit.GradientFlow(RBF(scale), X, Y)
    expected = flow.predict(TEST, [1.0]).detach()
    for doer in DOERS:
        assert torch.equal(doer(flow).predict(TEST, [1.0]).detach(), expected)


class Table(AbstractKernel):
    """A kernel of someone else's, with a function of its own."""

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, x1: Tensor, x2: Tensor | None = None) -> Tensor:
        return self.function(x1, x1 if x2 is None else x2)

    def diag(self, x: Tensor) -> Tensor:
        return self(x).diagonal()


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: kernels.FeatureMap(lambda x: x**2), "FeatureMap.function"),
        (lambda: 2 * kernels.FeatureMap(lambda x: x**2), "FeatureMap.function"),
        (lambda: ntkit.GradientFlow(RBF(0.5), X, Y, f0=lambda x: x[:, :1]), "GradientFlow._f0"),
        (lambda: operators.TiledOperator(lambda a, b: a @ b.T, X, X), "TiledOperator.kernel"),
        (lambda: Table(lambda a, b: a @ b.T), "Table.function"),
        (
            lambda: ntkit.ntk(ntkit.LinearModel(lambda x: x**2, n_features=2)),
            "InfiniteKernel._module.feature_map",
        ),
    ],
    ids=range(6),
)
def test_what_holds_a_nameless_function_is_refused_by_name(make: Callable, place: str) -> None:
    value = make()
    with pytest.raises(TypeError, match=rf"`{place}` holds the function `.*lambda.*cloudpickle"):
        pickle.dumps(value)
    copy.deepcopy(value)


def test_cloudpickle_takes_them() -> None:
    cloudpickle = pytest.importorskip("joblib.externals.cloudpickle")
    kernel = kernels.FeatureMap(lambda x: x**2)
    twin = cloudpickle.loads(cloudpickle.dumps(kernel))
    assert torch.equal(twin(X), kernel(X))


def test_a_kernel_goes_into_a_file_of_torch() -> None:
    kernel, file = ntkit.ntk(WIDE), io.BytesIO()
    expected = kernel(X)
    torch.save(kernel, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(X), expected)


def test_a_network_and_its_kernel_are_copied_together() -> None:
    net, kernel = copy.deepcopy((NET, ntkit.empirical_ntk(NET)))
    before = kernel(X)
    with torch.no_grad():
        next(net.parameters()).add_(1.0)
    assert not torch.equal(kernel(X), before)


def test_a_spectrum_keeps_the_points_it_is_of() -> None:
    x = X.clone()
    found = spectra.spectrum(RBF(0.5), x)
    expected = found.eigenfunctions(TEST, count=2)
    x.add_(1.0)
    assert torch.equal(found.eigenfunctions(TEST, count=2), expected)
