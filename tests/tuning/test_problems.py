"""Problems in their own bases, against gradient flow on the dense kernel matrix."""

from math import inf

import pytest
import torch
from torch import nn

from ntkit import GradientFlow, Grid, encodings, ntk
from ntkit.dynamics.modes import Trajectory, flow_trajectory
from ntkit.networks import mlp, symmetrise
from ntkit.tasks import Image, Signal
from ntkit.tuning.problems import AbstractProblem, LowRankProblem, PeriodicProblem, TiledProblem
from tests.cases import randn, seeded

CLOSE = 1e-6  # the layers' profiles are good to 1e-8 of the kernel at lag zero


def network(encoding: encodings.AbstractEncoding, out_dim: int) -> nn.Sequential:
    return mlp(encoding, out_dim, width=32, depth=3, generator=seeded(1))


def whole_cycles(d: int, bandwidth: float = 2.0) -> encodings.Gaussian:
    return encodings.Gaussian(d, 48, bandwidth, seeded(), integer=True)


def flow_errors(net: nn.Module, signal: Signal, times: list[float], **options) -> torch.Tensor:
    """Mean square errors `[t, 2]` on the training and the held-out samples."""
    kernel = ntk(net, variances="default")
    y = signal.values[signal.measurement.lattice]
    flow = GradientFlow(kernel, signal.grid[signal.measurement.lattice], y, **options)
    predictions = flow.predict(signal.grid, times)
    return torch.tensor([signal.errors(p) for p in predictions], dtype=torch.float64)


def problem_errors(problem: AbstractProblem, times: list[float]) -> torch.Tensor:
    run = flow_trajectory(problem.modes, times)
    train = problem.modes.error(run.decay)
    return torch.stack([train, problem.held_out_error(run)], 1)


def times_of(problem: AbstractProblem) -> list[float]:
    """From nothing learned to everything, in units of the fastest mode."""
    top = float(problem.modes.eigenvalues.sum(0).max())
    return [0.0, *[t / top for t in (0.1, 3.0, 100.0, 3e3)]]


SIGNALS = {
    "line": Signal(randn(64)),
    "line of channels": Signal(randn(40, 3), n_axes=1),
    "image": Signal(randn(16, 20)),
    "rgb": Signal(randn(14, 18, 3)),
    "volume": Signal(randn(8, 8, 10)),
    "volume of channels": Signal(randn(8, 10, 8, 2), n_axes=3),
}


@pytest.mark.parametrize("name", SIGNALS)
def test_periodic_problems_are_gradient_flow(name: str) -> None:
    signal = SIGNALS[name]
    net = network(whole_cycles(len(signal.shape)), signal.n_outputs)
    problem = PeriodicProblem(net, signal.values)
    assert float(problem.modes.multiplicity.max()) <= 2  # every mode has its own bin
    times = times_of(problem)
    found = problem_errors(problem, times)
    for structure in ("dense", "circulant"):
        expected = flow_errors(net, signal, times, structure=structure)
        assert float((found - expected).abs().max()) < CLOSE * float(expected.max())


@pytest.mark.parametrize("name", ["line", "rgb"])
def test_periodic_problems_without_end(name: str) -> None:
    """Interpolation, where no eigenvalue is near zero."""
    signal = SIGNALS[name]
    net = network(whole_cycles(len(signal.shape), 5.0), signal.n_outputs)
    found = problem_errors(PeriodicProblem(net, signal.values), [inf])
    expected = flow_errors(net, signal, [inf], structure="circulant")
    assert float(found[0, 0]) < 1e-20
    assert abs(float(found[0, 1] / expected[0, 1]) - 1) < 1e-4


def test_the_modes_are_the_eigenvalues_of_every_layer() -> None:
    """The sums over modes are traces, the energy is the signal's."""
    signal = SIGNALS["rgb"]
    net = network(whole_cycles(2), 3)
    modes = PeriodicProblem(net, signal.values).modes
    n = modes.n_samples
    traces = (modes.eigenvalues * modes.multiplicity).sum(1)
    assert float((traces / (n * modes.diagonal) - 1).abs().max()) < CLOSE
    kernel = ntk(net, variances="default")
    total = float(kernel.diag(Grid((1, 1)).points())[0])
    assert float(modes.diagonal.sum()) == pytest.approx(total, rel=1e-7)
    assert int(modes.multiplicity.sum()) == n == 7 * 9
    square = float(signal.values[signal.measurement.lattice].square().sum())
    assert float(modes.energy.sum()) == pytest.approx(square)
    assert modes.sizes.tolist() == kernel.layer_sizes()
    assert modes.norms.tolist() == kernel.layer_norms()


