"""The recommended bandwidth against the best of ten, each trained in full.

A 4 x 256 ReLU network on 256 Gaussian frequencies; Adam 1e-3; minibatches of 4,096; 300 and 2,000
steps; bandwidths 1, 2, 4, 7, 10, 14, 20, 30, 45, 60. The reference trainings are those of
`results/reference_grids.json` (`python -m benchmarks.reference_grids`), FreSh's choices those of
`results/fresh.json` (`python -m benchmarks.fresh`). The regret of a bandwidth is the best PSNR of the
grid less its own, both as trained (one seed): on held-out samples for the goal "generalise", on the
training samples for "fit". The "best constant" is the single bandwidth with the least mean regret over
the same signals and budgets, in hindsight.

Where not all ten bandwidths of a signal are trained yet (but six at least), its regrets are over those
that are: so at least that much. Such signals are marked in the tables by signal, and count only in
the rows "with partial grids", where constants are those trained for all; a choice that is itself not
trained has no regret, and is counted.

There are more measures, most of them for "fit". "8-bit": with the mean square error of 8-bit rounding,
1/(12 * 255^2), added to each error, since PSNRs of 60 to 150 dB are beyond what a photo holds.
"Settled": with the median of the batch losses over the last tenth of the steps, since the last step of
Adam at a constant rate is noisy by several dB; only over signals whose ten runs all recorded it.
"Averaged": with the weights that `train(..., average=True)` leaves, as `ntkit tune` does: their running
average over about the last tenth of the steps, where that fits the training samples better than the last
step. How much of the raw regret is that noise: the rows of the "best settled" say what somebody would
lose as trained who knew, of each signal and budget, the bandwidth that is best when settled.

One seed is one draw: the best of ten noisy runs is in part luck. So the same regrets stand in the table
over four seeds of every run (`results/reference_ensembles.json`, `python -m benchmarks.reference_ensembles`,
on a GPU): each seed with its own best bandwidth, and the mean of the seeds for a case. "A grid search of
another seed" is what somebody loses who trains all ten bandwidths in full from one seed and takes the best of
them with another; "the best bandwidth of each case in hindsight" is the least that a single bandwidth loses
over the seeds: no choice does better. "Others" are 15 signals beside the list, from two seeds. The settings of the
choice (scale, pieces, how many bandwidths are modelled, what models count, which of equals is taken) were chosen
among some forty by the regrets with averaged weights over all 31 signals, of models of other seeds than those that
are asked here: no signal is unseen, and the choice of settings flatters all. "Unseen" are six of the others that
nothing else was fitted to (of two, 128 x 128 versions were).

The promises stand at "as trained" by the last step of Adam, and over seeds also at "as trained" by `ntkit tune`: with
averaged weights, and 8-bit rounding to fit.

The electrocardiogram stands beside the list (which asks for an elevation map or an ECG; the elevation
map counts): it is in the tables by signal, and in no summary. The time of a choice is that of
`ntkit.tune` in CPU seconds of one core; the time of the grid search of ten trainings is counted from twelve of
their steps, timed right after each choice: machines differ from day to day. One short choice is made before all (the
first of a process takes a second more, in which torch loads what any training needs). Beside it stand the seconds
recorded when the grids were made (wall clock, of machines that trained other signals besides), which FreSh's time
is over. The tables by signal are in `bandwidth_choice_signals.md`, with predicted
curves in `bandwidth_choice_signals.json`; choices in there are not asked for again while the library
below its command line is unchanged (delete the file to time them afresh).
"""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import isnan, log10, nan
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch

import ntkit
from benchmarks import choice_seeds, fresh
from benchmarks.reference_grids import BANDWIDTHS, Entry, read
from benchmarks.report import RESULTS, Row
from benchmarks.signals import BESIDE, LISTED, OTHERS, UNSEEN, load_all
from ntkit.encodings import Gaussian
from ntkit.networks import mlp
from ntkit.tasks import Budget, Signal, train

GOALS = ("generalise", "fit")
STEPS = (300, 2000)
TARGETS = {"generalise": (0.2, 0.6), "fit": (0.5, 1.2)}
"""Mean and worst regret promised, dB."""

