"""How much total variation: what each strength says of measurements that were held out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.reconstruction.descent import (
    COLD,
    FACTOR,
    GAIN,
    TOLERANCE,
    WARM,
    Descent,
    best_of,
    counted,
)
from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.result import Trial
from ntkit.reconstruction.system import System

__all__ = ["N_FOLDS", "Path", "folds_of", "kept_data", "state_from_above", "try_variations"]

N_FOLDS = 3  # parts of the data, each held out once: each costs one more problem a strength
_FIRST = 60.0
"""Of the strengths, times the kernel's weight and scale: above what is usually best; where it is not, larger ones follow."""

_LAST = 0.01
"""Likewise: below it total variation hardly moves the field, and only how far the iterations have come would be judged."""

_ABOVE = 2  # steps above the best strength of total variation alone, where the path with the kernel begins


@dataclass(frozen=True, eq=False)
class Path:
    """What was tried, from the largest strength to the smallest, first with the kernel.

    Attributes:
        trials: One a strength and share of the kernel's weight. Neither kernel nor total variation is not among them: nothing
            would tell what is not measured.
        start: Where the iterations stood at about the best strength of total variation alone, in the mean of the folds.
    """

    trials: tuple[Trial, ...]
    start: State | None = None

    def best(self, share: float) -> Trial:
        """The strength that foretells best what is held out, at one share of the kernel's weight."""
        return best_of([t for t in self.trials if t.share == share])

    def chosen(self) -> Trial:
        """The best of all; of shares that do next to as well the largest, which is closest to marginal likelihood."""
        shares = {t.share for t in self.trials}
        least = {s: min(t.score for t in self.trials if t.share == s) for s in shares}
        near = min(least.values()) + GAIN
        return self.best(max(s for s in shares if least[s] <= near))


def folds_of(group: Int[Tensor, " m"], n_folds: int = N_FOLDS) -> Int[Tensor, " m"]:
    """The fold of each datum: groups in turn.

    Raises:
        ValueError: There are fewer groups than folds.
    """
    n_groups = int(group.max()) + 1
    if n_groups < n_folds:
        raise ValueError(
            f"The data have {n_groups} group{'s' * (n_groups != 1)}, and {n_folds} folds of them are held out in turn. Pass "
            "`groups=`, one number a row of the data, or say how much: `total_variation=False` or a number "
            "(`--no-total-variation`, `--total-variation`)."
        )
    return group % n_folds


def kept_data(system: System, n_out: int = N_FOLDS) -> Float[Tensor, "c 1 m"]:
    """What each of the first folds leaves in, 1, and what it holds out, 0.

    Args:
        system: The measurement.
        n_out: How many of the folds are held out in turn.
    """
    folds = folds_of(system.group)
    return torch.stack([(folds != k).double() for k in range(n_out)])[:, None]


def try_variations(
    method: PrimalDual,
    system: System,
    y: Float[Tensor, "p m"],
    terms: Terms,
    *,
    share: float,
    unit: float,
    noise: float,
    say: Callable[[str], None],
) -> Path:
    """Solve for ever smaller total variations, without and with the kernel, on two folds of three; judge on the third.

    Total variation alone comes first. With the kernel less of it is best, or little more: that path begins near the other's best.

    Args:
        method: The solver.
        system: The measurement.
        y: Data, weighted.
        terms: Of one problem on all data: its kernel's weight, mean and bounds.
        share: Of the kernel's weight, beside total variation.
        unit: Strengths are multiples of it: the kernel's weight times the field's scale.
        noise: Standard deviation of the noise, by marginal likelihood.
        say: Called with a line of text.

    Source: Barron 2019 (arXiv:1701.03077), eq. 5, for the error that is robust to few large ones.
    """
    keep, told = kept_data(system), counted(say)

    def descent(own: float) -> Descent:
        weights = torch.full((N_FOLDS,), own * float(terms.weight), dtype=torch.float64)
        every = replace(terms, keep=keep, weight=weights, variation=torch.zeros_like(weights))
        return Descent(method, system, y, every, own, noise, told)

    alone = descent(0.0)
    alone.search(_FIRST * unit, _LAST * unit, None)
    beside = descent(share)
    beside.search(FACTOR**_ABOVE * alone.best.total_variation, _LAST * unit, alone.state)
    assert alone.state is not None, "a best strength has a state"
    return Path((*beside.trials, *alone.trials), alone.state.of_all_data())


def state_from_above(method: PrimalDual, terms: Terms, *, unit: float) -> State | None:
    """Where to begin: from larger total variations, which carry far into the gaps where little is measured.

    Args:
        method: The solver.
        terms: One problem.
        unit: As of `try_variations`.
    """
    state, strength, own = None, _FIRST * unit, float(terms.variation)
    while strength > max(own, _LAST * unit):
        terms = terms.with_variation(torch.full_like(terms.variation, strength))
        most = COLD if state is None else WARM
        state = method.solve(terms, start=state, tolerance=TOLERANCE, iterations=most)
        strength /= FACTOR
    return state
