"""Rules in steps: closed forms against brute force, and against training the linearised network."""

from functools import partial
from math import inf, sqrt

import pytest
import torch
from torch import Tensor, nn

from ntkit import (
    GradientDescent,
    GradientFlow,
    Grid,
    HeavyBallFlow,
    Momentum,
    Nesterov,
    empirical_ntk,
    linearize,
)
from ntkit._core.errors import NumericalError
from ntkit.dynamics.gradient_descent import DescentResponse
from ntkit.dynamics.heavy_ball import HeavyBallResponse
from ntkit.dynamics.stopping import Ripple, best_moment
from ntkit.dynamics.two_step import TwoStepResponse
from ntkit.kernels import RBF, Matern
from ntkit.solvers import chebyshev_series
from tests.cases import randn, seeded
from tests.tolerances import assert_near, relative_error

STEPS = 40  # a thousand in benchmarks/dynamics_sgd.py


def network(outputs: int = 1) -> nn.Sequential:
    layers = [nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, outputs)]
    net = nn.Sequential(*layers).double()
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(0.5 * randn(*p.shape, seed=i))
    return net


def trained(net: nn.Module, x: Tensor, y: Tensor, steps: int, *, ridge=0.0, weights=None, **sgd):
    """The linearised network after `torch.optim.SGD`, on `1/2 sum w (f - y)^2` and a ridge."""
    linear = linearize(net)
    optimiser = torch.optim.SGD(linear.parameters(), **sgd)
    start = [p.detach().clone() for p in linear.parameters()]
    w = torch.ones(len(x), 1).double() if weights is None else weights[:, None]
    for _ in range(steps):
        optimiser.zero_grad()
        (0.5 * w * (linear(x) - y) ** 2).sum().backward()
        for p, p0 in zip(linear.parameters(), start, strict=True):
            assert p.grad is not None
            p.grad += ridge * (p.detach() - p0)
        optimiser.step()
    return linear


RULES = {
    "descent": (lambda *a, lr, **o: GradientDescent(*a, lr=lr, **o), {}),
    "momentum": (lambda *a, lr, **o: Momentum(*a, lr=lr, beta=0.9, **o), {"momentum": 0.9}),
    "nesterov": (
        lambda *a, lr, **o: Nesterov(*a, lr=lr, beta=0.9, **o),
        {"momentum": 0.9, "nesterov": True},
    ),
}


@pytest.mark.parametrize("extra", ["plain", "ridge", "weights"])
@pytest.mark.parametrize("rule", RULES)
def test_a_linearised_network_trained_by_sgd(rule: str, extra: str) -> None:
    net, x, other, y = network(2), randn(5, 3), randn(4, 3, seed=1), randn(5, 2, seed=2)
    options = {
        "plain": {},
        "ridge": {"ridge": 0.3},
        "weights": {"sample_weights": torch.tensor([1.0, 0.2, 0.0, 3.0, 1.0]).double()},
    }[extra]
    make, sgd = RULES[rule]
    kernel = empirical_ntk(net, "full")
    training = make(kernel, x, y, lr=0.01, f0=net, **options)
    loop = {("weights" if k == "sample_weights" else k): v for k, v in options.items()}
    linear = trained(net, x, y, STEPS, lr=0.01, **sgd, **loop)
    for points in (x, other):
        found = training.predict(points, [STEPS])[0]
        assert relative_error(found, linear(points).detach()) < 1e-9
    jumped = linearize(net)
    jumped.load_state_dict(training.weights(STEPS), strict=False)
    assert relative_error(jumped(other).detach(), linear(other).detach()) < 1e-9
    for name, p in linear.named_parameters():
        assert relative_error(training.weights(STEPS)[name], p.detach()) < 1e-9


def recurrence(a: Tensor, beta: float, steps: int, nesterov: bool) -> tuple[Tensor, Tensor]:
    """Residual and `(1 - residual) / a` by the steps themselves."""
    moved, velocity = torch.zeros_like(a), torch.zeros_like(a)
    for _ in range(steps):
        gradient = 1 - a * moved
        velocity = beta * velocity + gradient
        moved = moved + (gradient + beta * velocity if nesterov else velocity)
    return 1 - a * moved, moved


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("nesterov", [False, True])
def test_powers_in_closed_form(nesterov: bool, beta: float, steps: int) -> None:
    """At zero, about the double root, at `a = 1`, up to the limit of stability."""
    double = ((1 - beta) / (1 + beta)) ** 2 if nesterov else (1 - sqrt(beta)) ** 2
    limit = (2 + 2 * beta) / (1 + 2 * beta) if nesterov else 2 * (1 + beta)
    near = [double * (1 + e) for e in (-0.1, -1e-5, -1e-10, 0.0, 1e-10, 1e-5, 0.1)]
    points = [0.0, 1e-300, 1e-12, 1e-6, 1e-3, *near, 0.1, 0.5, 1.0, 1.3, 0.999 * limit]
    a = torch.tensor(points, dtype=torch.float64)
    response = TwoStepResponse(0.5, beta, steps, nesterov)
    left, moved = recurrence(a, beta, steps, nesterov)
    assert float((response.left(a / 0.5) - left).abs().max()) < 1e-11
    assert float((response.learned(a / 0.5) / 0.5 - moved).abs().max()) < 1e-11 * max(steps, 1) ** 2
    small = a < 1e-5
    assert_near(response.learned(a / 0.5)[small] / 0.5, moved[small], loosen=100)


