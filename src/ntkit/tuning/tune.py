"""Which encoding, which bandwidth, for this signal and this budget: asked of the kernel."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf, isfinite
from time import perf_counter
from typing import Literal

import torch
from torch import Tensor, nn

from ntkit._core.checks import positive_int
from ntkit._core.errors import NumericalError
from ntkit.dynamics.modes import Modes
from ntkit.dynamics.training_time import training_time
from ntkit.encodings import AbstractEncoding, AbstractFourier
from ntkit.networks import mlp
from ntkit.tasks.budget import Budget, Optimiser
from ntkit.tasks.signals import Signal, psnr
from ntkit.tuning.alignment import align
from ntkit.tuning.candidates import COMPARED, Candidate, candidates, default_bandwidths
from ntkit.tuning.choice import (
    FINALISTS,
    Goal,
    Row,
    choose,
    finalists,
    flat_range,
    scores_of,
    shortlist,
)
from ntkit.tuning.clock import Clock, calibrate, pilot_of, theory_clock
from ntkit.tuning.predict import (
    Prediction,
    exact_predictions,
    longest_time,
    matching_times,
    mode_predictions,
    sgd_times,
    trajectories,
)
from ntkit.tuning.problems import AbstractProblem, LowRankProblem, PeriodicProblem
from ntkit.tuning.scale_model import (
    EVERY,
    FIRST_HALF,
    SECOND_HALF,
    ScaleModel,
    joined,
    scale_models,
)

__all__ = ["Engine", "TuneResult", "build_network", "tune"]

Engine = Literal["auto", "periodic", "exact"]

_EXACT_SAMPLES = 512 * 512


@dataclass(frozen=True)
class TuneResult:
    """What to train with, and why.

    Attributes:
        choice: The recommended candidate.
        encoding: The recommended encoding, built, ready to be put in front of a network.
        bandwidth: Its bandwidth, cycles per unit; None for encodings that have none.
        flat_range: Smallest and largest Gaussian bandwidth within 0.3 dB of the best at the
            budget, by the numbers that the choice was made with; None if no Gaussian was tried.
        table: Predictions for each encoding and budget. For Adam all of them are of the kernel that
            stands for the end of the longest finite budget (`ntkit.tuning.alignment`); the same steps
            asked for as a budget of their own may differ by some dB at large bandwidths.
        goal: What was optimised.
        budget: The training it was optimised for.
        steps: The budgets of the table; infinity is the end of training.
        engine: "periodic" or "exact", and why.
        clock: Adam's calibration; None for SGD, whose time is exact.
        models: What scale models of the bandwidths predicted best reached; empty if there were none.
        bicubic: Held-out PSNR of bicubic interpolation, dB.
        notes: What was rounded, cut or approximated on the way.
        seconds: Time that the choice took.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Frequencies of the encodings.
        code: The line of Python that builds the encoding.
        curves: Predictions at many steps up to the budget, for the recommended encoding and for
            "identity" if it was tried.
        seed: Seed of the frequencies and weights that predictions and networks were drawn with.
    """

    choice: Candidate
    encoding: AbstractEncoding
    bandwidth: float | None
    flat_range: tuple[float, float] | None
    table: tuple[Row, ...]
    goal: Goal
    budget: Budget
    steps: tuple[float, ...]
    engine: str
    clock: Clock | None
    models: tuple[ScaleModel, ...]
    bicubic: float
    notes: tuple[str, ...]
    seconds: float
    width: int
    depth: int
    n_frequencies: int
    code: str
    curves: dict[str, tuple[Prediction, ...]] = field(repr=False)
    seed: int

    @property
    def predicted(self) -> Prediction:
        """The recommended row at the budget."""
        return next(r for r in self.table if r.candidate == self.choice).at(self.budget.steps)


def tune(
    signal: Tensor | Signal,
    *,
    goal: Goal = "generalise",
    optimiser: Optimiser = "adam",
    lr: float = 1e-3,
    steps: int = 2000,
    batch_size: int = 4096,
    encodings: Sequence[str] = COMPARED,
    bandwidths: Sequence[float] | None = None,
    width: int = 256,
    depth: int = 4,
    n_frequencies: int = 256,
    engine: Engine = "auto",
    pilot: bool = True,
    generator: torch.Generator | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> TuneResult:
    """Recommend an encoding and its bandwidth for fitting `signal` with a ReLU network.

    The network trains on every other sample along each axis. Its quality on those samples and on
    the held-out rest is predicted, without training it, from the tangent kernel of each candidate:
    by gradient flow for SGD, by Adam's flow in function space (`ntkit.dynamics.adam`) for Adam,
    whose clock is calibrated once by a short real run. For Adam, small scale models of the training
    (`ntkit.tuning.scale_model`) have a say in the choice between the bandwidths predicted best: half of it
    between four to generalise, three quarters of it between six to fit, of which the best three are
    modelled twice as often.

    Args:
        signal: `[*shape]` or `[*shape, channels]`, peak-to-peak of about 1; or a `Signal`.
        goal: "generalise" for quality on the samples held out, "fit" for the training samples.
        optimiser: "adam" or "sgd".
        lr: Learning rate.
        steps: Number of steps.
        batch_size: Samples a step.
        encodings: Which to compare: "identity", "basic", "positional", "nerf", "gaussian"; all
            but "nerf" if left out.
        bandwidths: Standard deviations of Gaussian frequencies to try, cycles per unit; a ladder
            from 1 to an eighth of the samples along an axis if left out.
        width: Units of each hidden layer.
        depth: Hidden layers.
        n_frequencies: Frequencies of an encoding (two features each).
        engine: "periodic" rounds frequencies to whole cycles and drops the last sample of odd
            axes, which makes training diagonal under one FFT; "exact" does neither; "auto" is
            exact for SGD up to 512 x 512 training samples and periodic otherwise.
        pilot: Whether to train for the choice with Adam: a short real run for its clock, and scale
            models. Without, the choice is the kernel's alone.
        generator: Source of frequencies, weights and batches; a fixed seed if left out.
        on_progress: Called with a line of text at each stage.

    Raises:
        ValueError: An argument is out of range, and which.
        NumericalError: Training diverges at this learning rate, so there is nothing to recommend.

    Cost: O(n log n) a candidate and budget for n samples. The scale models of a bandwidth take about a
    thirtieth of the time of its training in full.

    Example:
        >>> x = torch.linspace(0, 1, 257)[:-1]
        >>> signal = 0.5 + 0.4 * torch.sin(2 * torch.pi * (4 * x + 12 * x**2))
        >>> result = tune(signal, steps=200, bandwidths=[1, 4, 16, 64], pilot=False)
        >>> result.choice.name, result.bandwidth
        ('gaussian', 4.0)
        >>> [str(row.candidate) for row in result.table][:3]
        ['identity', 'basic', 'positional 64']
    """
    start = perf_counter()
    say = on_progress or (lambda _: None)
    whole = signal if isinstance(signal, Signal) else Signal(signal)
    if goal not in {"generalise", "fit"}:
        raise ValueError(f'`goal={goal!r}` must be "generalise" or "fit".')
    budget = Budget(optimiser, lr, steps, batch_size)
    steps = budget.steps
    width, depth = positive_int("width", width), positive_int("depth", depth)
    n_frequencies = positive_int("n_frequencies", n_frequencies)
    ladder = default_bandwidths(whole.shape) if bandwidths is None else bandwidths
    tried = candidates(whole.shape, encodings, ladder)
    engine, reason = _engine(engine, budget, whole)
    seed = _seed(generator)
    moments = (*sorted({max(1, steps // 20), max(1, steps // 5), steps}), inf)
    notes: list[str] = []

    def network(candidate: Candidate, *, integer: bool) -> nn.Sequential:
        draw = torch.Generator().manual_seed(seed)
        encoding = candidate.build(len(whole.shape), n_frequencies, draw, integer=integer)
        return mlp(encoding, whole.n_outputs, width=width, depth=depth, generator=draw)

    problems: list[AbstractProblem] = []
    for candidate in tried:
        say(f"kernel of {candidate.label}")
        problems.append(_problem(network(candidate, integer=True), candidate, whole, budget, notes))
    modes = [p.modes for p in problems]
    clock = None
    if budget.optimiser == "adam":
        clock = theory_clock(budget, modes[0].n_samples)
        if pilot:
            chosen = _quickest(modes, pilot_of(budget), tried)
            say(f"short real run of {chosen} for Adam's clock")
            clock = calibrate(
                network(chosen, integer=False),
                whole,
                modes[tried.index(chosen)],
                budget,
                encoding=chosen.label,
                generator=torch.Generator().manual_seed(seed),
            )
    speed = clock.speed if clock else 1.0
    table = _predict(problems, budget, moments, speed, tried)
    if engine == "exact":
        table = _exact(table, problems, network, whole, budget, speed, say)
    models: tuple[ScaleModel, ...] = ()
    if clock and pilot:
        best = shortlist(table, goal, steps)
        models_of = partial(
            scale_models,
            whole,
            budget,
            width=width,
            depth=depth,
            n_frequencies=n_frequencies,
            seed=seed,
        )
        in_two = len(best) > FINALISTS[goal]
        if len(best) > 1:
            say(f"scale models of {len(best)} bandwidths")
            models = models_of(best, pieces=FIRST_HALF if in_two else EVERY)
        if models and in_two:
            best = finalists(table, models, goal, steps)
            say(f"scale models of {len(best)} bandwidths, more of them")
            models = joined(models, models_of(best, pieces=SECOND_HALF))
        if models and not any(isfinite(m.train) for m in models):
            raise NumericalError(
                f"Every scale model of the training diverged. Take a learning rate below {lr:g}."
            )
    scores = scores_of(table, models, goal, steps)
    choice = choose(scores)
    say(f"learning curve of {choice.label}")
    shown = [i for i, c in enumerate(tried) if c == choice or c.name == "identity"]
    stops = _curve_steps(steps)
    runs = trajectories([modes[i] for i in shown], budget, stops, speed=speed)
    curves = {
        str(tried[i]): tuple(mode_predictions(problems[i], run, stops))
        for i, run in zip(shown, runs, strict=True)
    }
    draw = torch.Generator().manual_seed(seed)
    return TuneResult(
        choice=choice,
        encoding=choice.build(len(whole.shape), n_frequencies, draw),
        bandwidth=choice.bandwidth,
        flat_range=flat_range(scores),
        table=table,
        goal=goal,
        budget=budget,
        steps=moments,
        engine=f"{engine} ({reason})",
        clock=clock,
        models=models,
        bicubic=psnr(whole.errors(whole.bicubic())[1]),
        notes=(
            *_engine_notes(engine, budget, whole),
            *_stability_note(budget, modes[tried.index(choice)]),
            *dict.fromkeys(notes),
        ),
        seconds=perf_counter() - start,
        width=width,
        depth=depth,
        n_frequencies=n_frequencies,
        code=f"encoding = {choice.code(len(whole.shape), n_frequencies)}",
        curves=curves,
        seed=seed,
    )


def build_network(
    result: TuneResult, candidate: Candidate, n_axes: int, n_outputs: int
) -> nn.Sequential:
    """The network that `result` speaks of, with the encoding of `candidate`, untrained."""
    draw = torch.Generator().manual_seed(result.seed)
    encoding = candidate.build(n_axes, result.n_frequencies, draw)
    return mlp(encoding, n_outputs, width=result.width, depth=result.depth, generator=draw)


def _curve_steps(steps: int) -> list[int]:
    """About 16 steps up to `steps`, evenly on a logarithmic axis."""
    return sorted({max(1, round(steps ** (i / 15))) for i in range(16)})


def _seed(generator: torch.Generator | None) -> int:
    """One seed for every candidate, so that they differ in their bandwidth alone."""
    if generator is None:
        return 0
    return int(torch.randint(2**31, (1,), generator=generator))


def _engine(engine: Engine, budget: Budget, signal: Signal) -> tuple[Engine, str]:
    if engine not in {"auto", "periodic", "exact"}:
        raise ValueError(f'`engine={engine!r}` must be "auto", "periodic" or "exact".')
    if engine != "auto":
        return engine, "as asked"
    if budget.optimiser == "sgd" and signal.values[..., 0].numel() <= 4 * _EXACT_SAMPLES:
        return "exact", "auto: gradient flow is exact for SGD"
    why = "Adam's flow needs one basis for all layers" if budget.optimiser == "adam" else "size"
    return "periodic", f"auto: {why}"


def _engine_notes(engine: Engine, budget: Budget, signal: Signal) -> list[str]:
    if engine == "exact":
        if budget.optimiser == "sgd":
            return []
        return [
            "The exact engine follows plain gradient flow to the training error that Adam's flow "
            "predicts; held-out errors are those of that flow."
        ]
    notes = ["Frequencies were rounded to whole cycles per unit for the prediction alone."]
    if any(n % 2 for n in signal.shape):
        notes.append("The last sample of each odd axis was left out of the prediction.")
    return notes


def _stability_note(budget: Budget, modes: Modes) -> list[str]:
    """A note where plain gradient descent may diverge: its step exceeds 2 over the top eigenvalue.

    Raises:
        NumericalError: It exceeds that tenfold. (Up to some six times, wide ReLU networks have been seen to
            find a flatter place: Lewkowycz et al. 2020, arXiv:2003.02218.)
    """
    if budget.optimiser == "adam":
        return []
    unit = training_time(1.0, 1, nn.MSELoss(), n_samples=modes.n_samples, n_outputs=modes.n_outputs)
    limit = 2 / (unit * float(modes.eigenvalues.sum(0).max()))
    if budget.lr <= limit:
        return []
    if budget.lr > 10 * limit:
        raise NumericalError(
            f"Gradient descent diverges at `lr={budget.lr:g}`: the stability limit of this network is "
            f"{limit:.3g}. Take a learning rate below it."
        )
    return [
        f"lr {budget.lr:g} is above {limit:.3g}, the stability limit of gradient descent for this "
        "network at its start: the prediction is gradient flow's, real training may diverge."
    ]


def _problem(
    network: nn.Sequential,
    candidate: Candidate,
    signal: Signal,
    budget: Budget,
    notes: list[str],
) -> AbstractProblem:
    encoding = network[0]
    if isinstance(encoding, AbstractFourier):
        encoding.frequencies.copy_(encoding.frequencies.round())
        align(encoding, signal, budget)
        return PeriodicProblem(network, signal.even_part())
    problem = LowRankProblem(network, signal.values)
    notes.append(
        f"{candidate.label}: low-rank kernel of rank {len(problem.modes.energy)}, leaving out "
        f"{problem.error:.1e} of its trace; all layers share one learning rate."
    )
    return problem


def _predict(
    problems: Sequence[AbstractProblem],
    budget: Budget,
    moments: Sequence[float],
    speed: float,
    tried: Sequence[Candidate],
) -> tuple[Row, ...]:
    runs = trajectories([p.modes for p in problems], budget, moments, speed=speed)
    return tuple(
        Row(candidate, tuple(mode_predictions(problem, run, moments)))
        for candidate, problem, run in zip(tried, problems, runs, strict=True)
    )


def _quickest(modes: Sequence[Modes], pilot: Budget, tried: Sequence[Candidate]) -> Candidate:
    """What learns most within the short run, which then says most; a Gaussian if any is tried."""
    speed = theory_clock(pilot, modes[0].n_samples).speed
    runs = trajectories(modes, pilot, [pilot.steps], speed=speed)
    left = {c: float(m.error(r.decay)[0]) for c, m, r in zip(tried, modes, runs, strict=True)}
    gaussians = [c for c in tried if c.name == "gaussian"]
    return min(gaussians or tried, key=lambda c: left[c])


def _exact(
    table: tuple[Row, ...],
    problems: Sequence[AbstractProblem],
    network: Callable[..., nn.Sequential],
    signal: Signal,
    budget: Budget,
    speed: float,
    say: Callable[[str], None],
) -> tuple[Row, ...]:
    """The stationary rows again, without rounding or cutting, at the same training errors."""
    rows = []
    for row, problem in zip(table, problems, strict=True):
        if not isinstance(problem, PeriodicProblem):
            rows.append(row)
            continue
        say(f"exact engine: {row.candidate}")
        steps = [p.steps for p in row.predictions if p.steps < inf]
        if budget.optimiser == "sgd":
            n, o = signal.values[signal.train_cut].numel() // signal.n_outputs, signal.n_outputs
            longest = longest_time(problem.modes)
            own = sgd_times(budget, steps, n_samples=n, n_outputs=o)
            times = [min(t, longest) for t in own]
        else:
            run = trajectories([problem.modes], budget, steps, speed=speed)[0]
            times = matching_times(problem.modes, run.decay)
        exact = network(row.candidate, integer=False)
        encoding = exact[0]
        assert isinstance(encoding, AbstractFourier)
        align(encoding, signal, budget)
        found = exact_predictions(exact, signal, times, steps)
        rows.append(replace(row, predictions=(*found, row.predictions[-1])))
    return tuple(rows)
