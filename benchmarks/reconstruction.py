"""Reconstruction without ground truth: kernel, total variation and bounds, chosen from the measurements.

From the runs of `reconstruction_runs`: pictures of four kinds at 128 x 128 or as a row says, measured on a grid twice as fine, with noise of 1 and
5 % of the data's deviation; each row says of how many pictures. CT: 15, 30 or 60 views. MRI: an eighth of k-space at random places around the middle (random), or a quarter of
its columns (lines), seen by 1 or 8 coils. Pictures: half of the pixels missing (half), squares of 12 x 12 missing (blocks), or
twice as few pixels with a blur (factor).

*Chosen* is what `ntkit.reconstruct` takes: the kernel, its weight and the noise by marginal likelihood, the strength of total
variation by data held out; of a single coil total variation alone. *Total variation alone* is
the strongest simple rival: the same solver, the same bounds, the same folds and the same rule without the kernel. *Oracle* is the
best of all that was tried, by the truth. *Usual* is filtered back-projection with its best window (by the truth), zero filling,
the nearest known pixel, or bicubic.

The truth is the mean of the fine picture over each pixel. All of k-space without noise shows another picture, with ripples at edges:
that of Shepp and Logan is 37 dB from the truth. What foretells held-out data best is near to that picture, and a stronger total
variation, which takes the ripples off, nearer to the truth: so much of what MRI loses against the oracle no choice from
the data can know. A row says what is lost where the truth is what all of k-space shows.

Of CT the largest loss, Shepp and Logan's from 60 views, has a like reason: data of the fine grid are 1.9 times the noise away from
those of the true picture on the coarse one, and a picture that follows them too closely foretells them better.

Two thirds of the data hold less noise than all of them. So the strength that is best beside them is taken times the root of 3/2, and at
last one between the best and its neighbours is tried. Without both, 85 of these cases lost 0.25 dB in the mean: CT 0.23, at worst 1.9, and
MRI 0.39, at worst 2.0.

Of one coil the kernel is left out: held-out data choose too much of it (0.8 dB lost on a brain slice at random places, 1 %). Other scores
were tried there in 12 cases of a phantom, a brain slice and a head at 96 x 96: the mean square in place of the robust error, either
weighted by the inverse density of the samples, and single samples held out in place of lines. They lose 0.24 to 0.64 dB in the mean,
the score that stands 0.18; at worst 1.1 to 2.7 dB, and 1.6. The strength that was fixed before lost 0.71, at worst 2.1.

Seconds are those of the processor, one thread, beside other work.
"""

from collections.abc import Callable, Sequence
from itertools import product
from statistics import mean
from typing import NamedTuple

from benchmarks.kept import Entry
from benchmarks.reconstruction_items import KINDS, kind_of
from benchmarks.reconstruction_runs import read
from benchmarks.reconstruction_scans import SETTINGS
from benchmarks.report import Row
from ntkit.reconstruction.choice import Path
from ntkit.reconstruction.reconstruction_problem import SHARE
from ntkit.reconstruction.result import Trial

SIZES = (128, 256)
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
    seconds: float | None
    setting: str
    lost_by_data: float | None
    size: int


def case_of(key: str, entry: Entry) -> Case:
    _, name, size, setting, noise, _ = key.split("|")
    trials = [t for t in entry["trials"] if t[0] in {SHARE, 0.0}]
    quality = {(t[0], t[1]): t[2] for t in trials if t[2] is not None}
    complete = {(t[0], t[1]): t[6] for t in trials if len(t) > 6 and t[6] is not None}
    path = Path(tuple(Trial(t[0], t[1], t[4], t[5], t[3]) for t in trials))
    chosen, alone = path.chosen(), path.best(0.0)
    at = chosen.share, chosen.total_variation
    return Case(
        name,
        float(noise),
        quality[at],
        quality[0.0, alone.total_variation],
        max(quality.values()),
        entry["kernel"],
        entry["usual"],
        entry["seconds"] if len(trials) == len(entry["trials"]) else None,
        setting,
        max(complete.values()) - complete[at] if complete else None,
        int(size),
    )


def cases(measured: str, setting: str, size: int = SIZES[0]) -> list[Case]:
    asked = [str(size), setting]
    keys = {k: e for k, e in read().items() if k.split("|")[2:4] == asked}
    return [case_of(key, entry) for key, entry in keys.items() if key.startswith(f"{measured}|")]


def measure() -> list[Row]:
    rows: list[Row] = []
    whole: list[Case] = []
    for measured, settings in SETTINGS.items():
        every: list[Case] = []
        for setting, size in product(settings, SIZES):
            found = [c for c in cases(measured, setting, size) if c.noise > 0]
            every += found
            what = f"{WORDS[measured]}, {setting}{' views' if measured == 'ct' else ''}"
            if size != SIZES[0]:
                what += f", {size} x {size}"
            for noise in sorted({c.noise for c in found}):
                for kind in KINDS:
                    own = [c for c in found if kind_of(c.name) == kind and c.noise == noise]
                    if own:
                        rows += of_kind(f"{what}, noise {100 * noise:g} %, {kind}", measured, own)
        if every:
            rows += _over_all(measured, every)
            whole += every
    name = f"all {len(whole)} cases with noise: lost against the oracle, mean"
    return [*rows, Row(name, mean(c.oracle - c.chosen for c in whole), "dB", at_most=0.3)]


def of_kind(what: str, measured: str, own: Sequence[Case]) -> list[Row]:
    """What a kind of picture gives at one noise, beside its rivals."""
    items = len({c.name for c in own})
    count = f"{items} picture{'s' * (items > 1)}, {len(own)} case{'s' * (len(own) > 1)}"

    def average(of: Callable[[Case], float]) -> float:
        return mean(map(of, own))

    is_brain = kind_of(own[0].name) == "brain"
    least = 1.2 if is_brain and (measured, own[0].setting) == ("ct", "30") else -0.2
    return [
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


def _over_all(measured: str, found: Sequence[Case]) -> list[Row]:
    what = WORDS[measured]
    lost = {c: c.oracle - c.chosen for c in found}
    worst = max(lost, key=lambda c: lost[c])
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
    ]
    seconds = [c.seconds for c in found if c.seconds is not None and c.size == SIZES[0]]
    if seconds:
        side = SIZES[0]
        name = f"{what}, seconds of a choice at {side} x {side}, one thread, mean of {len(seconds)} cases"
        rows.append(Row(name, mean(seconds), "s"))
    by_data = [c.lost_by_data for c in found if c.lost_by_data is not None]
    if by_data:
        name = f"{what}, lost where the truth is what all of k-space shows, {len(by_data)} cases"
        rows.insert(2, Row(f"{name}: mean", mean(by_data), "dB", at_most=0.3))
        rows.insert(3, Row(f"{name}: worst", max(by_data), "dB", at_most=1.2))
    if measured == "ct":
        rows += _above_back_projection([c for c in found if (c.noise, c.setting) == (0.01, "30")])
    return rows


def _above_back_projection(found: Sequence[Case]) -> list[Row]:
    """Of each kind of picture the least, and what the best of the grid would be there."""
    rows = []
    for kind in KINDS:
        own = [c for c in found if kind_of(c.name) == kind]
        if own:
            least = min(own, key=lambda c: c.chosen - c.usual)
            name = f"CT, 30 views, noise 1 %, above filtered back-projection, {kind}, least ({least.name})"
            rows += [
                Row(name, least.chosen - least.usual, "dB", at_least=5),
                Row(f"{name}: by the oracle", least.oracle - least.usual, "dB"),
            ]
    return rows