def test_bins_of_many_modes_are_accurate_enough() -> None:
    """32 x 32 training samples, 544 modes in 400 bins: within 1 % of the error (measured: 0.3)."""
    signal = Signal(randn(64, 64).cumsum(0).cumsum(1) / 100)
    net = network(whole_cycles(2, 6.0), 1)
    problem = PeriodicProblem(net, signal.values)
    assert float(problem.modes.multiplicity.max()) > 2
    times = times_of(problem)
    ratio = problem_errors(problem, times) / flow_errors(net, signal, times, structure="circulant")
    assert float((ratio - 1).abs().max()) < 0.01


def test_pairs_of_networks_are_one() -> None:
    """`symmetrise` doubles the parameters and leaves every kernel as it is."""
    net = network(whole_cycles(1), 1)
    one = PeriodicProblem(net, SIGNALS["line"].values).modes
    two = PeriodicProblem(symmetrise(net), SIGNALS["line"].values).modes
    assert torch.equal(one.eigenvalues, two.eigenvalues)
    assert torch.equal(2 * one.sizes, two.sizes)


@pytest.mark.parametrize("name", SIGNALS)
def test_low_rank_problems_are_gradient_flow_at_full_rank(name: str) -> None:
    signal = SIGNALS[name]
    net = network(encodings.Identity(len(signal.shape)), signal.n_outputs)
    problem = LowRankProblem(net, signal, tolerance=1e-13, max_rank=500)
    layers = ntk(net).layer_norms()  # `f f^T` over each
    assert float(1 / problem.modes.norms) == pytest.approx(sum(1 / n for n in layers))
    times = times_of(problem)
    expected = flow_errors(net, signal, times, structure="dense")
    found = problem_errors(problem, times)
    assert float((found - expected).abs().max()) < CLOSE * float(expected.max())


@pytest.mark.parametrize("name", SIGNALS)
def test_fields_of_low_rank_problems_are_those_of_gradient_flow(name: str, monkeypatch) -> None:
    monkeypatch.setattr("ntkit.tuning.problems.low_rank._AT_ONCE", 50)
    signal = SIGNALS[name]
    net = network(encodings.Identity(signal.in_dim), signal.n_outputs)
    problem = LowRankProblem(net, signal, tolerance=1e-13, max_rank=500)
    times = times_of(problem)[:-1]
    lattice = signal.measurement.lattice
    flow = GradientFlow(ntk(net, variances="default"), signal.grid[lattice], signal.values[lattice])
    run = flow_trajectory(problem.modes, times)
    found = problem.learned(run, signal.grid.points()).reshape(len(times), *signal.values.shape)
    torch.testing.assert_close(found, flow.predict(signal.grid, times), atol=1e-5, rtol=1e-4)


def test_what_a_low_rank_leaves_out_is_never_learned() -> None:
    signal = SIGNALS["image"]
    net = network(encodings.Identity(2), 1)
    few = LowRankProblem(net, signal, max_rank=5)
    assert len(few.modes.energy) == 5
    assert few.modes.lost > 0
    square = float(signal.values[signal.measurement.lattice].square().sum())
    assert float(few.modes.energy.sum()) + few.modes.lost == pytest.approx(square)
    end = problem_errors(few, [inf])[0, 0]
    assert float(end) == pytest.approx(few.modes.lost / few.modes.n_samples)


def test_more_rank_leaves_out_less() -> None:
    net, signal = network(encodings.Identity(2), 1), SIGNALS["image"]
    left = [LowRankProblem(net, signal, max_rank=r).error for r in (5, 10, 20, 40)]
    assert left == sorted(left, reverse=True)


