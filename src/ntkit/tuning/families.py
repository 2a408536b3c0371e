"""Which family of network: the best bandwidth of each by scale models, what it is worth, and how sure that is."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.tasks.base import AbstractTask
from ntkit.tasks.budget import Budget
from ntkit.tasks.metrics import AbstractMetric
from ntkit.tasks.timing import seconds_a_step
from ntkit.tuning.candidates import MLP, Candidate
from ntkit.tuning.choice import Goal, Row
from ntkit.tuning.comparison import Lead, lead_of, preferred
from ntkit.tuning.ladders import USUAL, is_steady, ladder_of, usual_of
from ntkit.tuning.parts import Parts, parts_of
from ntkit.tuning.plan import NetworkPlan
from ntkit.tuning.predict import Prediction
from ntkit.tuning.run_off import Contender, RunOff, counted, is_near, judging, ran_off, share_of
from ntkit.tuning.trials import LONGEST, CandidateTrial, trials

__all__ = ["Equal", "FamilyComparison", "FamilyRow", "Trials", "compared"]

Equal = Literal["steps", "time"]

_NARROWEST = 12  # units of a model
_LARGE = 256  # rows of a part; of fewer, models learn all, and misled by 9 dB (`family_audio`, a piano at 48 kHz)
_MOST = 1.5  # times the budget, for a family that is quicker than a ReLU network
_STOPS = (1 / 32, 1 / 8, 1 / 3)  # of the budget, where models are judged on the way


@dataclass(frozen=True)
class FamilyRow:
    """A family at its best bandwidth, beside the others.

    Attributes:
        candidate: The family and the bandwidth; of ReLU networks the encoding.
        predicted: Quality after the steps of the budget, in a network of as many parameters.
        in_time: Quality after as many steps as take the time that the budget takes a ReLU network, and which.
        n_parameters: Of the network.
        seconds_a_step: Of its training, measured.
        behind: How much better models of the recommended row are, with the noise of that; below 0 where it is recommended
            as the usual one, or by a run-off.
        curve: Quality on the way.
        run_off: What the network itself reached in the steps of a run-off, infinitely little where it diverged; None where
            models were enough.

    Example:
        >>> from ntkit.tuning import Lead
        >>> at = Prediction(1000, 30.0, 25.0)
        >>> row = FamilyRow(Candidate("siren", 10.0), at, at, 5000, 1e-3, Lead(0.0, 0.1), (at,))
        >>> row.family, row.ties  # no more behind the best than the noise
        ('siren', True)
    """

    candidate: Candidate
    predicted: Prediction
    in_time: Prediction
    n_parameters: int
    seconds_a_step: float
    behind: Lead
    curve: tuple[Prediction, ...]
    run_off: Prediction | None = None

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

    def steps_in_time(self, family: str, steps: int) -> int:
        """Steps in the time that a ReLU network takes for `steps`; at most 1.5 times as many."""
        ratio = self.seconds[MLP] / self.seconds[family]
        return max(1, round(steps * min(_MOST, ratio)))

    @property
    def steps(self) -> int:
        """Of the budget, as far as models go."""
        return min(self.budget.steps, LONGEST)

    def sums(self, trial: CandidateTrial, equal: Equal) -> Float[Tensor, "p s"]:
        """What counts of a trial, where all have the same number of steps, or the same time."""
        in_time = self.steps_in_time(trial.candidate.family, self.steps)
        kind = trial.held_out if self.goal == "generalise" else trial.train
        return kind[self.steps if equal == "steps" else in_time]

    def of(self, tried: Sequence[Candidate]) -> tuple[CandidateTrial, ...]:
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
            moments=sorted(stops),
            lengths=(self.steps_in_time(family, self.steps),),
        )

    def quality(
        self, trial: CandidateTrial, steps: int, *, called: int | None = None
    ) -> Prediction:
        """On the rows trained on and held out, of all parts together; said of `called` steps, or of these."""
        kinds = (trial.train, trial.held_out)
        errors = [self.task.metric.error(kind[steps].sum(0)) for kind in kinds]
        train, held_out = (self.task.metric.quality(e) if isfinite(e) else -inf for e in errors)
        return Prediction(called or steps, train, held_out)

    def ran_off(
        self, rivals: Sequence[Candidate], equal: Equal, train: RunOff, say: Callable[[str], None]
    ) -> dict[str, Prediction]:
        """What networks reach in an eighth of the steps, or of their share of the time, by family."""
        task = judging(self.task, self.goal)
        if task is None or not rivals:
            return {}
        contenders, seconds = [], 0.0
        for candidate in rivals:
            steps, family = self.budget.steps, candidate.family
            own = share_of(self.steps_in_time(family, steps) if equal == "time" else steps)
            budget = self.plan.budget_of(candidate, self.budget.with_steps(own))
            contenders.append(Contender(candidate, task, self.plan, budget))
            seconds += own * self.seconds[family]
        names = " and ".join(c.family for c in rivals)
        say(f"run-off of {names}, about {seconds:.0f} s")
        return {
            c.candidate.family: r
            for c, r in zip(contenders, ran_off(contenders, train), strict=True)
        }

    def row(self, trial: CandidateTrial) -> Row:
        """What a candidate reaches on the way to the budget and at its end."""
        way = [self.quality(trial, k) for k in sorted(trial.train) if k < self.steps]
        end = self.quality(trial, self.steps, called=self.budget.steps)
        return Row(trial.candidate, (*way, end))


@dataclass(frozen=True)
class FamilyComparison:
    """What scale models say. Without any, that nothing was tried.

    Attributes:
        families: One row a family, the recommended one first.
        table: Of ReLU networks that were tried with several encodings, a row each.
        flat_range: Gaussian bandwidths of these that are as good as the best, as far as the models can tell.
    """

    families: tuple[FamilyRow, ...] = ()
    table: tuple[Row, ...] = ()
    flat_range: tuple[float, float] | None = None


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
    run_off: RunOff | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> FamilyComparison:
    """Scale models of each family, and which is recommended; none where the task is too small for any.

    In each family the usual bandwidth is kept unless models of another one are better by more than their noise, and
    so is the usual family for the number of coordinates. If the second family is then less than two standard errors behind,
    both are trained for an eighth of the steps, and the better one is recommended.

    Args:
        task: What is fitted.
        goal: What counts.
        budget: Of the training, with the rate of a ReLU network.
        plan: The networks.
        relu: Candidates that stand for "mlp": the one that the kernel chose, or all that are to be tried.
        families: Which to compare.
        equal: What all have as much of: steps, or time.
        predicted: Quality that is known of candidates; that of models, which is of parts, is moved to it.
        run_off: Trains the two families; None for models alone.
        say: Is told of each stage.

    Raises:
        NumericalError: Every training diverged.
    """
    cut = _cut_of(task, plan)
    if cut is None:
        return FamilyComparison()
    say("time of a step of each family")
    usual = {f: usual_of(f, task) for f in dict.fromkeys((MLP, *families))}
    seconds = {
        f: seconds_a_step(plan.trainable(c), task, plan.budget_of(c, budget))
        for f, c in usual.items()
    }
    asked = Trials(task, goal, budget, plan, *cut, seconds)
    metric, in_dim = task.metric, task.in_dim
    best: dict[str, CandidateTrial] = {}
    table: tuple[Row, ...] = ()
    flat = None
    for family in families:
        say(f"scale models of {family}")
        tried = [c for c in ladder_of(family, task) if is_steady(c, in_dim)]
        found = {t.candidate: t for t in asked.of(relu if family == MLP else tried)}
        sums = {c: asked.sums(t, equal) for c, t in found.items()}
        best[family] = found[preferred(sums, _nearest(usual_of(family, task), found), metric)]
        if family == MLP and len(found) > 1:
            table = tuple(map(asked.row, found.values()))
            flat = _flat(sums, best[family].candidate, metric)
    reached = {f: asked.sums(t, equal) for f, t in best.items()}
    first = USUAL.get(in_dim, MLP)
    chosen = preferred(reached, first if first in best else families[0], metric)
    if all(asked.quality(t, asked.steps).train == -inf for t in best.values()):
        raise NumericalError(
            f"The training of every scale model diverged at a learning rate of {budget.lr:g}. Take a smaller one."
        )
    rivals = _rivals(reached, chosen, metric) if run_off else ()
    ran = asked.ran_off([best[f].candidate for f in rivals], equal, run_off, say) if run_off else {}
    chosen = max(ran, key=lambda f: counted(ran[f], goal), default=chosen)
    shift = _shift(asked, best, predicted or {})
    rows = [
        _row(asked, best[f], lead_of(reached[chosen], reached[f], metric), shift, ran.get(f))
        for f in best
    ]
    rows.sort(key=lambda r: (r.family != chosen, r.run_off is None, r.behind.gain))
    return FamilyComparison(tuple(rows), table, flat)


def _cut_of(task: AbstractTask, plan: NetworkPlan) -> tuple[Parts, int] | None:
    """The parts of the models, and by how much these are narrower; None where the task is too small for any.

    A sixth as wide, on eight parts, where network and parts are large enough for that; else a quarter, on four, and less
    narrow where that would leave too few samples.
    """
    if (
        plan.width >= 6 * 2 * _NARROWEST
        and (parts := parts_of(task, 6**2, 8))
        and parts.n_rows >= _LARGE
    ):
        return parts, 6
    for scale in (4, 3, 2):
        if plan.width >= scale * _NARROWEST and (parts := parts_of(task, scale**2, 4)):
            return parts, scale
    return None


def _rivals(
    reached: Mapping[str, Float[Tensor, "p s"]], chosen: str, metric: AbstractMetric
) -> tuple[str, ...]:
    """The chosen family and the one next to it, if models do not tell them apart; else none."""
    behind = {f: lead_of(reached[chosen], s, metric) for f, s in reached.items() if f != chosen}
    if not behind or not isfinite(metric.error(reached[chosen].sum(0))):
        return ()
    second = min(behind, key=lambda f: behind[f].gain)
    return (chosen, second) if is_near(behind[second]) else ()


def _nearest(wanted: Candidate, found: Iterable[Candidate]) -> Candidate:
    """Of some candidates the one that is most like another: of its name, and its bandwidth."""
    at = log(wanted.bandwidth or 1.0)
    return min(found, key=lambda c: (c.name != wanted.name, abs(log(c.bandwidth or 1.0) - at)))


def _shift(
    asked: Trials, best: Mapping[str, CandidateTrial], predicted: Mapping[Candidate, Prediction]
) -> tuple[float, float]:
    """What the quality of models is less than that of the whole, by the family of which both are known."""
    for trial in best.values():
        if known := predicted.get(trial.candidate):
            own = asked.quality(trial, asked.steps)
            return known.train - own.train, known.held_out - own.held_out
    return 0.0, 0.0


def _flat(
    sums: Mapping[Candidate, Float[Tensor, "p s"]], best: Candidate, metric: AbstractMetric
) -> tuple[float, float] | None:
    """Gaussian bandwidths than which the best candidate is not surely better; None if it is no Gaussian itself."""
    if best.name != "gaussian":
        return None
    near = [
        c.bandwidth or 0.0
        for c, s in sums.items()
        if c.name == "gaussian" and not lead_of(sums[best], s, metric).is_sure
    ]
    return min(near), max(near)


def _row(
    asked: Trials,
    trial: CandidateTrial,
    behind: Lead,
    shift: tuple[float, float],
    ran_off: Prediction | None,
) -> FamilyRow:
    def moved(steps: int, called: int | None = None) -> Prediction:
        found = asked.quality(trial, steps, called=called)
        return Prediction(found.steps, found.train + shift[0], found.held_out + shift[1])

    family, network = trial.candidate.family, asked.plan.build(trial.candidate)[0]
    return FamilyRow(
        candidate=trial.candidate,
        predicted=moved(asked.steps, asked.budget.steps),
        in_time=moved(
            asked.steps_in_time(family, asked.steps),
            asked.steps_in_time(family, asked.budget.steps),
        ),
        n_parameters=sum(p.numel() for p in network.parameters()),
        seconds_a_step=asked.seconds[family],
        behind=behind,
        curve=tuple(moved(s) for s in sorted(trial.train)),
        run_off=ran_off,
    )
