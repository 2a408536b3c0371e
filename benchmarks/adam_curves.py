"""Adam's flow in function space against real training: PSNR predicted, and as trained.

Networks of 4 x 256 ReLU on 256 Gaussian frequencies, ten bandwidths, Adam 1e-3, minibatches of 4,096, after
100, 300 and 2,000 steps, with averaged weights: means over the seeds of `results/reference_ensembles.json`.
Predictions are those that `ntkit.tune` makes, after one short real run a signal. Errors are mean absolute
differences in dB, of PSNRs with the mean square error of 8-bit rounding added. "Shape" is what is left of the
error when its mean over the ten bandwidths is taken off: what misleads the choice of a bandwidth.

Three groups of signals (`benchmarks/signals.py`): the list of `bandwidth_choice`, nine others, and six that
nothing was fitted to (of two, versions at 128 x 128 are among the nine). The constants of Adam's flow
(`SPREAD`, `GAIN`, `CROSS_TALK` in `ntkit.tuning.optimisers.adam_flow`; in `ntkit.tuning` of the clock the power of
the batch size) were fitted to the training curves of the first two, by a random search, with a share of the
noise of minibatches that has gone since, and rounded; those of `align` are older. Regrets were not fitted. The rows
"with" show what each is worth on these, and how sharply it is determined.

"Elsewhere" is off the settings of those trainings: two photos, bandwidths 10 and 20, 300 steps, with another
learning rate, batch size, network or number of frequencies, trained here with averaged weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.reference_ensembles import PATH
from benchmarks.reference_grids import BANDWIDTHS, CHECKPOINTS, Entry, read
from benchmarks.report import Row
from benchmarks.signals import LISTED, SEEN, UNSEEN, load, load_all
from ntkit.dynamics.modes import Modes
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, train
from ntkit.tuning import NetworkPlan, tune
from ntkit.tuning.candidates import Candidate
from ntkit.tuning.optimisers import Adam, adam_flow, alignment, clock
from ntkit.tuning.optimisers.clock import calibrate, pilot_of, theory_clock
from ntkit.tuning.question import Question
from ntkit.tuning.stages import quickest

GROUPS = {"the list": LISTED, "nine others": SEEN, "six unseen": UNSEEN}
BUDGETS = tuple(Budget("adam", 1e-3, steps, 4096) for steps in CHECKPOINTS)
_TRIED = [Candidate("gaussian", float(b)) for b in BANDWIDTHS]
_ROUNDING = 1 / (12 * 255**2)


@dataclass
class Case:
    """A signal's modes, its short runs and its trained PSNRs.

    Attributes:
        name: Of the signal.
        signal: The signal.
        modes: By budget, one a bandwidth.
        measured: `[3, 10]` training and held-out PSNR with averaged weights, dB.
        losses: Of the short runs made so far, by bandwidth: they do not depend on the constants.
        held_out: `[3, 10]`, held-out PSNR predicted less measured, dB.
    """

    name: str
    signal: Signal
    modes: list[list[Modes]]
    measured: tuple[Tensor, Tensor]
    losses: dict[int, list[float]]
    held_out: Tensor


def network(signal: Signal, bandwidth: float) -> nn.Sequential:
    """What is trained."""
    draw = torch.Generator().manual_seed(0)
    encoding = Gaussian(len(signal.shape), 256, bandwidth, draw)
    return mlp(encoding, signal.n_outputs, width=256, depth=4, generator=draw)


def question(signal: Signal, budget: Budget) -> Question:
    """What `tune` asks, of these bandwidths."""
    plan = NetworkPlan(len(signal.shape), signal.n_outputs)
    tried = tuple(_TRIED)
    return Question(
        signal, "generalise", Adam(budget), plan, tried, "periodic", pilot=True, say=lambda _: None
    )


def with_rounding(errors: Tensor) -> Tensor:
    """PSNR."""
    return -10 * (errors + _ROUNDING).log10()


def case(name: str, runs: dict[int, Entry], losses: dict[int, list[float]]) -> Case:
    """One signal at a time: its problems take hundreds of megabytes, its modes little."""
    trained = torch.tensor([
        [runs[b]["averaged"][str(c)] for b in BANDWIDTHS] for c in CHECKPOINTS
    ]).double()  # [3, 10, seeds, 2]
    fitted, held_out = with_rounding(10 ** (-trained.mean(2) / 10)).unbind(-1)
    signal = load(name)
    found = Case(name, signal, [], (fitted, held_out), losses, torch.zeros(3, 10))
    for i, budget in enumerate(BUDGETS):
        asked = question(signal, budget)
        problems = [asked.problem(c) for c in asked.tried]
        found.modes.append([p.modes for p in problems])
        speed = speed_of(found, i)
        runs_ = asked.optimiser.trajectories(found.modes[i], [budget.steps], speed=speed)
        judged = [p.held_out_error(r) for p, r in zip(problems, runs_, strict=True)]
        found.held_out[i] = with_rounding(torch.cat(judged)) - held_out[i]
    return found


def speed_of(case: Case, index: int) -> float:
    """For a budget, that of a short real run of what learns most in it."""
    budget = BUDGETS[index]
    pilot = pilot_of(budget)
    modes = case.modes[index]
    first = _TRIED.index(quickest(question(case.signal, budget), modes))
    bandwidth = BANDWIDTHS[first]

    def rerun(*_: Any, on_step: Any, **__: Any) -> None:
        for step, loss in enumerate(case.losses[bandwidth], start=1):
            on_step(step, loss)

    if bandwidth not in case.losses:
        losses = case.losses[bandwidth] = []
        train(
            network(case.signal, bandwidth),
            case.signal,
            pilot,
            evaluate_at=(),
            generator=torch.Generator().manual_seed(0),
            on_step=lambda _, loss: losses.append(loss),
        )
    with changed(clock, train=rerun):
        return calibrate(nn.Identity(), case.signal, modes[first], budget, encoding="").speed


def errors_of(case: Case, *, pilot: bool = True) -> Tensor:
    """`[3, 10]` on the training samples, predicted less measured, dB."""
    found = []
    for i, budget in enumerate(BUDGETS):
        modes = case.modes[i]
        own = speed_of(case, i) if pilot else theory_clock(budget, modes[0].n_samples).speed
        runs = Adam(budget).trajectories(modes, [budget.steps], speed=own)
        found.append(torch.cat([m.error(r.decay) for m, r in zip(modes, runs, strict=True)]))
    return with_rounding(torch.stack(found)) - case.measured[0]


def size(errors: Tensor) -> float:
    return float(errors.abs().mean())


def shape(errors: Tensor) -> float:
    return size(errors - errors.mean(-1, keepdim=True))


@contextmanager
def changed(module: Any, **values: Any) -> Iterator[None]:
    """Other constants for a while."""
    before = {name: getattr(module, name) for name in values}
    for name, value in values.items():
        setattr(module, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


ELSEWHERE: tuple[dict[str, Any], ...] = (
    {"lr": 3e-4},
    {"lr": 3e-3},
    {"batch_size": 1024},
    {"width": 128, "depth": 3},
    {"n_frequencies": 64},
)


def elsewhere(signal: Signal, setting: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Errors on the training and on the held-out samples, dB, at each of two bandwidths."""
    result = tune(signal, steps=300, encodings=("gaussian",), bandwidths=(4, 10, 20, 45), **setting)
    fitted, held_out = [], []
    for row in result.table:
        if row.candidate.bandwidth in {10, 20}:
            trained = train(
                result.build(row.candidate),
                signal,
                result.budget,
                average=True,
                generator=torch.Generator().manual_seed(0),
            )[-1]
            fitted.append(_apart(row.at(300).train, trained.train))
            held_out.append(_apart(row.at(300).held_out, trained.held_out))
    return fitted, held_out


