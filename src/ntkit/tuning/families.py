"""Which family of network: the best bandwidth of each by scale models, what it is worth, and how sure that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log, pi, prod, sqrt
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from ntkit.networks.families import FAMILIES
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import AbstractMetric
from ntkit.tasks.timing import seconds_a_step
from ntkit.tuning.candidates import MLP, Candidate
from ntkit.tuning.choice import Goal
from ntkit.tuning.comparison import Lead, lead_of, preferred
from ntkit.tuning.parts import Parts, parts_of
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction
from ntkit.tuning.trials import Trial, trials

__all__ = [
    "EVERY_FAMILY",
    "Equal",
    "FamilyRow",
    "Trials",
    "asked_families",
    "compared",
    "ladder_of",
    "notes_on",
    "usual_of",
]

EVERY_FAMILY = tuple(FAMILIES)
"""Names that `tune(families=...)` takes."""

Equal = Literal["steps", "time"]

USUAL = {1: "siren"}
"""By the number of coordinates, the family that is taken unless models say otherwise; ReLU networks elsewhere."""

_OCTAVES = {1: (-1, 0, 1, 2)}
_OCTAVES_ELSEWHERE = (-2, -1, 0, 1)
_TURN = 0.6  # radians
_BOUNDS: dict[str, Callable[[int], float]] = {
    "siren": lambda d: 1 / d,
    "finer": lambda d: 1 / d,
    "wire": lambda d: d**-0.5,
}
_MOST_HASHED = 4  # coordinates of a hash grid
_LONGEST = 5000  # steps: models of longer budgets are read there
_NARROWEST = 12  # units of a model
_MOST = 1.5  # times the budget, for a family that is quicker than a ReLU network
_STOPS = (1 / 32, 1 / 8, 1 / 3)  # of the budget, where models are judged on the way


@dataclass(frozen=True)
class FamilyRow:
    """A family at its best bandwidth, beside the others.

    Attributes:
        candidate: The family and the bandwidth; of ReLU networks the encoding.
        predicted: Quality after the steps of the budget, in a network of as many parameters.
        in_time: Quality after as many steps as take the time that the budget takes a ReLU network.
        n_parameters: Of the network.
        seconds_a_step: Of its training, measured.
        behind: How much the recommended row is better, with its noise, by what the row is recommended by.
        curve: Quality on the way.
    """

    candidate: Candidate
    predicted: Prediction
    in_time: Prediction
    n_parameters: int
    seconds_a_step: float
    behind: Lead
    curve: tuple[Prediction, ...]

    @property
    def family(self) -> str:
        """Its name."""
        return self.candidate.family

    @property
    def ties(self) -> bool:
        """Whether it is as good as the recommended row, as far as the models can tell."""
        return not self.behind.is_sure


@dataclass(frozen=True, eq=False)
class Trials:
    """Scale models of candidates, all on the same parts of a task.

    Attributes:
        task: What is fitted.
        goal: What counts.
        budget: Of the training that is asked about.
        plan: Its networks.
        parts: Of the task.
        scale: By how much the models are narrower.
        seconds: Of a step of a family's network, by name.
    """

    task: AbstractTask
    goal: Goal
    budget: Budget
    plan: NetworkPlan
    parts: Parts
    scale: int
    seconds: Mapping[str, float]

    def steps_in_time(self, family: str) -> int:
        """Steps in the time that a ReLU network takes for the budget; at most 1.5 times as many."""
        ratio = self.seconds[MLP] / self.seconds[family]
        return max(1, round(self.steps * min(_MOST, ratio)))

    @property
    def steps(self) -> int:
        """Of the budget, as far as models go."""
        return min(self.budget.steps, _LONGEST)

    def sums(self, trial: Trial, equal: Equal) -> Float[Tensor, "p s"]:
        """What counts of a trial, where all have the same number of steps, or the same time."""
        in_time = self.steps_in_time(trial.candidate.family)
        kind = trial.held_out if self.goal == "generalise" else trial.train
        return kind[self.steps if equal == "steps" else in_time]

    def of(self, tried: Sequence[Candidate]) -> tuple[Trial, ...]:
        """The models of some candidates of one family."""
        family = tried[0].family
        stops = {max(1, round(self.steps * share)) for share in _STOPS}
        return trials(
            self.task,
            self.parts,
            self.budget.with_steps(self.steps),
            tried,
            plan=self.plan,
            scale=self.scale,
            moments=sorted({*stops, self.steps_in_time(family)}),
        )

    def quality(self, trial: Trial, steps: int) -> Prediction:
        """On the rows trained on and held out, of all parts together."""
        kinds = (trial.train, trial.held_out)
        errors = [self.task.metric.error(kind[steps].sum(0)) for kind in kinds]
        train, held_out = (self.task.metric.quality(e) if isfinite(e) else -inf for e in errors)
        return Prediction(steps, train, held_out)


def usual_of(family: str, task: AbstractTask) -> Candidate:
    """A family at the bandwidth that does well without any choice, for samples as dense as those of the task."""
    samples = None
    if task.takes_points:  # the constants are of every other sample
        samples = 2 * prod(task.axis_counts) ** (1 / task.in_dim)
    usual = FAMILIES[family].usual_bandwidth(task.in_dim, samples)
    usual = min(usual, _most(family, task.in_dim))
    return Candidate("gaussian" if family == MLP else family, float(f"{usual:.3g}"))


def is_steady(candidate: Candidate, in_dim: int) -> bool:
    """Whether a step of Adam at the usual rate turns no wave of the first layer by more than 0.6 radians.

    A step changes each weight by about the learning rate, and so the phase of a wave, at a corner of the domain, by that times
    the frequency and the number of coordinates. Trainings beyond a radian collapse; models, on parts that
    are shorter than the whole, do not show it.
    """
    return (candidate.bandwidth or 0.0) <= 1.01 * _most(candidate.family, in_dim)


def _most(family: str, in_dim: int) -> float:
    """The largest steady bandwidth; by first weights `U(-1/d, 1/d)`, of WIRE `U(-d^-1/2, d^-1/2)`, on [-1, 1]^d."""
    if family not in _BOUNDS:
        return inf
    omega = _TURN / (FAMILIES[family].lr * in_dim)
    return omega * _BOUNDS[family](in_dim) / (pi * sqrt(3))


def ladder_of(family: str, task: AbstractTask) -> list[Candidate]:
    """Four bandwidths an octave apart about the usual one, of sounds rather above it."""
    usual = usual_of(family, task)
    octaves = _OCTAVES.get(task.in_dim, _OCTAVES_ELSEWHERE)
    return [Candidate(usual.name, 2.0**k * (usual.bandwidth or 1.0)) for k in octaves]


def asked_families(
    families: Sequence[str] | None, in_dim: int, *, may_try: bool
) -> tuple[str, ...]:
    """The families to compare: if none are named, all that take so many coordinates, where networks may be trained.

    Raises:
        ValueError: One is unknown, there is none, or others than "mlp" are named and nothing may be trained.
    """
    if families is None:
        every = [name for name in EVERY_FAMILY if name != "hash" or in_dim <= _MOST_HASHED]
        return tuple(every) if may_try else (MLP,)
    names = tuple(dict.fromkeys(families))
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or not names:
        raise ValueError(f"`families={names!r}` must name some of {', '.join(EVERY_FAMILY)}.")
    if names != (MLP,) and not may_try:
        raise ValueError(
            f"`families={names!r}` are compared by short trainings with Adam, of networks of ours. Leave "
            '`pilot=True` and `optimiser="adam"`, pass no `network`, or take `families=("mlp",)`.'
        )
    return names


def compared(
    task: AbstractTask,
    goal: Goal,
    budget: Budget,
    plan: NetworkPlan,
    relu: Sequence[Candidate],
    families: Sequence[str],
    *,
    equal: Equal = "steps",
    predicted: Mapping[Candidate, Prediction] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[FamilyRow, ...]:
    """One row a family, the recommended one first; none where the task is too small for scale models.

    In each family the usual bandwidth is kept unless models of another one are better by more than their noise, and
    so is the usual family for the number of coordinates.

    Args:
        task: What is fitted.
        goal: What counts.
        budget: Of the training, with the rate of a ReLU network.
        plan: The networks.
        relu: Candidates that stand for "mlp": the one that the kernel chose, or all that are to be tried.
        families: Which to compare.
        equal: What all have as much of: steps, or time.
        predicted: Quality that is known of candidates; that of models, which is of parts, is moved to it.
        say: Is told of each stage.
    """
    cut = _cut_of(task, plan)
    if cut is None:
        return ()
    say("time of a step of each family")
    usual = {f: usual_of(f, task) for f in dict.fromkeys((MLP, *families))}
    seconds = {f: seconds_a_step(plan.trainable(c), task, c.own(budget)) for f, c in usual.items()}
    asked = Trials(task, goal, budget, plan, *cut, seconds)
    metric, in_dim = task.metric, task.in_dim
    best: dict[str, Trial] = {}
    for family in families:
        say(f"scale models of {family}")
        tried = [c for c in ladder_of(family, task) if is_steady(c, in_dim)]
        found = {t.candidate: t for t in asked.of(relu if family == MLP else tried)}
        sums = {c: asked.sums(t, equal) for c, t in found.items()}
        best[family] = found[preferred(sums, _nearest(usual_of(family, task), found), metric)]
    reached = {f: asked.sums(t, equal) for f, t in best.items()}
    first = USUAL.get(in_dim, MLP)
    chosen = preferred(reached, first if first in best else families[0], metric)
    shift = _shift(asked, best, predicted or {})
    rows = [_row(asked, best[f], lead_of(reached[chosen], reached[f], metric), shift) for f in best]
    return tuple(sorted(rows, key=lambda r: (r.family != chosen, r.behind.gain)))


def notes_on(
    rows: Sequence[FamilyRow], asked: Sequence[str], metric: AbstractMetric, *, may_try: bool
) -> tuple[str, ...]:
    """How sure the choice between families is, in words; or that there was none.

    Args:
        rows: The recommended one first.
        asked: The families that were to be compared.
        metric: Of the task.
        may_try: Whether models might be trained.
    """
    if not rows:
        small = may_try and len(asked) > 1
        return ("Too small for scale models: no families were compared.",) if small else ()
    first, *others = rows
    as_good = [row.family for row in others if row.ties]
    ahead = [row for row in others if not row.ties]
    notes = []
    if as_good:
        verb = "is" if len(as_good) == 1 else "are"
        notes.append(
            f"As far as scale models can tell, {' and '.join(as_good)} {verb} as good as {first.family}."
        )
    if ahead:
        near = ahead[0]
        by = f"{near.behind.gain:.{metric.digits}f} +- {near.behind.noise:.{metric.digits}f}"
        notes.append(
            f"By scale models {first.family} is ahead of {near.family} by {by} {metric.unit or metric.name}."
        )
    return tuple(notes)


def _cut_of(task: AbstractTask, plan: NetworkPlan) -> tuple[Parts, int] | None:
    """The parts of the models, and by how much these are narrower; None where the task is too small for any.

    A sixth or a quarter as wide, on eight or on four parts; less narrow where that would leave too few samples.
    """
    first, n = (6, 8) if plan.width >= 6 * 2 * _NARROWEST else (4, 4)
    for scale in range(first, 1, -1):
        if plan.width >= scale * _NARROWEST and (parts := parts_of(task, scale**2, n)):
            return parts, scale
    return None


def _nearest(wanted: Candidate, found: Iterable[Candidate]) -> Candidate:
    """Of some candidates the one that is most like another: of its name, and its bandwidth."""
    at = log(wanted.bandwidth or 1.0)
    return min(found, key=lambda c: (c.name != wanted.name, abs(log(c.bandwidth or 1.0) - at)))


def _shift(
    asked: Trials, best: Mapping[str, Trial], predicted: Mapping[Candidate, Prediction]
) -> tuple[float, float]:
    """What the quality of models is less than that of the whole, by the family of which both are known."""
    for trial in best.values():
        if known := predicted.get(trial.candidate):
            own = asked.quality(trial, asked.steps)
            return known.train - own.train, known.held_out - own.held_out
    return 0.0, 0.0


def _row(asked: Trials, trial: Trial, behind: Lead, shift: tuple[float, float]) -> FamilyRow:
    def moved(steps: int) -> Prediction:
        found = asked.quality(trial, steps)
        return Prediction(steps, found.train + shift[0], found.held_out + shift[1])

    family, network = trial.candidate.family, asked.plan.build(trial.candidate)[0]
    return FamilyRow(
        candidate=trial.candidate,
        predicted=moved(asked.steps),
        in_time=moved(asked.steps_in_time(family)),
        n_parameters=sum(p.numel() for p in network.parameters()),
        seconds_a_step=asked.seconds[family],
        behind=behind,
        curve=tuple(moved(s) for s in sorted(trial.train)),
    )