AS_TUNED = {"generalise, averaged": TARGETS["generalise"], "fit, averaged, 8-bit": TARGETS["fit"]}
"""The same, of what `ntkit tune` trains."""

SEEDS = ("generalise", "fit", "fit, 8-bit", "generalise, averaged", "fit, averaged, 8-bit")
"""Measures that are taken over seeds."""

PATH = RESULTS / "bandwidth_choice_signals.json"
_ENOUGH = 6  # bandwidths of a partial grid
_NOT_ASKED = {"cli", "experiments", "estimators", "studio"}

Curve = dict[int, float]
Key = tuple[str, int]


def _eight_bit(psnr: float) -> float:
    return -10 * log10(10 ** (-psnr / 10) + 1 / (12 * 255**2))


def _settled(entry: Entry, steps: int) -> float | None:
    return entry.get(f"window{steps}")


def _averaged(entry: Entry, steps: int, place: int) -> float | None:
    return entry["averaged"][str(steps)][place] if "averaged" in entry else None


MEASURES: dict[str, tuple[str, Callable[[Entry, int], float | None]]] = {
    "generalise": ("generalise", lambda e, s: e["psnr"][str(s)][1]),
    "fit": ("fit", lambda e, s: e["psnr"][str(s)][0]),
    "fit, 8-bit": ("fit", lambda e, s: _eight_bit(e["psnr"][str(s)][0])),
    "generalise, averaged": ("generalise", lambda e, s: _averaged(e, s, 1)),
    "fit, averaged": ("fit", lambda e, s: _averaged(e, s, 0)),
    "fit, averaged, 8-bit": (
        "fit",
        lambda e, s: None if (w := _averaged(e, s, 0)) is None else _eight_bit(w),
    ),
    "fit, settled": ("fit", _settled),
    "fit, settled, 8-bit": (
        "fit",
        lambda e, s: None if (w := _settled(e, s)) is None else _eight_bit(w),
    ),
}
"""Goal, and PSNR of a reference run after so many steps, if recorded."""


@dataclass(frozen=True)
class Regrets:
    """Regret of every bandwidth for each signal and budget, under one measure.

    Attributes:
        goal: What was asked of `ntkit.tune`.
        curves: PSNR by bandwidth, by signal and steps.
    """

    goal: str
    curves: dict[Key, Curve]

    def of(self, key: Key, bandwidth: float) -> float:
        """The regret, NaN if that bandwidth is not trained."""
        curve = self.curves[key]
        return max(curve.values()) - curve.get(int(bandwidth), nan)

    def constant(self, keys: Sequence[Key]) -> int:
        """The single bandwidth, of those trained for all, with the least mean regret."""
        trained = [b for b in BANDWIDTHS if all(b in self.curves[k] for k in keys)]
        return min(trained, key=lambda b: mean(self.of(k, b) for k in keys))

    def keys(self, budgets: Sequence[int], *, partial: bool) -> list[Key]:
        """Listed signals and budgets with a full grid, or also those with a partial one."""
        keys = [k for k in self.curves if k[0] in LISTED and k[1] in budgets]
        return [k for k in keys if partial or len(self.curves[k]) == len(BANDWIDTHS)]


def regrets(measure: str, reference: dict[str, dict[int, Entry]]) -> Regrets:
    goal, value = MEASURES[measure]
    curves = {}
    for name, runs in reference.items():
        for steps in STEPS:
            found = {b: value(runs[b], steps) for b in BANDWIDTHS if b in runs}
            curve = {b: psnr for b, psnr in found.items() if psnr is not None}
            if len(curve) >= _ENOUGH:
                curves[name, steps] = curve
    return Regrets(goal, curves)


