"""Reconstruction without ground truth: kernel, total variation and bounds, chosen from the measurements.

From the runs of `reconstruction_runs`: pictures of four kinds at 128 x 128, measured on a grid twice as fine, with noise of 1 and
5 % of the data's deviation. CT: 30 views. MRI: an eighth of k-space at random places around the middle (random), or a quarter of
its columns (lines), seen by 1 or 8 coils. Pictures: half of the pixels missing (half), squares of 12 x 12 missing (blocks), or
twice as few pixels with a blur (factor).

*Chosen* is what `ntkit.reconstruct` takes: the kernel, its weight and the noise by marginal likelihood, the strength of total
variation by data held out; of a single coil, whose data tell nothing of each other, a usual strength. *Total variation alone* is
the strongest simple rival: the same solver, the same bounds, the same folds and the same rule without the kernel. *Oracle* is the
best of all that was tried, by the truth. *Usual* is filtered back-projection with its best window (by the truth), zero filling,
the nearest known pixel, or bicubic.
"""

from collections.abc import Callable, Sequence
from statistics import mean
from typing import NamedTuple

from benchmarks.kept import Entry
from benchmarks.reconstruction_items import KINDS, kind_of
from benchmarks.reconstruction_runs import read
from benchmarks.reconstruction_scans import SETTINGS
from benchmarks.report import Row
from ntkit.reconstruction.choice import Path
from ntkit.reconstruction.result import Trial

WORDS = {"ct": "CT", "mri": "MRI", "image": "pictures"}


class Case(NamedTuple):
    """One reconstruction, in dB."""

    name: str
    noise: float
    chosen: float
    variation: float
    oracle: float
    kernel: float
    usual: float
    seconds: float
    same_strength: float | None


def case_of(key: str, entry: Entry) -> Case:
    _, name, _, _, noise, _ = key.split("|")
    quality = {(share, b): value for share, b, value, *_ in entry["trials"] if value is not None}
    path = Path(tuple(Trial(t[0], t[1], t[4], t[5], t[3]) for t in entry["trials"]))
    chosen, alone = path.chosen(), path.best(0.0)
    blind: list[float] = entry.get("usual_strength", [])  # of a single coil
    return Case(
        name,
        float(noise),
        blind[0] if blind else quality[chosen.share, chosen.total_variation],
        quality[0.0, alone.total_variation],
        max(*quality.values(), *blind),
        entry["kernel"],
        entry["usual"],
        entry["seconds"],
        blind[1] if blind else None,
    )


def cases(measured: str, setting: str, size: int = 128) -> list[Case]:
    asked = [str(size), setting]
    keys = {k: e for k, e in read().items() if k.split("|")[2:4] == asked}
    return [case_of(key, entry) for key, entry in keys.items() if key.startswith(f"{measured}|")]


def measure() -> list[Row]:
    rows: list[Row] = []
    for measured, settings in SETTINGS.items():
        every: list[Case] = []
        for setting in settings:
            found = cases(measured, setting)
            every += found
            what = f"{WORDS[measured]}, {setting}{' views' if measured == 'ct' else ''}"
            for noise in sorted({c.noise for c in found}):
                for kind in KINDS:
                    own = [c for c in found if kind_of(c.name) == kind and c.noise == noise]
                    if own:
                        rows += _of_kind(f"{what}, noise {100 * noise:g} %, {kind}", measured, own)
        if every:
            rows += _over_all(measured, every)
    return rows


def _of_kind(what: str, measured: str, own: Sequence[Case]) -> list[Row]:
    """What a kind of picture gives at one noise, beside its rivals."""
    items = len({c.name for c in own})
    count = f"{items} picture{'s' * (items > 1)}, {len(own)} case{'s' * (len(own) > 1)}"

    def average(of: Callable[[Case], float]) -> float:
        return mean(map(of, own))

    is_brain = kind_of(own[0].name) == "brain"
    least = 1.2 if is_brain and measured == "ct" else -0.2
    rows = [
        Row(f"{what} ({count}): chosen", average(lambda c: c.chosen), "dB"),
        Row(f"{what}: total variation alone", average(lambda c: c.variation), "dB"),
        Row(
            f"{what}: chosen above it",
            average(lambda c: c.chosen - c.variation),
            "dB",
            at_least=least,
        ),
        Row(f"{what}: kernel alone", average(lambda c: c.kernel), "dB"),
        Row(f"{what}: usual", average(lambda c: c.usual), "dB"),
        Row(f"{what}: oracle of the grid", average(lambda c: c.oracle), "dB"),
    ]
    same = [c.chosen - c.same_strength for c in own if c.same_strength is not None]
    if same:
        name = f"{what}: chosen above total variation alone at the same strength"
        rows.insert(3, Row(name, mean(same), "dB", at_least=-0.2))
    return rows


def _over_all(measured: str, found: Sequence[Case]) -> list[Row]:
    what = WORDS[measured]
    lost = {c: c.oracle - c.chosen for c in found}
    worst = max(lost, key=lambda c: lost[c])
    quiet = {c: c.chosen - c.usual for c in found if c.noise == 0.01}
    rows = [
        Row(
            f"{what}, lost against the oracle, mean of {len(found)} cases",
            mean(lost.values()),
            "dB",
            at_most=0.3,
        ),
        Row(
            f"{what}, the same, worst ({worst.name}, noise {100 * worst.noise:g} %)",
            lost[worst],
            "dB",
            at_most=1.2,
        ),
        Row(f"{what}, seconds of a choice, one thread, mean", mean(c.seconds for c in found), "s"),
    ]
    if quiet and measured == "ct":
        least = min(quiet, key=lambda c: quiet[c])
        name = f"CT, above filtered back-projection at 1 %, least ({least.name})"
        rows.insert(2, Row(name, quiet[least], "dB", at_least=5))
    return rows
