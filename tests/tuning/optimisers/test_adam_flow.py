"""Adam in function space: the laws of its steps, a step-by-step oracle, and a real network."""

from dataclasses import replace
from itertools import pairwise
from math import inf

import pytest
import torch
from torch import nn
from torch.distributions import Gamma

from ntkit import Grid, empirical_ntk, encodings, ntk
from ntkit.dynamics.modes import Modes
from ntkit.networks import mlp, symmetrise
from ntkit.tasks import Signal
from ntkit.tuning.optimisers import adam_flow
from ntkit.tuning.optimisers.adam_flow import STABILITY, adam_trajectories
from ntkit.tuning.problems import PeriodicProblem
from tests import oracles
from tests.cases import randn, seeded
from tests.dynamics.test_modes import modes_of
from tests.tolerances import assert_near

STEPS = [1, 2, 10, 60, 149]


def ladder_of(k: int = 40, seed: int = 0) -> Modes:
    """Three layers whose eigenvalues span six decades, each in its own way."""
    ladder = torch.logspace(2, -4, k, dtype=torch.float64)
    return modes_of(ladder * randn(3, k, seed=seed).exp())


def run(modes: Modes, steps=STEPS, lr: float = 1e-4, batch_size: int = 10, **options):
    return adam_trajectories([modes], steps, lr=lr, batch_size=batch_size, **options)[0]


def test_the_training_error_falls() -> None:
    modes = ladder_of()
    errors = modes.error(run(modes, steps=[1, 5, 25, 125, 625, 3000]).decay)
    assert float(errors[0]) < float(modes.energy.sum()) / (modes.n_samples * modes.n_outputs)
    assert bool((errors.diff() < 0).all())


@pytest.mark.parametrize("steps", [STEPS, [1, 700, 2000]])
def test_what_is_left_is_what_was_not_learned(steps: list[int]) -> None:
    """`decay = 1 - sum_g eigenvalues_g weights_g`, whatever the learning rates did on the way."""
    modes = ladder_of()
    found = run(modes, steps)
    assert_near(found.decay, 1 - (modes.eigenvalues * found.weights).sum(1), loosen=10)


@pytest.mark.parametrize("factor", [1e-3, 2.0, 1e3])
def test_adams_steps_have_a_fixed_length(factor: float) -> None:
    """They do not grow with the residual: one `a` times as large needs `a` times the rate.

    Nor with the gradient: a kernel `a^2` times as large needs `1 / a` times the rate. So it is where
    parameters grow with their steps, `a` and `1 / a` times: what is stretched is measured by them.
    """
    modes = ladder_of()
    base = run(modes).decay
    louder = replace(
        modes,
        energy=modes.energy * factor**2,
        lost=modes.lost * factor**2,
        norms=modes.norms * factor**2,
    )
    assert_near(run(louder, lr=1e-4 * factor).decay, base, loosen=100)
    steeper = replace(
        modes,
        eigenvalues=modes.eigenvalues * factor**2,
        diagonal=modes.diagonal * factor**2,
        norms=modes.norms / factor**2,
    )
    assert_near(run(steeper, lr=1e-4 / factor).decay, base, loosen=100)
    wider = replace(modes, sizes=modes.sizes * factor**2)
    still = run(modes, gain=0.0).decay  # more parameters are less crowded
    assert_near(run(wider, lr=1e-4 / factor, gain=0.0).decay, still, loosen=100)
    assert_near(run(modes, lr=1e-4 / factor, speed=factor).decay, base, loosen=100)


def test_reports_do_not_change_the_run() -> None:
    """Exactly while steps are single; within the size of a long step's error later."""
    modes = ladder_of()
    assert torch.equal(run(modes, [149]).decay[0], run(modes, list(range(1, 150))).decay[-1])
    assert torch.equal(run(modes, [149]).weights[0], run(modes, STEPS).weights[-1])
    once, often = run(modes, [2000]), run(modes, list(range(100, 2001, 50)))
    assert float((once.decay[0] - often.decay[-1]).abs().max()) < 0.01


