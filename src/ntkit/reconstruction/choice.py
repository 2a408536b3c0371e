"""How much total variation: what each strength says of measurements that were held out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkit.reconstruction.primal_dual import PrimalDual, State, Terms
from ntkit.reconstruction.result import Trial
from ntkit.reconstruction.system import System

__all__ = ["Path", "folds_of", "try_variations"]

N_FOLDS = 3
_FACTOR = 1.8
_FIRST = 60.0
"""Of the strengths, times the kernel's weight and scale: above what is usually best; where it is not, larger ones follow."""

_LONGEST = 40
_RISES, _GAIN = 3, 0.005
"""After so many strengths that gain less than this on the score, smaller ones are left out."""


@dataclass(frozen=True, eq=False)
class Path:
    """What was tried, from the largest strength to none.

    Attributes:
        trials: One a kernel's weight and strength.
    """

    trials: tuple[Trial, ...]

    def best(self, *, kernel: bool) -> float:
        """The strength that foretells best what is held out, with the kernel or without."""
        own = [t for t in self.trials if t.kernel == kernel]
        return min(own, key=lambda t: t.score).total_variation


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
    unit: float,
    noise: float,
    say: Callable[[str], None],
) -> Path:
    """Solve for ever smaller total variations, with and without the kernel, on two folds of three; judge on the third.

    Args:
        method: The solver.
        system: The measurement.
        y: Data, weighted.
        terms: Of one problem on all data: its kernel's weight, mean and bounds.
        unit: Strengths are multiples of it: the kernel's weight times the field's scale.
        noise: Standard deviation of the noise, by marginal likelihood.
        say: Called with a line of text.

    Source: Barron 2019 (arXiv:1701.03077), eq. 5, for the error that is robust to few large ones.
    """
    folds = folds_of(system.group)
    weights = [float(terms.weight)] if terms.weight > 0 else []
    weights.append(0.0)
    keep = torch.stack([(folds != k).double() for _ in weights for k in range(N_FOLDS)])[:, None]
    every = Terms(
        keep,
        torch.tensor(weights, dtype=torch.float64).repeat_interleave(N_FOLDS),
        torch.zeros(len(keep), dtype=torch.float64),
        terms.spectrum,
        terms.mean,
        terms.bounds,
    )
    found: dict[float, list[Trial]] = {}

    def descend(strengths: Iterator[float]) -> None:
        state = None
        for strength in strengths:
            say(f"Held-out measurements: {len(found) + 1} strengths of total variation")
            state = _solved(method, every, strength, state)
            found[strength] = _judged(system, y, every, method.field(state, every), strength, noise)

    descend(_falling(found, _FIRST * unit))
    while len(found) < _LONGEST and _is_best_of(found, max(found)):
        descend(iter([_FACTOR**3 * max(found), _FACTOR**2 * max(found), _FACTOR * max(found)]))
    order = sorted(found, reverse=True)
    return Path(tuple(t for b in order for t in found[b]))


def _falling(found: dict[float, list[Trial]], first: float) -> Iterator[float]:
    """Ever smaller strengths until nothing is gained by them any more, and none at last."""
    strength = first
    while len(found) < _LONGEST and not _is_over(found):
        yield strength
        strength /= _FACTOR
    yield 0.0


def _errors(found: dict[float, list[Trial]]) -> list[list[float]]:
    """What was foretold how badly, from the largest strength on, with the kernel and without."""
    order = sorted(found, reverse=True)
    return [list(each) for each in zip(*([t.score for t in found[b]] for b in order), strict=True)]


def _is_over(found: dict[float, list[Trial]]) -> bool:
    """Whether the last strengths gained next to nothing on one before, with the kernel and without."""
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
    system: System, y: Tensor, terms: Terms, field: Tensor, strength: float, noise: float
) -> list[Trial]:
    """The trials of one strength, with the kernel and without."""
    weights = terms.weight[::N_FOLDS].tolist()
    square = (system.forward(field) - y.to(field)).square().sum(1).double() / len(y)
    out = 1 - terms.keep[:, 0]
    robust = torch.log1p(square / noise**2) * out
    square = square * out
    square, robust = (e.unflatten(0, (len(weights), N_FOLDS)).sum(1) for e in (square, robust))
    n_groups = int(system.group.max()) + 1
    sums = square.new_zeros(len(weights), n_groups).index_add(1, system.group, square)
    means = sums / torch.bincount(system.group, minlength=n_groups) / float(y.square().mean())
    of_all = square.mean(1) / float(y.square().mean())
    spread = means.std(1) / n_groups**0.5
    return [
        Trial(w > 0, strength, float(m.sqrt()), float(d / (2 * m.sqrt())), float(r))
        for w, m, d, r in zip(weights, of_all, spread, robust.mean(1), strict=True)
    ]