def _apart(predicted: float, error: float) -> float:
    both = with_rounding(torch.tensor([10 ** (-predicted / 10), error], dtype=torch.float64))
    return float((both[0] - both[1]).abs())


def measure() -> list[Row]:
    reference = read(PATH)
    names = [n for group in GROUPS.values() for n in group if n in reference]
    signals = load_all(names)
    losses: dict[str, dict[int, list[float]]] = {n: {} for n in signals}
    cases = {n: case(n, reference[n], losses[n]) for n in signals}
    fitted = {n: errors_of(c) for n, c in cases.items()}
    rows = []
    for group, members in GROUPS.items():
        own = [n for n in members if n in cases]
        rows.append(Row(f"{group}: signals", len(own)))
        for kind, errors in (
            ("training", torch.stack([fitted[n] for n in own])),
            ("held-out", torch.stack([cases[n].held_out for n in own])),
        ):
            for i, steps in enumerate(CHECKPOINTS):
                what = f"{group}: {kind} samples, {steps} steps"
                rows.append(Row(f"{what}: error", size(errors[:, i]), "dB"))
                rows.append(Row(f"{what}: shape", shape(errors[:, i]), "dB"))
                for b in (1, 10, 30, 60):
                    bias = float(errors[:, i, BANDWIDTHS.index(b)].mean())
                    rows.append(Row(f"{what}: mean at bandwidth {b}", bias, "dB"))
    known = [c for n, c in cases.items() if n not in UNSEEN]
    rows += both("list and nine others", torch.stack([fitted[c.name] for c in known]))
    for name, context in variants():
        with context:
            rows += both(f"with {name}", torch.stack([errors_of(c) for c in known]))
    without = torch.stack([errors_of(c, pilot=False) for c in known])
    rows += both("with no short run", without)
    with changed(alignment, _STEPS=0):
        plain = [case(c.name, reference[c.name], losses[c.name]) for c in known]
        rows += both("with no alignment", torch.stack([errors_of(c) for c in plain]))
    judged = torch.stack([c.held_out for c in known])
    rows += both("list and nine others, held-out samples", judged)
    judged = torch.stack([c.held_out for c in plain])
    rows += both("with no alignment, held-out samples", judged)
    return rows + elsewhere_rows()


