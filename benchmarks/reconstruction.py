"""Reconstruction of sparse-view CT without ground truth: kernel, total variation and bounds, chosen from the measurements.

From the runs of `reconstruction_runs`: pictures of four kinds, measured on a grid twice as fine, 30 views, noise of 1 and 5 % of
the data's deviation. *chosen* is what `ntkit.reconstruct` takes: the kernel, its weight and the noise by marginal likelihood, the
strength of total variation by held-out views. *total variation alone* is the strongest simple rival: the same solver, the same
bounds, the same folds and the same rule without the kernel. *oracle* is the best of all that was tried, by the truth.
Filtered back-projection has its best window, by the truth too.
"""

from collections.abc import Callable
from statistics import mean
from typing import NamedTuple

from benchmarks.kept import Entry
from benchmarks.reconstruction_items import KINDS, kind_of
from benchmarks.reconstruction_runs import read
from benchmarks.report import Row
from ntkit.reconstruction.choice import Path
from ntkit.reconstruction.result import Trial


class Case(NamedTuple):
    """One reconstruction, in dB."""

    name: str
    kind: str
    noise: float
    draw: str
    chosen: float
    variation: float
    oracle: float
    kernel: float
    back_projected: float
    seconds: float


def case_of(key: str, entry: Entry) -> Case:
    _, name, _, _, noise, draw = key.split("|")
    quality = {(share, b): value for share, b, value, *_ in entry["trials"]}
    path = Path(tuple(Trial(t[0], t[1], t[4], t[5], t[3]) for t in entry["trials"]))
    chosen, alone = path.chosen(), path.best(0.0)
    return Case(
        name,
        kind_of(name),
        float(noise),
        draw,
        quality[chosen.share, chosen.total_variation],
        quality[0.0, alone.total_variation],
        max(quality.values()),
        entry["kernel"],
        entry["fbp"],
        entry["seconds"],
    )


def cases(size: int, views: int) -> list[Case]:
    return [
        case_of(key, entry)
        for key, entry in read().items()
        if key.split("|")[2:4] == [str(size), str(views)]
    ]


def measure() -> list[Row]:
    rows: list[Row] = []
    found = cases(128, 30)
    for noise in sorted({c.noise for c in found}):
        for kind in KINDS:
            own = [c for c in found if c.kind == kind and c.noise == noise]
            if own:
                rows += _of_kind(kind, noise, own)
    if found:
        rows += _over_all(found)
    return rows


def _of_kind(kind: str, noise: float, own: list[Case]) -> list[Row]:
    """What a kind of picture gives at one noise, beside its rivals."""
    items = len({c.name for c in own})
    what = (
        f"{kind}, noise {100 * noise:g} %, {items} of {len(KINDS[kind])} pictures, {len(own)} cases"
    )

    def average(of: Callable[[Case], float]) -> float:
        return mean(map(of, own))

    above = average(lambda c: c.chosen - c.variation)
    least = 1.2 if kind == "brain" else -0.2
    return [
        Row(f"{what}: chosen", average(lambda c: c.chosen), "dB"),
        Row(f"{what}: total variation alone", average(lambda c: c.variation), "dB"),
        Row(f"{what}: chosen above it", above, "dB", at_least=least),
        Row(f"{what}: kernel alone", average(lambda c: c.kernel), "dB"),
        Row(f"{what}: filtered back-projection", average(lambda c: c.back_projected), "dB"),
        Row(f"{what}: oracle of the grid", average(lambda c: c.oracle), "dB"),
    ]


def _over_all(found: list[Case]) -> list[Row]:
    lost = {c: c.oracle - c.chosen for c in found}
    worst = max(lost, key=lambda c: lost[c])
    quiet = {c: c.chosen - c.back_projected for c in found if c.noise == 0.01}
    rows = [
        Row(
            f"lost against the oracle, mean of {len(found)} cases",
            mean(lost.values()),
            "dB",
            at_most=0.3,
        ),
        Row(
            f"the same, worst ({worst.name}, noise {100 * worst.noise:g} %)",
            lost[worst],
            "dB",
            at_most=1.2,
        ),
        Row("seconds of a choice, one thread, mean", mean(c.seconds for c in found), "s"),
    ]
    if quiet:
        least = min(quiet, key=lambda c: quiet[c])
        name = f"above filtered back-projection at 1 %, least ({least.name})"
        rows.insert(2, Row(name, quiet[least], "dB", at_least=5))
    return rows