def test_plain_descent_is_momentum_without_any() -> None:
    s = torch.tensor([0.0, 1e-9, 0.3, 1.0, 1.9], dtype=torch.float64)
    for k in (1, 5, 60):
        plain = DescentResponse(1.0, k)
        for nesterov in (False, True):
            other = TwoStepResponse(1.0, 0.0, k, nesterov)
            assert_near(other.left(s), plain.left(s), loosen=10)
            assert_near(other.learned(s), plain.learned(s), loosen=10)
    assert_near(DescentResponse(0.3, 7).left(s), (1 - 0.3 * s) ** 7)


@pytest.mark.parametrize("damping", [0.1, 2.0, 30.0])
def test_a_damped_oscillator(damping: float) -> None:
    """By the exponential of its matrix; overdamped, critical and oscillating."""
    critical = damping**2 / 4
    s = torch.tensor([0.0, 1e-9, 0.5, critical, critical * (1 + 1e-9), 40.0], dtype=torch.float64)
    for t in (0.0, 0.3, 5.0):
        expected = torch.stack([
            torch.matrix_exp(t * torch.tensor([[0, 1], [-k, -damping]], dtype=torch.float64))[0, 0]
            for k in s.tolist()
        ])
        response = HeavyBallResponse(t, damping)
        assert float((response.left(s) - expected).abs().max()) < 1e-12
        assert float((1 - s * response.learned(s) - expected).abs().max()) < 1e-11


def test_coupled_outputs_without_the_matrix() -> None:
    net, x, other, y = network(2), randn(5, 3), randn(4, 3, seed=1), randn(5, 2, seed=2)
    kernel = empirical_ntk(net, "full")
    rules = [
        Momentum(kernel, x, y, lr=0.01, beta=0.9, f0=net, structure=structure)
        for structure in ("dense", "matrix-free")
    ]
    assert rules[1].kind == "matrix-free"
    dense, free = (rule.predict(other, [3, 300, inf]) for rule in rules)
    assert relative_error(free, dense) < 1e-6


def test_small_steps_of_momentum_are_a_damped_flow() -> None:
    kernel, x, y = RBF(0.7), randn(8, 2), randn(8)
    errors = []
    for lr in (1e-4, 1e-5):  # damping 1, time 3
        heavy = Momentum(kernel, x, y, lr=lr, beta=1 - sqrt(lr))
        ball = HeavyBallFlow(kernel, x, y, damping=1.0)
        steps = round(3 / sqrt(lr))
        found = heavy.predict(x, [steps])[0]
        errors.append(relative_error(found, ball.predict(x, [steps * sqrt(lr)])[0]))
    assert errors[1] < 0.02
    assert 2.5 < errors[0] / errors[1] < 4, "first order in sqrt(lr)"


@pytest.mark.parametrize("structure", ["tiled", "toeplitz", "low-rank"])
@pytest.mark.parametrize("rule", [*RULES, "ball"])
def test_every_structure(rule: str, structure) -> None:
    kernel = RBF(0.3)
    train, fine = Grid((8, 6))[::2, ::2], Grid((8, 6))
    y, w = randn(12, 2), torch.rand(12, generator=seeded(5), dtype=torch.float64)

    def make(structure):
        options = {"structure": structure, "sample_weights": w, "ridge": 1e-2}
        if rule == "ball":
            return HeavyBallFlow(kernel, train, y, damping=3.0, **options)
        return RULES[rule][0](kernel, train, y, lr=0.05, low_rank_tolerance=1e-14, **options)

    moments = [0, 1, 20, 300, inf]
    expected = make("dense").predict(fine, moments)
    assert relative_error(make(structure).predict(fine, moments), expected) < 1e-6