def test_many_held_out_samples_are_judged_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some drawn at random: as good as all, to the error of a sample of that size.

    Every k-th of them would fall on the same columns of every row.
    """
    signal = Signal(randn(64, 64).cumsum(0).cumsum(1) / 100)
    net = network(encodings.Identity(2), 1)
    times = [0.0, inf]
    whole = problem_errors(LowRankProblem(net, signal), times)[:, 1]
    monkeypatch.setattr("ntkit.tuning.problems.low_rank._JUDGED", 500)
    some = problem_errors(LowRankProblem(net, signal), times)[:, 1]
    assert float((some / whole - 1).abs().max()) < 0.15
    assert not torch.equal(some, whole)


def left_out_errors(net: nn.Module, task: Signal, ridge: float) -> float:
    """Mean square error of a kernel ridge at each sample that is left out of the fit in turn, one by one."""
    x, y = task.training()
    k = ntk(net, variances="default")(x, x)
    missed = []
    for i in range(len(x)):
        rest = torch.arange(len(x)) != i
        system = k[rest][:, rest] + ridge * torch.eye(len(x) - 1).double()
        missed.append(k[i, rest] @ torch.linalg.solve(system, y[rest]) - y[i])
    return float(torch.stack(missed).square().mean())


@pytest.mark.parametrize("share", [0.05, 1.0, 30.0])
def test_samples_that_are_left_out_in_turn(share: float) -> None:
    """Of a kernel ridge, where it is exact, both engines against as many fits as there are samples."""
    line = torch.cos(2 * torch.pi * torch.arange(40) / 40).double() + 0.1 * randn(40)
    everything = Signal(line).keep_out(0.0)
    net = network(whole_cycles(1), 1)
    tiled = TiledProblem(net, everything)
    ridge = share * float(tiled.modes.eigenvalues.mean())

    def predicted(problem: AbstractProblem) -> float:
        weights = 1 / (problem.modes.eigenvalues.sum(0) + ridge)
        count = len(problem.modes.eigenvalues)
        decay = ridge * weights
        run = Trajectory(decay[None], weights.expand(1, count, -1))
        return float(problem.held_out_error(run)[0])

    expected = left_out_errors(net, everything, ridge)
    assert predicted(tiled) == pytest.approx(expected, rel=1e-6)
    circulant = PeriodicProblem(net, everything.values, step=1)
    assert predicted(circulant) == pytest.approx(expected, rel=1e-5)  # of whole cycles: one torus


def test_a_tile_of_all_points_is_gradient_flow() -> None:
    """With every other sample, or any others, to train on and to judge."""
    signal = SIGNALS["rgb"]
    net = network(whole_cycles(2), 3)
    scattered = signal.keep_out(0.3)
    for task in (signal, scattered):
        problem = TiledProblem(net, task)
        times = times_of(problem)
        x, y = task.training()
        kernel = ntk(net, variances="default")
        flow = GradientFlow(kernel, x, y, structure="dense")
        points, held_out = task.judged()
        expected = [
            [(flow.predict(x, [t])[0] - y).square().mean() for t in times],
            [(flow.predict(points, [t])[0] - held_out).square().mean() for t in times],
        ]
        found = problem_errors(problem, times).T
        assert float((found - torch.tensor(expected)).abs().max()) < CLOSE * float(found.max())


def test_tiles_stand_for_the_whole() -> None:
    """6,400 points of a field on the torus, half of them in four tiles: the errors of the periodic engine.

    To what the field differs in these places: the tiles hold 0.7 dB less of its power.
    """
    n = torch.fft.fftfreq(80, 1 / 80, dtype=torch.float64)
    radius = (n[:, None] ** 2 + n**2).sqrt()
    field = torch.fft.ifft2(torch.fft.fft2(randn(80, 80)) / (5 + radius) ** 1.5).real
    signal = Signal(field / field.std()).keep_out(0.0)
    net = network(whole_cycles(2, 12.0), 1)
    tiled, periodic = TiledProblem(net, signal), PeriodicProblem(net, signal.values, step=1)
    assert len(tiled.modes.energy) == 3200
    assert float(tiled.modes.multiplicity.sum()) == pytest.approx(6400)
    top = float(periodic.modes.eigenvalues.sum(0)[3])
    for t in (1 / top, 30 / top):
        whole, part = (problem_errors(p, [t])[0] for p in (periodic, tiled))
        assert float((10 * (part / whole).log10()).abs().max()) < 2.5


def test_nothing_held_out_is_cross_validated_in_low_rank_too() -> None:
    signal = SIGNALS["image"].keep_out(0.0)
    problem = LowRankProblem(network(encodings.Identity(2), 1), signal, max_rank=20)
    run = flow_trajectory(problem.modes, [0.0, inf])
    train, left_out = problem.modes.error(run.decay), problem.held_out_error(run)
    assert float(left_out[0]) == pytest.approx(float(train[0]))  # nothing learned, no freedom used
    freedom = len(problem.modes.energy) / problem.modes.n_samples
    assert float(left_out[1]) == pytest.approx(float(train[1]) / (1 - freedom) ** 2)


@pytest.mark.parametrize("name", ["identity", "gaussian"])
def test_problems_keep_their_own_numbers_and_no_table_behind_them(name: str) -> None:
    """A slice keeps the whole that it was cut from: of a photo that was half of what a problem took."""
    encoding = encodings.Identity(2) if name == "identity" else encodings.Gaussian(2, 8, 2.0)
    task = Image(randn(32, 32, 3))
    network = mlp(encoding, 3, width=16, depth=3)
    if name == "identity":
        problem = LowRankProblem(network, task)
        held = [getattr(problem, f) for f in ("_features", "_judged", "_coordinates", "_rotation")]
        held += [problem._factor.left, problem._factor.pivots, problem._factor.triangle]
    else:
        problem = PeriodicProblem(network, task.values)
        held = [problem._bins, problem._residual, *(t for pair in problem._spectra for t in pair)]
    held += [v for v in vars(problem.modes).values() if isinstance(v, torch.Tensor)]
    for tensor in held:
        assert tensor.untyped_storage().nbytes() <= 2 * tensor.nbytes + 1024
