"""How much total variation: what each strength says of measurements that were held out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.reconstruction.kernel_start import kernel_start, of_kept_data
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.result import Trial
from ntkit.reconstruction.system import System

__all__ = ["Path", "folds_of", "state_from_above", "try_variations"]

N_FOLDS = 3  # parts of the data, each held out once: each costs one more problem a strength
_FACTOR = 1.8  # between neighbouring strengths: four of them a decade
_FIRST = 60.0
"""Of the strengths, times the kernel's weight and scale: above what is usually best; where it is not, larger ones follow."""

_LAST = 0.01
"""Likewise: below it total variation hardly moves the field, and only how far the iterations have come would be judged."""

_LONGEST = 40  # strengths, over ten decades: who still climbs then climbs without an end
_RISES, _GAIN = 3, 0.005
"""After so many strengths that gain less than this on the score, smaller ones are left out. A smaller share of the kernel must
gain as much, too, to be taken."""


@dataclass(frozen=True, eq=False)
class Path:
    """What was tried, from the largest strength to none.

    Attributes:
        trials: One a strength and share of the kernel's weight, from the largest strength to none. Neither kernel nor total
            variation is not among them: nothing would tell what is not measured.
        start: Where the iterations stood at the best strength of total variation alone, of the first fold.
    """

    trials: tuple[Trial, ...]
    start: State | None = None

    def best(self, share: float) -> Trial:
        """The strength that foretells best what is held out, at one share of the kernel's weight."""
        return min((t for t in self.trials if t.share == share), key=lambda t: t.score)

    def chosen(self) -> Trial:
        """The best of all; of shares that do next to as well the largest, which is closest to marginal likelihood."""
        least = min(t.score for t in self.trials)
        shares = sorted({t.share for t in self.trials}, reverse=True)
        best = (self.best(share) for share in shares)
        return next(t for t in best if t.score <= least + _GAIN)


def folds_of(group: Int[Tensor, " m"], n_folds: int = N_FOLDS) -> Int[Tensor, " m"]:
    """The fold of each datum: groups in turn.

    Raises:
        ValueError: There are fewer groups than folds.
    """
    n_groups = int(group.max()) + 1
    if n_groups < n_folds:
        raise ValueError(
            f"The data have {n_groups} groups, and {n_folds} folds of them are held out in turn. Pass `groups=`, one number "
            "a row of the data, or say how much: `total_variation=False` or a number."
        )
    return group % n_folds


def try_variations(
    method: PrimalDual,
    system: System,
    y: Float[Tensor, "p m"],
    terms: Terms,
    *,
    shares: Sequence[float],
    unit: float,
    noise: float,
    say: Callable[[str], None],
) -> Path:
    """Solve for ever smaller total variations, at several weights of the kernel, on two folds of three; judge on the third.

    Args:
        method: The solver.
        system: The measurement.
        y: Data, weighted.
        terms: Of one problem on all data: its kernel's weight, mean and bounds.
        shares: Of the kernel's weight, each a path of its own; 0 leaves the kernel out.
        unit: Strengths are multiples of it: the kernel's weight times the field's scale.
        noise: Standard deviation of the noise, by marginal likelihood.
        say: Called with a line of text.

    Source: Barron 2019 (arXiv:1701.03077), eq. 5, for the error that is robust to few large ones.
    """
    folds = folds_of(system.group)
    keep = torch.stack([(folds != k).double() for _ in shares for k in range(N_FOLDS)])[:, None]
    weights = torch.tensor(shares, dtype=torch.float64) * terms.weight
    every = Terms(
        keep,
        weights.repeat_interleave(N_FOLDS),
        torch.zeros(len(keep), dtype=torch.float64),
        terms.spectrum,
        terms.mean,
        terms.bounds,
    )
    found: dict[float, list[Trial]] = {}
    start: State | None = None

    def descend(strengths: Iterator[float]) -> None:
        nonlocal start
        state = None
        for strength in strengths:
            if strength == 0 and system.is_diagonal:
                # Gaps are not filled from above. Elsewhere fields that stop early would look better than the problem's own.
                state = kernel_start(method, of_kept_data(system, y, every), every)
            say(f"Held-out measurements: {len(found) + 1} strengths of total variation")
            state = _solved(method, every, strength, state)
            errors = _judged(system, y, every, method.field(state, every), noise)
            trials = [Trial(s, strength, *e) for s, e in zip(shares, errors, strict=True)]
            alone = trials[-1]
            if alone.share == 0 and all(
                alone.score < others[-1].score for others in found.values()
            ):
                start = state.one(N_FOLDS * (len(shares) - 1))
            found[strength] = trials

    descend(_falling(found, _FIRST * unit, _LAST * unit))
    while len(found) < _LONGEST and _is_best_of(found, max(found)):
        descend(iter([_FACTOR**3 * max(found), _FACTOR**2 * max(found), _FACTOR * max(found)]))
    order = sorted(found, reverse=True)
    trials = (t for b in order for t in found[b])
    tried = tuple(t for t in trials if t.share > 0 or t.total_variation > 0)
    return Path(tried, start)


