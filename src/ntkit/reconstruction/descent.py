"""Ever smaller strengths of total variation, each judged by measurements that were held out."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.kernel_start import kernel_start, of_kept_data
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.result import Trial
from ntkit.reconstruction.system import System

__all__ = ["COLD", "FACTOR", "GAIN", "TOLERANCE", "WARM", "Descent", "best_of", "counted"]

FACTOR = 1.8  # between neighbouring strengths: four of them a decade

_LONGEST = 40  # strengths, over ten decades: who still climbs then climbs without an end

_RISES, GAIN = 3, 0.005
"""After so many strengths that gain less than this on the score, smaller ones are left out. To leave the kernel out must gain as
much, too."""

_ALIKE = 0.002  # of scores: where a path began and when it ended moves them by as much

TOLERANCE = 3e-4  # of the field's change in an iteration, at which a strength is judged
COLD, WARM, _STEPS = 150, 60, 10
"""Iterations at most, at the first strength and at later ones; and between looks at the score."""

_CLEAR = 0.1
"""A strength is judged once ten iterations move its score by less than this part of what sets it apart from the one before: those far
from the best, which are most, take 20 to 30 iterations."""


def best_of(trials: Sequence[Trial]) -> Trial:
    """The strength of the least score; of those that iterations do not tell apart the largest."""
    least = min(t.score for t in trials)
    return max((t for t in trials if t.score <= least + _ALIKE), key=lambda t: t.total_variation)


def counted(say: Callable[[str], None]) -> Callable[[], None]:
    """What is called before each strength, and says how many there were.

    Args:
        say: Called with a line of text.
    """
    numbers = count(1)
    return lambda: say(f"Held-out measurements: {next(numbers)} strengths of total variation")


class Descent:
    """Ever smaller strengths at one share of the kernel's weight, each begun where the one before ended.

    Strengths are those of all data. Beside the part that a fold keeps they are less, as the root of its share: noise, which total
    variation is to outweigh, adds up as the root of the number of data (Bickel, Ritov and Tsybakov 2009, Annals of Statistics 37,
    theorem 7.2: of the mean square the best strength falls as that root).

    Args:
        method: The solver.
        system: The measurement.
        y: Data, weighted.
        terms: The problems, one a fold.
        share: Of the kernel's weight in them.
        noise: Standard deviation of the noise.
        told: Called before each strength.
    """

    def __init__(
        self,
        method: PrimalDual,
        system: System,
        y: Float[Tensor, "p m"],
        terms: Terms,
        share: float,
        noise: float,
        told: Callable[[], None],
    ) -> None:
        self._method, self._system, self._y = method, system, y
        self._terms, self._share, self._noise, self._told = terms, share, noise, told
        kept = (terms.keep[:, 0] * system.counts).sum(1) / system.counts.sum()
        self._in_fold = kept.double().sqrt()
        self._found: dict[float, Trial] = {}
        self.state: State | None = None  # at the best strength or near it

    @property
    def trials(self) -> list[Trial]:
        """From the largest strength on."""
        return [self._found[strength] for strength in sorted(self._found, reverse=True)]

    @property
    def best(self) -> Trial:
        """The one that foretells best."""
        return best_of(self.trials)

    def search(self, first: float, last: float, start: State | None) -> None:
        """From `first` down until nothing is gained, up where the largest is best, and at last between the best and its neighbours."""
        self._descend(self._falling(first, last), start)
        while len(self._found) < _LONGEST and self._climbs():
            above = self.trials[0].total_variation
            self._descend(iter([FACTOR**k * above for k in (3, 2, 1)]), None)
        self._descend(self._between(), self.state)

    def _between(self) -> Iterator[float]:
        """Where a parabola through the best score and its neighbours' is least: a step of strengths may be a decibel wide."""
        strengths, best = [t for t in self.trials if t.total_variation > 0], self.best
        if best not in strengths[1:-1]:
            return
        at = strengths.index(best)
        larger, smaller = strengths[at - 1].score, strengths[at + 1].score
        bend = larger - 2 * best.score + smaller
        if bend > 0:
            steps = (smaller - larger) / (2 * bend)
            yield best.total_variation * FACTOR ** max(-0.5, min(steps, 0.5))

    def _falling(self, strength: float, last: float) -> Iterator[float]:
        """Ever smaller strengths until nothing is gained by them any more, and none at last where there is a kernel."""
        while strength >= last and not self._is_over():
            yield strength
            strength /= FACTOR
        if self._share > 0:
            yield 0.0

    def _is_over(self) -> bool:
        """Whether the last strengths gained next to nothing on one before."""
        scores = [t.score for t in self.trials]
        return len(scores) > _RISES and min(scores[-_RISES:]) > min(scores[:-_RISES]) - GAIN

    def _climbs(self) -> bool:
        """Whether the largest strength foretells best, and better than all others."""
        first, *others = self.trials
        return bool(others) and first.score < min(t.score for t in others) - _ALIKE

    def _descend(self, strengths: Iterator[float], state: State | None) -> None:
        before = None
        for strength in strengths:
            if strength == 0 and self._system.is_diagonal:
                # Gaps are not filled from above. Elsewhere fields that stop early would look better than the problem's own.
                kept = of_kept_data(self._system, self._y, self._terms)
                state = kernel_start(self._method, kept, self._terms)
            self._told()
            state, trial = self._solved(strength, state, before)
            before = trial.score
            self._found[strength] = trial
            if self.best is trial:
                self.state = state

    def _solved(
        self, strength: float, state: State | None, before: float | None
    ) -> tuple[State, Trial]:
        """Until the field rests, or the score does: what sets it apart from the strength before moves no more."""
        terms = self._terms.with_variation(strength * self._in_fold)

        def further(state: State | None) -> tuple[State, Trial]:
            new = self._method.solve(terms, start=state, tolerance=TOLERANCE, iterations=_STEPS)
            return new, self._judged(strength, new)

        most = COLD if state is None else WARM
        new, trial = further(state)
        for _ in range(_STEPS, most, _STEPS):
            if new.change < TOLERANCE:
                break
            last = trial.score
            new, trial = further(new)
            moved = abs(trial.score - last)
            if before is not None and moved < _CLEAR * abs(trial.score - before):
                break
        return new, trial

    def _judged(self, strength: float, state: State) -> Trial:
        """The relative error of what was held out, its standard error, and the score."""
        system, y, terms = self._system, self._y, self._terms
        square = (system.forward(self._method.field(state, terms)) - y).square().sum(1) / len(y)
        out = (1 - terms.keep[:, 0]) * system.counts
        robust = (torch.log1p(square / self._noise**2) * out).sum(0)
        square = (square * out).sum(0) / float(y[:, system.counts].square().mean())
        each, sums = (
            square.new_zeros(system.n_groups).index_add(0, system.group, v)
            for v in (out.sum(0).to(square), square)
        )
        of_group = (sums / each)[each > 0]
        n_out = float(each.sum())
        spread = float(of_group.std()) / len(of_group) ** 0.5
        size = float((square.sum() / n_out).sqrt())
        score = float(robust.sum()) / n_out
        return Trial(self._share, strength, size, spread / max(2 * size, 1e-300), score)