def source() -> str:
    """Of the library's source below its command line: choices of another are asked for again."""
    root = Path(ntkit.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        if file.relative_to(root).parts[0] not in _NOT_ASKED:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def seconds_a_step(signal: Signal) -> float:
    """CPU seconds of a step of a training of the grid search, once it is under way: the median of twelve."""
    generator = torch.Generator().manual_seed(0)
    encoding = Gaussian(len(signal.shape), 256, 10.0, generator)
    network = mlp(encoding, signal.n_outputs, width=256, depth=4, generator=generator)
    stamps: list[float] = []
    train(
        network,
        signal,
        Budget("adam", 1e-3, 20, 4096),
        evaluate_at=(),
        generator=generator,
        on_step=lambda *_: stamps.append(time.process_time()),
    )
    return median(b - a for a, b in pairwise(stamps[-13:]))


def ask(signal: Signal, goal: str, steps: int) -> dict[str, Any]:
    """What `ntkit.tune` chooses, what it predicts, the time it takes, and that of a step of training."""
    start = time.process_time()
    result = ntkit.tune(
        signal, goal=goal, steps=steps, encodings=("gaussian",), bandwidths=BANDWIDTHS
    )
    took = time.process_time() - start
    found = {row.candidate.bandwidth: row.at(steps) for row in result.table}
    return {
        "choice": int(result.bandwidth or 0),
        "flat_range": result.flat_range,
        "speed": round(result.clock.speed, 3) if result.clock else None,
        "cpu_seconds": round(took, 2),
        "step_seconds": round(seconds_a_step(signal), 4),
        "predicted_train": {str(int(b or 0)): round(p.train, 2) for b, p in found.items()},
        "predicted_held_out": {str(int(b or 0)): round(p.held_out, 2) for b, p in found.items()},
    }


def choices(signals: dict[str, Signal]) -> dict[str, dict[str, Any]]:
    """By `signal|goal|steps`: from `PATH` where the library has not changed, else asked for."""
    recorded = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    now = source()
    known = recorded.get("choices", {}) if recorded.get("source") == now else {}
    warm = len(known) == len(signals) * len(GOALS) * len(STEPS)
    for name, signal in signals.items():
        for goal in GOALS:
            for steps in STEPS:
                key = f"{name}|{goal}|{steps}"
                if key not in known:
                    if not warm:  # what torch loads at its first optimiser, as any training does
                        ask(signal, goal, 20)
                        warm = True
                    known[key] = ask(signal, goal, steps)
                    _keep(now, known)
    return known


def _keep(now: str, known: dict[str, Any]) -> None:
    lines = [f"{json.dumps(key)}: {json.dumps(known[key])}" for key in sorted(known)]
    text = f'{{"source": "{now}",\n"choices": {{\n' + ",\n".join(lines) + "\n}}\n"
    PATH.write_text(text, encoding="utf-8")


def measure() -> list[Row]:
    reference = {n: r for n, r in read().items() if n in (*LISTED, *BESIDE)}
    missing = {n: [b for b in BANDWIDTHS if b not in reference.get(n, {})] for n in LISTED}
    missing = {name: bandwidths for name, bandwidths in missing.items() if bandwidths}
    for name, bandwidths in missing.items():
        print(f"{name}: no reference yet at bandwidths {', '.join(map(str, bandwidths))}.")
    names = [n for n in (*LISTED, *BESIDE) if len(reference.get(n, {})) >= _ENOUGH]
    signals = load_all(names)
    others = load_all(OTHERS)
    asked = choices({**signals, **others})
    nearest = json.loads(fresh.PATH.read_text(encoding="utf-8")) if fresh.PATH.exists() else {}
    reference = {n: reference[n] for n in signals}
    tables = {m: regrets(m, reference) for m in MEASURES}
    rows = [
        Row(
            "signals of the list with a full reference",
            sum(n in LISTED and n not in missing for n in signals),
            "",
            None,
            len(LISTED),
        )
    ]
    for name, regret in tables.items():
        rows += _summary(name, regret, asked, nearest)
    for name in (*TARGETS, *(name for name in tables if "averaged" in name)):
        rows += _summary(name, tables[name], asked, nearest, partial=True)
    over = {m: MEASURES[m] for m in SEEDS}
    for group, members, held_to in (
        ("four seeds", [n for n in signals if n in LISTED], {**TARGETS, **AS_TUNED}),
        ("others", list(others), {}),
        ("unseen", [n for n in others if n in UNSEEN], {}),
    ):
        rows += choice_seeds.rows(group, members, STEPS, over, asked, held_to)
    rows += _noise(tables["fit"], tables["fit, settled"])
    rows += _times(reference, asked, nearest)
    _by_signal(tables, asked, nearest, missing)
    return rows


@dataclass(frozen=True)
class Summary:
    """Regrets over the list under one measure: of the choice, the best constant, FreSh's rule."""

    n_cases: int
    chosen: list[float]
    constant: int
    fixed: list[float]
    fresh: list[float]

    @property
    def ratio(self) -> float:
        return mean(self.chosen) / mean(self.fixed)

    @property
    def cases(self) -> str:
        """How many, and how many choices among them are not trained."""
        lost = self.n_cases - len(self.chosen)
        return f"{self.n_cases} cases" + (f", {lost} choices not trained" if lost else "")


def summarise(
    regret: Regrets,
    budgets: Sequence[int],
    asked: dict[str, Any],
    nearest: dict[str, Any],
    *,
    partial: bool = False,
) -> Summary | None:
    """Over the listed signals and `budgets`; None where nothing was recorded."""
    keys = regret.keys(budgets, partial=partial)
    if not keys:
        return None
    constant = regret.constant(keys)
    chosen = [regret.of(k, asked[f"{k[0]}|{regret.goal}|{k[1]}"]["choice"]) for k in keys]
    other = [regret.of(k, nearest[k[0]]["choice"]) for k in keys if k[0] in nearest]
    return Summary(
        n_cases=len(keys),
        chosen=[r for r in chosen if not isnan(r)],
        constant=constant,
        fixed=[regret.of(k, constant) for k in keys],
        fresh=[r for r in other if not isnan(r)],
    )


def _summary(
    name: str,
    regret: Regrets,
    asked: dict[str, Any],
    nearest: dict[str, Any],
    *,
    partial: bool = False,
) -> list[Row]:
    """Rows over all signals and budgets; the budgets apart are in the other file."""
    found = summarise(regret, STEPS, asked, nearest, partial=partial)
    if found is None or (partial and found.n_cases == len(regret.keys(STEPS, partial=False))):
        return []
    low, high = (None, None) if partial else TARGETS.get(name, (None, None))
    half = None if low is None else 0.5
    what = f"{name}{', with partial grids' if partial else ''} ({found.cases})"
    rows = [
        Row(f"{what}: mean regret", mean(found.chosen), "dB", low),
        Row(f"{what}: worst regret", max(found.chosen), "dB", high),
        Row(f"{what}: mean regret over the best constant's", found.ratio, "", half),
        Row(f"{what}: best constant ({found.constant}), mean", mean(found.fixed), "dB"),
        Row(f"{what}: best constant ({found.constant}), worst", max(found.fixed), "dB"),
    ]
    if found.fresh:
        rows.append(Row(f"{what}: FreSh, mean", mean(found.fresh), "dB"))
        rows.append(Row(f"{what}: FreSh, worst", max(found.fresh), "dB"))
    return rows


def _noise(raw: Regrets, settled: Regrets) -> list[Row]:
    """What the last step alone costs somebody who chooses with the reference in hand."""
    keys = settled.keys(STEPS, partial=False)
    if not keys:
        return []
    lost = []
    for key in keys:
        curve = settled.curves[key]
        lost.append(raw.of(key, max(curve, key=lambda b: curve[b])))
    what = f"fit, best settled ({len(keys)} cases)"
    return [
        Row(f"{what}: mean regret as trained", mean(lost), "dB"),
        Row(f"{what}: worst regret as trained", max(lost), "dB"),
    ]


def _times(
    reference: dict[str, dict[int, Entry]], asked: dict[str, Any], nearest: dict[str, Any]
) -> list[Row]:
    """Time of a choice over that of the grid search, over the list and at worst."""
    rows = []
    listed = [n for n in reference if n in LISTED and len(reference[n]) == len(BANDWIDTHS)]
    for steps in STEPS if listed else ():
        cases = [(n, asked[f"{n}|{goal}|{steps}"]) for n in listed for goal in GOALS]
        recorded = {n: sum(e["seconds"] for e in reference[n].values()) / 20_000 for n in listed}
        timed = [(c["cpu_seconds"], 10 * steps * c["step_seconds"]) for _, c in cases]
        before = [(c["cpu_seconds"], 10 * steps * recorded[n]) for n, c in cases]
        for word, seconds, promise in (
            ("", timed, 1 / 50),
            (", as recorded when it was made", before, None),
        ):
            what = f"time of the choice over the grid search{word}, {steps} steps"
            total = sum(s for s, _ in seconds) / sum(g for _, g in seconds)
            rows.append(Row(f"{what}: all", total, "", promise))
            rows.append(Row(f"{what}: worst", max(s / g for s, g in seconds), "", promise))
        rows.append(
            Row(f"choice, {steps} steps: mean time", mean(c["cpu_seconds"] for _, c in cases), "s")
        )
        if all(n in nearest for n in listed):
            grid = sum(10 * steps * recorded[n] for n in listed)
            ratio = sum(nearest[n]["cpu_seconds"] for n in listed) / grid
            rows.append(Row(f"FreSh's time over the grid search, {steps} steps: all", ratio))
    return rows


def _by_signal(
    tables: dict[str, Regrets],
    asked: dict[str, Any],
    nearest: dict[str, Any],
    missing: dict[str, list[int]],
) -> None:
    """`bandwidth_choice_signals.md`: a table for each measure and budget."""
    lines = ["# bandwidth_choice, signal by signal", "", "Regrets in dB, each as trained; see"]
    lines += ["[bandwidth_choice](bandwidth_choice.md) for what is measured.", ""]
    for name, bandwidths in missing.items():
        lines.append(f"- {name}: no reference yet at {', '.join(map(str, bandwidths))}.")
    lines += ["", "## Summaries", "", "Mean / worst over the list, dB.", ""]
    lines += ["| measure | steps | cases | chosen | best constant | chosen over constant | FreSh |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, regret in tables.items():
        for budgets, partial in product((STEPS, *((s,) for s in STEPS)), (False, True)):
            found = summarise(regret, budgets, asked, nearest, partial=partial)
            if found is None or (partial and not missing):
                continue
            what = name + (", with partial grids" if partial else "")
            cells = [what, " and ".join(map(str, budgets)), found.cases, _both(found.chosen)]
            cells += [f"{found.constant}: {_both(found.fixed)}", f"{found.ratio:.2f}"]
            cells.append(_both(found.fresh) if found.fresh else "")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    for name, regret in tables.items():
        for steps in STEPS:
            keys = [k for k in regret.curves if k[1] == steps]
            listed = regret.keys((steps,), partial=False)
            if not listed:
                continue
            constant = regret.constant(listed)
            lines += ["", f"## {name}, {steps} steps", ""]
            lines += [
                f"| signal | best | PSNR | chosen | regret | FreSh | regret | regret of {constant} |"
            ]
            lines += ["|---|---|---|---|---|---|---|---|"]
            for key in keys:
                curve = regret.curves[key]
                best = max(curve, key=lambda b: curve[b])
                choice = asked[f"{key[0]}|{regret.goal}|{steps}"]["choice"]
                other = nearest.get(key[0], {}).get("choice")
                notes = ["beside the list"] if key[0] in BESIDE else []
                notes += [f"{len(curve)} of {len(BANDWIDTHS)} trained"] * (key[0] in missing)
                cells = [key[0] + (f" ({', '.join(notes)})" if notes else ""), best]
                cells += [f"{curve[best]:.2f}", choice, _one(regret.of(key, choice))]
                cells += ["", ""] if other is None else [other, _one(regret.of(key, other))]
                cells.append(_one(regret.of(key, constant)))
                lines.append("| " + " | ".join(map(str, cells)) + " |")
    text = "\n".join([*lines, ""])
    (RESULTS / "bandwidth_choice_signals.md").write_text(text, encoding="utf-8")


def _one(regret: float) -> str:
    return "not trained" if isnan(regret) else f"{regret:.2f}"


def _both(regret: Sequence[float]) -> str:
    return f"{mean(regret):.2f} / {max(regret):.2f}"