def state_from_above(method: PrimalDual, terms: Terms, *, unit: float) -> State | None:
    """Where to begin: from larger total variations, which carry far into the gaps where little is measured.

    Args:
        method: The solver.
        terms: One problem.
        unit: As of `try_variations`.
    """
    state, strength, own = None, _FIRST * unit, float(terms.variation)
    while strength > max(own, _LAST * unit):
        state = _solved(method, terms, strength, state)
        strength /= _FACTOR
    return state


def _falling(found: dict[float, list[Trial]], first: float, last: float) -> Iterator[float]:
    """Ever smaller strengths until nothing is gained by them any more, and none at last."""
    strength = first
    while strength >= last and not _is_over(found):
        yield strength
        strength /= _FACTOR
    yield 0.0


def _errors(found: dict[float, list[Trial]]) -> list[list[float]]:
    """What was foretold how badly, from the largest strength on, at each share."""
    order = sorted(found, reverse=True)
    return [list(each) for each in zip(*([t.score for t in found[b]] for b in order), strict=True)]


def _is_over(found: dict[float, list[Trial]]) -> bool:
    """Whether the last strengths gained next to nothing on one before, at each share."""
    if len(found) <= _RISES:
        return False
    return all(min(e[-_RISES:]) > min(e[:-_RISES]) - _GAIN for e in _errors(found))


def _is_best_of(found: dict[float, list[Trial]], strength: float) -> bool:
    at = sorted(found, reverse=True).index(strength)
    return any(min(e) == e[at] for e in _errors(found))


def _solved(method: PrimalDual, terms: Terms, strength: float, state: State | None) -> State:
    own = terms.with_variation(torch.full_like(terms.variation, strength))
    return method.solve(own, start=state, tolerance=3e-4, iterations=150 if state is None else 60)


def _judged(
    system: System, y: Tensor, terms: Terms, field: Tensor, noise: float
) -> list[tuple[float, float, float]]:
    """For each share the relative error of what was held out, its standard error, and the score."""
    square = (system.forward(field) - y).square().sum(1) / len(y)
    out = (1 - terms.keep[:, 0]) * system.counts
    robust = torch.log1p(square / noise**2) * out
    square = square * out / float(y[:, system.counts].square().mean())
    square, robust = (e.unflatten(0, (-1, N_FOLDS)).sum(1) for e in (square, robust))
    n_groups, n_counted = system.n_groups, int(system.counts.sum())
    sums = square.new_zeros(len(square), n_groups).index_add(1, system.group, square)
    each = torch.bincount(system.group[system.counts], minlength=n_groups)
    spread = (sums / each).std(1) / n_groups**0.5
    size = (square.sum(1) / n_counted).sqrt()
    columns = (size, spread / (2 * size).clamp_min(1e-300), robust.sum(1) / n_counted)
    return list(zip(*(c.tolist() for c in columns), strict=True))