def test_a_ridge_is_a_linear_solve_in_the_end_and_weights_repeat_samples() -> None:
    kernel, x, other, y = RBF(0.7), randn(8, 2), randn(5, 2, seed=1), randn(8)
    ridged = GradientFlow(kernel, x, y, ridge=0.3).predict(other, [inf])[0]
    a = torch.linalg.solve(kernel(x) + 0.3 * torch.eye(8).double(), y)
    assert_near(ridged, kernel(other, x) @ a, loosen=100)
    counts = torch.tensor([1, 2, 3, 1, 1, 0, 1, 2])
    weighted = GradientFlow(kernel, x, y, ridge=0.1, sample_weights=counts.double())
    repeated = GradientFlow(
        kernel, x.repeat_interleave(counts, 0), y.repeat_interleave(counts), ridge=0.1
    )
    times = [0.0, 0.5, 20.0, inf]
    assert_near(weighted.predict(other, times), repeated.predict(other, times), loosen=1e4)
    assert_near(weighted.loss(times), repeated.loss(times), loosen=1e4)


def test_duplicated_points_have_a_limit() -> None:
    """Contradicting targets at one point: their mean is learned, and what is left is the spread."""
    x = randn(4, 2)[[0, 1, 1, 2, 3]]
    y = randn(5)
    flow = GradientFlow(RBF(0.7), x, y)
    end = flow.predict(x, [inf])[0]
    expected = y.clone()
    expected[1:3] = y[1:3].mean()
    assert_near(end, expected, loosen=1e3)
    assert_near(flow.loss([inf])[0], (y[1] - y[2]) ** 2 / 4, loosen=1e3)
    heavy = Momentum(RBF(0.7), x, y, lr=0.1, beta=0.9)
    assert_near(heavy.predict(x, [inf])[0], end, loosen=10)


def test_the_limit_of_stability() -> None:
    kernel, x, y = RBF(0.7), randn(8, 2), randn(8)
    largest = float(torch.linalg.eigvalsh(kernel(x))[-1])
    for make, reach in ((RULES["descent"][0], 2.0), (RULES["momentum"][0], 3.8)):
        limit = make(kernel, x, y, lr=0.01).stability_limit
        assert abs(limit * largest / reach - 1) < 1e-12
    for name in RULES:
        limit = RULES[name][0](kernel, x, y, lr=0.01).stability_limit
        below, above = 0.99 * limit, 1.01 * limit
        assert RULES[name][0](kernel, x, y, lr=below).loss([4000])[0] < 1e-2 * y.square().sum()
        with pytest.warns(UserWarning, match=r"exceeds the limit of stability"):
            wild = RULES[name][0](kernel, x, y, lr=above)
        assert wild.loss([4000])[0] > 1e4 * y.square().sum()
        with pytest.raises(NumericalError, match="Training does not end"):
            wild.predict(x, [inf])
        with pytest.raises(NumericalError, match="diverges past the range of numbers"):
            wild.predict(x, [10**7])


@pytest.mark.slow
def test_early_stopping() -> None:
    """On noise alone it is best not to train; on clean targets, never to stop."""
    kernel, x, other = RBF(0.3), randn(30, 2), randn(200, 2, seed=1)

    def truth(p: Tensor) -> Tensor:
        return torch.sin(p[:, 0])

    noisy = truth(x) + 0.5 * randn(30, seed=2)
    flow = GradientFlow(kernel, x, noisy)
    stop = flow.best_time(other, truth(other))
    dense = torch.logspace(-3, 6, 4000, dtype=torch.float64)
    errors = (flow.predict(other, dense) - truth(other)).square().mean(1)
    assert stop.error <= float(errors.min()) * (1 + 1e-6)
    assert abs(stop.time / float(dense[errors.argmin()]) - 1) < 0.01
    descent = GradientDescent(kernel, x, noisy, lr=0.01)
    steps = descent.best_time(other, truth(other))
    assert steps.time == int(steps.time)
    assert abs(steps.time * 0.01 / stop.time - 1) < 0.05
    assert GradientFlow(kernel, x, randn(30)).best_time(other, 0 * truth(other)).time == 0


