"""Regrets of chosen bandwidths over several seeds, and what a whole grid search of another seed regrets."""

from collections.abc import Callable, Sequence
from itertools import permutations
from statistics import mean
from typing import Any

from benchmarks.reference_ensembles import PATH
from benchmarks.reference_grids import BANDWIDTHS, Entry, read
from benchmarks.report import Row

Key = tuple[str, int]
Value = Callable[[Entry, int], float | None]


def rows(
    group: str,
    names: Sequence[str],
    budgets: Sequence[int],
    measures: dict[str, tuple[str, Value]],
    asked: dict[str, Any],
    targets: dict[str, tuple[float, float]],
) -> list[Row]:
    """Rows over signals: each regret is the mean over the seeds, each seed with a best of its own.

    Args:
        group: What the signals are called.
        names: The signals.
        budgets: Steps.
        measures: Goal, and PSNR of an entry after so many steps.
        asked: Choices, by `signal|goal|steps`.
        targets: Mean and worst regret promised, of a measure.
    """
    reference = read(PATH)
    keys = [(n, steps) for n in names if n in reference for steps in budgets]
    found = []
    for name, (goal, value) in measures.items():
        own, fixed, other = [], [], []
        for signal, steps in keys:
            curves = [
                {b: _found(value(entry, steps)) for b, entry in by_seed.items()}
                for by_seed in _by_seed(reference[signal])
            ]
            choice = asked[f"{signal}|{goal}|{steps}"]["choice"]
            own.append(mean(_regret(curve, choice) for curve in curves))
            fixed.append([mean(_regret(curve, b) for curve in curves) for b in BANDWIDTHS])
            other.append(
                mean(_regret(a, max(b, key=lambda k: b[k])) for a, b in permutations(curves, 2))
            )
        constant = [mean(column) for column in zip(*fixed, strict=True)]
        best = min(range(len(BANDWIDTHS)), key=lambda i: constant[i])
        least = [min(row) for row in fixed]
        low, high = targets.get(name, (None, None))
        what = f"{name}, {group} ({len(keys)} cases)"
        found += [
            Row(f"{what}: mean regret", mean(own), "dB", low),
            Row(f"{what}: worst regret", max(own), "dB", high),
            Row(
                f"{what}: mean regret over the best constant's",
                mean(own) / constant[best],
                "",
                None if low is None else 0.5,
            ),
            Row(f"{what}: best constant ({BANDWIDTHS[best]}), mean", constant[best], "dB"),
            Row(f"{what}: best bandwidth of each case in hindsight, mean", mean(least), "dB"),
            Row(f"{what}: best bandwidth of each case in hindsight, worst", max(least), "dB"),
            Row(f"{what}: a grid search of another seed, mean", mean(other), "dB"),
            Row(f"{what}: a grid search of another seed, worst", max(other), "dB"),
        ]
    return found


def _by_seed(runs: dict[int, Entry]) -> list[dict[int, Entry]]:
    """Entries as `reference_grids` has them, for each seed."""
    seeds = range(len(next(iter(runs[BANDWIDTHS[0]]["psnr"].values()))))
    return [
        {
            b: {
                kind: {step: table[seed] for step, table in entry[kind].items()}
                for kind in ("psnr", "averaged")
            }
            for b, entry in runs.items()
        }
        for seed in seeds
    ]


def _found(psnr: float | None) -> float:
    assert psnr is not None
    return psnr


def _regret(curve: dict[int, float], bandwidth: int) -> float:
    return max(curve.values()) - curve[bandwidth]