def test_problems_together_are_problems_alone() -> None:
    """Padding to the longest changes nothing."""
    problems = [ladder_of(40), ladder_of(7, seed=1), ladder_of(90, seed=2)]
    together = adam_trajectories(problems, STEPS, lr=1e-4, batch_size=10)
    for modes, found in zip(problems, together, strict=True):
        alone = run(modes)
        assert found.decay.shape == alone.decay.shape
        assert_near(found.decay, alone.decay, loosen=10)
        assert_near(found.weights, alone.weights, loosen=10)


def test_speeds_one_a_problem_are_rates_of_their_own() -> None:
    modes = ladder_of(40)
    together = adam_trajectories([modes] * 3, STEPS, lr=1e-4, batch_size=10, speed=[0.5, 1, 3])
    for speed, found in zip((0.5, 1, 3), together, strict=True):
        assert_near(found.decay, run(modes, lr=1e-4 * speed).decay, loosen=10)
    with pytest.raises(ValueError, match="each of the 3 problems; got 2"):
        adam_trajectories([modes] * 3, STEPS, lr=1e-4, batch_size=10, speed=[1, 2])


def test_batches_beyond_the_samples_are_full_batches() -> None:
    modes = ladder_of()
    full = run(modes, batch_size=modes.n_samples).decay
    assert torch.equal(run(modes, batch_size=10**6).decay, full)
    errors = [modes.error(run(modes, batch_size=b).decay)[-1] for b in (2, 8, 32, 10**6)]
    assert errors == sorted(errors, reverse=True)  # noise makes Adam's steps smaller


def test_a_larger_speed_is_faster() -> None:
    modes = ladder_of()
    errors = [modes.error(run(modes, speed=s).decay)[-1] for s in (0.5, 1.0, 2.0, 8.0)]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("lr", [1e-3, 1.0, 1e6])
def test_no_mode_decays_faster_than_the_stability_cap(lr: float) -> None:
    decay = run(ladder_of(), list(range(1, 40)), lr=lr, spread=inf, gain=0.0).decay
    start = torch.ones(1, 40, dtype=torch.float64)
    rates = (-torch.cat([start, decay]).log().diff(dim=0)).amax(1)
    rates = rates[:5]  # before rounding to zero
    assert bool((rates <= STABILITY * (1 + 1e-9)).all())
    if lr > 1:
        assert_near(rates, torch.full((5,), STABILITY, dtype=torch.float64))


@pytest.mark.parametrize("shape", [0.5, 1.5, 20.0])
def test_the_parts_of_a_mode_are_learned_at_gamma_distributed_rates(shape: float) -> None:
    """After one step, whose `v` is the same, `E[exp(-r X)]` over rates `r` of mean 1."""
    options = {"lr": 1e-2, "gain": 0.0}
    progress = -run(ladder_of(), [1], spread=inf, **options).decay[0].log()
    draws = Gamma(torch.tensor(shape).double(), torch.tensor(shape).double())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rates = draws.sample((200_000,))
    found = run(ladder_of(), [1], spread=shape, **options).decay[0]
    assert float(progress.max()) > 1 > float(progress.min())
    assert float((torch.exp(-rates[:, None] * progress).mean(0) - found).abs().max()) < 4e-3


def test_rates_of_no_spread_are_one_rate() -> None:
    modes = ladder_of()
    found, limit = (run(modes, spread=s, lr=1e-3) for s in (1e9, inf))
    assert float((found.decay - limit.decay).abs().max()) < 1e-6
    assert float((found.weights - limit.weights).abs().max()) < 1e-5 * float(limit.weights.max())