SWINGING = {
    "heavy ball": (partial(HeavyBallFlow, damping=0.5), torch.logspace(-1, 2, 1500).double()),
    "momentum": (partial(Momentum, lr=0.02, beta=0.9), torch.arange(400.0).double()),
    "momentum of large steps": (
        partial(Momentum, lr=0.14, beta=0.9),
        torch.arange(400.0).double(),
    ),
    "nesterov": (partial(Nesterov, lr=0.02, beta=0.9), torch.arange(400.0).double()),
    "descent of large steps": (partial(GradientDescent, lr=0.074), torch.arange(400.0).double()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SWINGING)
def test_early_stopping_of_rules_that_swing(name: str) -> None:
    """The least of a fine scan; a logarithmic one misses turns."""
    rule, moments = SWINGING[name]
    x, other = torch.rand(40, 1, generator=seeded()).double(), randn(60, 1, seed=1).sigmoid()
    y, truth = torch.sin(8 * x[:, 0]) + 0.5 * randn(40, seed=2), torch.sin(8 * other[:, 0])
    trained = rule(Matern(1.5, 0.2), x, y)
    stop = trained.best_time(other, truth)
    errors = (trained.predict(other, moments) - truth).square().mean(1)
    assert stop.error <= float(errors.min()) * (1 + 1e-6)
    again = (trained.predict(other, [stop.time])[0] - truth).square().mean()
    assert stop.error == pytest.approx(float(again))


LONG = {
    "descent": (DescentResponse(1.9, 10**6), 12_000),
    "momentum": (TwoStepResponse(1.0, 0.9, 10**6, nesterov=False), 20_000),
    "momentum near its limit": (TwoStepResponse(3.6, 0.9, 10**5, nesterov=False), 12_000),
    "momentum, one turn": (TwoStepResponse(1.0, 0.99, 30, nesterov=False), 31),
    "nesterov": (TwoStepResponse(1.0, 0.9, 10**6, nesterov=True), 20_000),
    "heavy ball": (HeavyBallResponse(1e5, 0.1), 8_000),
    "heavy ball, swinging": (HeavyBallResponse(300.0, 0.01), 1_000),
}


@pytest.mark.parametrize("name", LONG)
def test_many_steps_are_few_products(name: str) -> None:
    """About the root of their number, and the series is the function to its tolerance."""
    response, most = LONG[name]
    functions = [response.left, response.learned]
    degree = response.degree(1.0, 1e-14)
    series = chebyshev_series(functions, upper=1.0, tolerances=[1e-8, 1e-8], degree=degree)
    assert series.shape[1] <= most
    angles = torch.pi * (1 - torch.linspace(0, 1, 200, dtype=torch.float64) ** 2)
    table = torch.cos(angles[:, None] * torch.arange(series.shape[1]))
    for row, function in zip(series, functions, strict=True):
        exact = function((angles / 2).cos() ** 2)
        assert float((table @ row - exact).abs().max()) <= 3e-8 + 1e-11 * float(exact.max())


def test_a_search_among_too_many_turns_says_so() -> None:
    def errors(moments: list[float]) -> Tensor:
        return torch.tensor(moments).cos() + 1

    with pytest.warns(UserWarning, match=r"`best_time`: modes swing for 1e\+06 .* the 50 moments"):
        found = best_moment(errors, [1.0], in_steps=False, ripple=Ripple(1e6, 6.28), most=50)
    assert len(found.times) > 50


def test_the_kernel_of_the_last_points_is_kept_but_not_when_they_change() -> None:
    kernel, x, y, other = RBF(0.7), randn(8, 2), randn(8), randn(5, 2, seed=1)
    flow = GradientFlow(kernel, x, y)
    first = flow.predict(other, [1.0])
    other += 0.5
    moved = flow.predict(other, [1.0])
    assert relative_error(moved, first) > 1e-3
    assert torch.equal(moved, GradientFlow(kernel, x, y).predict(other, [1.0]))


X, Y = randn(4, 2), randn(4)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: GradientFlow(RBF(1.0), X, Y, rigde=1.0), TypeError, "has no option `rigde`"),
        (lambda: GradientDescent(RBF(1.0), X, Y, lr=0.0), ValueError, "`lr=0.0` must be a finite"),
        (
            lambda: GradientDescent(RBF(1.0), X, Y, lr=0.1).predict(X, [0.5]),
            ValueError,
            "`steps=0.5` must be a whole number",
        ),
        (
            lambda: Momentum(RBF(1.0), X, Y, lr=0.1, beta=1.0),
            ValueError,
            "`beta=1.0` must be below 1",
        ),
        (
            lambda: GradientFlow(RBF(1.0), X, Y, sample_weights=-Y.abs()),
            ValueError,
            "`sample_weights` must be 4 numbers of 0 or more",
        ),
        (
            lambda: GradientFlow(RBF(1.0), X, Y).weights(1.0),
            TypeError,
            r"`weights\(\)` needs a kernel with parameters",
        ),
        (
            lambda: GradientFlow(empirical_ntk(network(2)), randn(4, 3), randn(4, 2)).weights(1.0),
            ValueError,
            "an average over 2 outputs",
        ),
        (
            lambda: GradientFlow(empirical_ntk(network(2), "full"), randn(4, 3), randn(4)),
            ValueError,
            "`y` has 1 outputs, and the kernel couples 2",
        ),
        (
            lambda: GradientFlow(
                empirical_ntk(network(2), "full"), randn(4, 3), randn(4, 2), structure="tiled"
            ),
            ValueError,
            "needs one tensor of points, and one number",
        ),
    ],
)
def test_errors(call, error, match: str) -> None:
    with pytest.raises(error, match=match):
        call()