def both(name: str, errors: Tensor) -> list[Row]:
    return [Row(f"{name}: error", size(errors), "dB"), Row(f"{name}: shape", shape(errors), "dB")]


def elsewhere_rows() -> list[Row]:
    signals = load_all(["kodim23", "gravel"]).values()
    rows, every = [], []
    for setting in ELSEWHERE:
        found = [elsewhere(signal, setting) for signal in signals]
        name = ", ".join(f"{key} {value:g}" for key, value in setting.items())
        for k, kind in enumerate(("training", "held-out")):
            errors = [e for both in found for e in both[k]]
            every.append((k, errors))
            rows.append(Row(f"elsewhere, {name}: error, {kind} samples", mean(errors), "dB"))
    for k, kind in enumerate(("training", "held-out")):
        errors = [e for own, part in every if own == k for e in part]
        rows.append(Row(f"elsewhere, all: error, {kind} samples", mean(errors), "dB"))
    return rows


def variants() -> Iterator[tuple[str, Any]]:
    """One constant at a time at other values."""
    for factor in (0.5, 2.0):
        yield (
            f"a spread of {adam_flow.SPREAD * factor:g}",
            changed(adam_flow, SPREAD=adam_flow.SPREAD * factor),
        )
    yield "no spread", changed(adam_flow, SPREAD=float("inf"))
    for value in (0.0, adam_flow.GAIN / 4, adam_flow.GAIN * 4, 1.0):
        yield f"a gain of {value:g}", changed(adam_flow, GAIN=value)
    for value in (0.0, adam_flow.CROSS_TALK / 2, adam_flow.CROSS_TALK * 2):
        yield f"a cross-talk of {value:g}", changed(adam_flow, CROSS_TALK=value)
    for value in (0.0, clock._BY_BATCH - 0.1, clock._BY_BATCH + 0.1):
        yield f"a batch power of {value:g}", changed(clock, _BY_BATCH=value)
    yield "the stability bound at 15", changed(adam_flow, STABILITY=15.0)