def test_a_homogeneous_network_holds_what_it_has_learned_in_every_layers_kernel() -> None:
    """`K_g - f f^T / |theta_g|^2` is positive semi-definite."""
    draw = encodings.Gaussian(1, 8, 2.0, seeded())
    widths = [16, 24, 24, 1]
    layers = [nn.Linear(a, b, bias=False).double() for a, b in pairwise(widths)]
    net = nn.Sequential(draw, layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    x = Grid(20).points()
    f = net(x).detach()
    for name, layer in zip(("1.weight", "3.weight", "5.weight"), layers, strict=True):
        kernel = empirical_ntk(net, params=[name])(x)
        share = f @ f.T / float(layer.weight.detach().square().sum())
        values = torch.linalg.eigvalsh(kernel - share)
        assert float(values.min()) > -1e-12 * float(values.max())
        stretched = torch.func.jvp(
            lambda w, name=name: torch.func.functional_call(net, {name: w}, (x,)),
            (layer.weight.detach(),),
            (layer.weight.detach(),),
        )[1]
        assert_near(stretched.detach(), f, loosen=10)


def test_what_is_learned_grows_to_what_fits_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once if the gain is large: no multiple of it, the mean apart, is nearer to the target."""
    monkeypatch.setattr(adam_flow, "CROSS_TALK", 0.0)
    modes = ladder_of()
    left = run(modes, [1], gain=1e30).decay[0]
    mean = int(modes.eigenvalues.sum(0).argmax())
    energy = modes.energy.clone()
    energy[mean] = 0
    slope = float((energy * (1 - left) * left).sum() / (energy * (1 - left) ** 2).sum())
    assert abs(slope) < 1e-10
    plain = run(modes, [1], gain=0.0).decay[0]
    assert left[mean] == plain[mean]
    others = torch.arange(len(left)) != mean
    grown = (1 - left[others]) / (1 - plain[others])
    assert_near(grown, grown.mean().expand_as(grown), loosen=100)
    assert float(grown[0]) > 1.01


@pytest.mark.parametrize("crowd", [1e-6, 0.1, 0.5])
def test_what_is_learned_grows_less_where_modes_crowd_the_parameters(crowd: float) -> None:
    """What a white kernel has learned, `p` of each mode, wants `1 / p` times as much, less the noise."""
    white = modes_of(torch.ones(3, 40).double())
    white = replace(white, energy=torch.cat([torch.zeros(1), torch.ones(39)]).double())
    share = adam_flow.CROSS_TALK * 39 * white.n_outputs / float(white.sizes.sum())
    roomy = replace(white, sizes=white.sizes * share / crowd)
    learned, plain = (1 - run(roomy, [1], lr=1e-7, gain=g).decay[0, 1:] for g in (1e30, 0.0))
    assert float(plain.max()) < 0.1
    assert_near(learned, plain * (1 / plain - crowd), loosen=100)


@pytest.mark.parametrize("gain", [0.0, 1.0])
def test_layers_that_are_frozen_or_zero_stretch_nothing(gain: float) -> None:
    modes = ladder_of()
    alone = replace(modes, eigenvalues=modes.eigenvalues[1:], diagonal=modes.diagonal[1:],
                    sizes=modes.sizes[1:], norms=modes.norms[1:])  # fmt: skip
    still = torch.cat([torch.zeros(1, 40).double(), modes.eigenvalues[1:]])
    frozen = replace(modes, eigenvalues=still, diagonal=still.mean(1))
    expected = run(alone, gain=gain).decay
    assert_near(run(frozen, gain=gain).decay, expected, loosen=10)
    empty = replace(frozen, norms=torch.tensor([0.0, *modes.norms[1:]]).double())
    assert_near(run(empty, gain=gain).decay, expected, loosen=10)
    zero = replace(modes, norms=torch.zeros(3).double())
    assert_near(run(zero, gain=gain).decay, run(modes, gain=0.0).decay)


def test_nothing_to_learn_stays_nothing() -> None:
    modes = replace(ladder_of(), energy=torch.zeros(40).double())
    found = run(modes)
    assert bool(torch.isfinite(found.weights).all())
    assert float(modes.error(found.decay).max()) == 0


@pytest.mark.parametrize("batch_size", [4, 100])
@pytest.mark.parametrize("shape", [(16,), (8, 10)])
def test_against_matrix_exponentials_step_by_step(shape: tuple[int, ...], batch_size: int) -> None:
    """The dense layer kernels of a tiny grid, a step at a time, and the held-out samples."""
    d, steps, lr, speed = len(shape), 120, 3e-4, 2.0
    draw = encodings.Gaussian(d, 16, 1.5, seeded(), integer=True)
    net = mlp(draw, 2, width=32, depth=2, generator=seeded(1))
    signal = Signal(randn(*shape, 2), n_axes=d)
    problem = PeriodicProblem(net, signal.values)
    kernel = ntk(net, variances="default")
    circle = [torch.arange(n).double() / n for n in shape]
    full = torch.stack([oracles.circulant_matrix(t) for t in kernel.layer_table(circle)])
    held_out = signal.held_out.flatten()
    rate = torch.tensor(kernel.layer_sizes()).double().sqrt() * lr * speed
    rates = rate.repeat(steps, 1)
    r, f = oracles.adam_by_steps(
        full[:, ~held_out][:, :, ~held_out],
        full[:, held_out][:, :, ~held_out],
        signal.values[signal.measurement.lattice].flatten(0, -2),
        steps,
        rates,
        batch_size,
        STABILITY,
    )
    options = {"speed": speed, "spread": inf, "gain": 0.0}
    found = run(problem.modes, [steps], lr=lr, batch_size=batch_size, **options)
    train = float((r**2).mean())
    start = float(problem.modes.energy.sum()) / r.numel()
    assert 0.01 * start < train < 0.9 * start  # a moment at which something is going on
    assert abs(float(problem.modes.error(found.decay)[0]) - train) < 1e-7 * train
    other = signal.values.flatten(0, -2)[held_out] - f
    judged = float((other**2).mean())
    assert abs(float(problem.held_out_error(found)[0]) - judged) < 1e-7 * judged


def test_long_steps_follow_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """From step 150 on, steps of 1 % of the way: within 1 % in the training error."""
    modes = ladder_of()
    fast = modes.error(run(modes, [400, 1500]).decay)
    monkeypatch.setattr(adam_flow, "_FINE_STEPS", 10**9)
    slow = modes.error(run(modes, [400, 1500]).decay)
    assert float((fast / slow - 1).abs().max()) < 0.01


class OneMeanSquareALayer:
    """Adam without momentum, whose running mean square is one number for each layer's parameters."""

    def __init__(self, net: nn.Module, names: list[list[str]], lr: float) -> None:
        parameters = dict(net.named_parameters())
        self.layers = [[parameters[n] for n in layer] for layer in names]
        self.squares = [0.0 for _ in names]
        self.lr, self.count = lr, 0

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        for i, layer in enumerate(self.layers):
            square = sum(float((p.grad**2).sum()) for p in layer)
            size = sum(p.numel() for p in layer)
            self.squares[i] = 0.999 * self.squares[i] + 0.001 * square
            mean = self.squares[i] / (1 - 0.999**self.count) / size
            for p in layer:
                p -= self.lr * p.grad / mean**0.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ntk", "standard"])
def test_a_wide_network_follows(kind) -> None:
    """Real steps of width 1024: the training loss within 5 % of where it began, at every step.

    In the kernel regime nothing is added to it: speed 1, no gain, and one rate a mode.
    """
    steps, lr = 60, 1e-4 if kind == "ntk" else 1e-5
    draw = encodings.Gaussian(1, 16, 1.5, seeded(), integer=True)
    net = symmetrise(mlp(draw, 1, width=1024, depth=2, parametrisation=kind, generator=seeded(1)))
    signal = Signal(torch.sin(2 * torch.pi * Grid(16).points()[:, 0] * 2) + randn(16) / 2)
    problem = PeriodicProblem(net, signal.values)
    names = [
        [f"{h}.{i}.{w}" for h in ("plus", "minus") for w in ("weight", "bias")] for i in (1, 3, 5)
    ]
    optimiser = OneMeanSquareALayer(net, names, lr)
    x = signal.grid[signal.measurement.lattice].points().float()
    y = signal.values[signal.measurement.lattice].reshape(-1, 1).float()
    losses: list[float] = []
    for _ in range(steps):
        net.zero_grad()
        loss = 0.5 * ((net(x) - y) ** 2).sum()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    found = run(problem.modes, list(range(1, steps)), lr=lr, batch_size=100, spread=inf, gain=0.0)
    measured = torch.tensor(losses, dtype=torch.float64)[1:] / losses[0]
    predicted = problem.modes.error(found.decay) * len(x) / 2 / losses[0]
    assert float(measured[-1]) < 0.3
    assert float((measured - predicted).abs().max()) < 0.05
