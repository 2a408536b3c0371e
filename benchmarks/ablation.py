"""What each mechanism of the model of Adam, and each setting of the choice, is worth.

One at a time is changed, against stored trainings (`results/reference_ensembles.json`: means over seeds, averaged
weights). "Error" is the mean absolute error of the predicted PSNR over ten bandwidths, after 300 and 2,000 steps, the
mean square error of 8-bit rounding added to both. "Regret" is what the choice loses to the best of the ten, the mean
over the seeds; to fit, with 8-bit rounding. Scale models are of one seed.

Signals: small ones of the list and of the others, which the numbers were fitted to, and the six "unseen", which
nothing was fitted to (of two, 128 x 128 versions were). Neither was anything fitted to the "small networks": 64 units
and 64 frequencies, batches of 256, 2,000 steps, on three pictures, two volumes and two sounds
(`results/choice_runs.json`).

"Before" is the model with 0.07 of the noise of minibatches; each change to it finds the speed of the short run again.
"Now" has all of the noise. The choice "as it was" modelled four bandwidths to generalise, and six to fit, the best
three of them on twice as many pieces, and models counted 1/2 and 3/4; "as it is" five on all pieces, and 3/4.

Predictions and models are those of `results/ablation_cases.json` (`python -m benchmarks.ablation_runs`). What was
removed for what is found here stands there as it was; rules of choice are written out here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log, log10
from statistics import fmean

from benchmarks.ablation_runs import PATH
from benchmarks.bandwidth_choice import STEPS
from benchmarks.choice_runs import PATH as SMALL
from benchmarks.kept import read as kept
from benchmarks.reference_ensembles import PATH as TRAINED
from benchmarks.reference_grids import BANDWIDTHS, Entry, read
from benchmarks.report import Row
from benchmarks.signals import LISTED, SEEN, UNSEEN

GROUPS = {"list": LISTED, "others": SEEN, "unseen": UNSEEN}
KINDS, GOALS = ("held_out", "train"), ("generalise", "fit")
TARGETS = (0.09, 0.55)
"""Mean regrets promised, dB."""

Key = tuple[str, int]
_ROUNDING = 1 / (12 * 255**2)


@dataclass(frozen=True)
class Rule:
    """How a bandwidth is chosen from predictions and scale models; pairs are to generalise and to fit.

    Attributes:
        modelled: Bandwidths with models, of the best predictions.
        again: How many of these have models on the second half of the pieces too.
        say: What the models count.
        flat: Within so many dB of the best, bandwidths are as good.
        place: Which of those is taken: its way up from the smallest.
        pieces: Of the signal, each with models.
    """

    modelled: tuple[int, int] = (5, 5)
    again: tuple[int, int] = (5, 5)
    say: tuple[float, float] = (0.75, 0.75)
    flat: float = 0.3
    place: float = 0.25
    pieces: tuple[int, ...] = tuple(range(8))

    def choose(self, goal: int, predicted: Sequence[float], errors: list[list[float]]) -> int:
        """Place of the bandwidth among the ten.

        Args:
            goal: 0 to generalise, 1 to fit.
            predicted: PSNR of each bandwidth, dB.
            errors: Of the models of each bandwidth, piece by piece.
        """
        known = [_value(goal, p) for p in predicted]
        tried = _best(dict(enumerate(known)), self.modelled[goal])
        twice = self.again[goal] < self.modelled[goal]
        first = self.pieces[::2] if twice else self.pieces
        reached = {i: _psnr(fmean(errors[i][k] for k in first)) for i in tried}
        if twice:
            own = _best(self._scores(goal, known, reached), self.again[goal])
            whole = {i: _psnr(fmean(errors[i][k] for k in self.pieces)) for i in own}
            gain = fmean(whole[i] - reached[i] for i in own)
            reached = {i: whole.get(i, r + gain) for i, r in reached.items()}
        scores = self._scores(goal, known, reached)
        top = max(scores.values())
        near = {i: log(BANDWIDTHS[i]) for i, s in scores.items() if s >= top - self.flat}
        low, high = min(near.values()), max(near.values())
        wanted = low + (high - low) * self.place
        return min(near, key=lambda i: abs(near[i] - wanted))

    def _scores(
        self, goal: int, known: Sequence[float], reached: dict[int, float]
    ) -> dict[int, float]:
        found = {i: _value(goal, r) for i, r in reached.items()}
        shift = fmean(known[i] - r for i, r in found.items())
        say = self.say[goal]
        if say == 0:
            return dict(enumerate(known))
        return {i: (1 - say) * known[i] + say * (r + shift) for i, r in found.items()}


def _psnr(error: float) -> float:
    return -10 * log10(max(error, 1e-30))


def _value(goal: int, psnr: float) -> float:
    return _psnr(10 ** (-psnr / 10) + (_ROUNDING if goal else 0.0))


def _best(scores: dict[int, float], n: int) -> list[int]:
    return sorted(scores, key=lambda i: -scores[i])[:n]


RULE = Rule()
BEFORE = Rule(modelled=(4, 6), again=(4, 3), say=(0.5, 0.75))
RULES = {
    "no models": replace(RULE, say=(0.0, 0.0)),
    "models alone": replace(RULE, say=(1.0, 1.0)),
    "models count half": replace(RULE, say=(0.5, 0.5)),
    "models count half to generalise": replace(RULE, say=(0.5, 0.75)),
    "models count nine tenths": replace(RULE, say=(0.9, 0.9)),
    "as it was, models count three quarters": replace(BEFORE, say=(0.75, 0.75)),
    "as it was, all modelled on all pieces": replace(BEFORE, again=BEFORE.modelled),
    "four modelled": replace(RULE, modelled=(4, 4), again=(4, 4)),
    "six modelled": replace(RULE, modelled=(6, 6), again=(6, 6)),
    "four pieces": replace(RULE, pieces=(1, 3, 5, 7)),
    "the smallest of equals": replace(RULE, place=0.0),
    "the middle of equals": replace(RULE, place=0.5),
    "the best alone": replace(RULE, flat=0.0),
    "equal within 0.1 dB": replace(RULE, flat=0.1),
    "equal within 0.5 dB": replace(RULE, flat=0.5),
}


def curve(goal: int, runs: dict[int, Entry], steps: int, seed: int) -> list[float]:
    """Trained PSNR of the ten bandwidths, held out for goal 0, on the training samples for 1."""
    place = 1 - goal
    return [_value(goal, runs[b]["averaged"][str(steps)][seed][place]) for b in BANDWIDTHS]


def regret(goal: int, runs: dict[int, Entry], steps: int, choice: int) -> float:
    """Mean over the seeds, each with its own best."""
    seeds = range(len(runs[BANDWIDTHS[0]]["averaged"][str(steps)]))
    curves = [curve(goal, runs, steps, s) for s in seeds]
    return fmean(max(c) - c[choice] for c in curves)


def error(goal: int, runs: dict[int, Entry], steps: int, predicted: Sequence[float]) -> float:
    """Mean absolute error of the predictions, dB."""
    place = 1 - goal
    found = []
    for b, p in zip(BANDWIDTHS, predicted, strict=True):
        trained = fmean(pair[place] for pair in runs[b]["averaged"][str(steps)])
        found.append(abs(_value(1, p) - _value(1, trained)))
    return fmean(found)


def small_error(goal: int, name: str, entry: Entry, trained: dict[str, Entry]) -> float:
    """The same of a small network of `choice_runs`, one seed, over the bandwidths that were trained."""
    kind, found = KINDS[goal], []
    for candidate, predicted in zip(entry["tried"], entry[kind], strict=True):
        run = trained.get(f"reduced|{name.removeprefix('small ')}|{candidate}|0")
        if run is not None:
            found.append(abs(_value(1, predicted) - _value(1, run[kind])))
    return fmean(found)


def measure() -> list[Row]:
    cases, reference, trained = kept(PATH), read(TRAINED), kept(SMALL)
    changes = dict.fromkeys(k.split("|")[2] for k in cases if k.count("|") == 2)
    whole = {k.rsplit("|", 1)[0] for k in cases if k.endswith("|before, no alignment")}
    modelled = {k.split("|")[0] for k in cases if k.endswith("|models")}
    rows = []
    for group, names in GROUPS.items():
        keys = [(n, s) for n in names for s in STEPS if f"{n}|{s}" in whole]
        both = [k for k in keys if k[0] in modelled]
        for change in changes:
            if not all(f"{n}|{s}|{change}" in cases for n, s in keys):
                continue
            for goal, kind in enumerate(KINDS):
                found = [
                    error(goal, reference[n], s, cases[f"{n}|{s}|{change}"][kind]) for n, s in keys
                ]
                what = f"{group} ({len(keys)} cases), {change}: error, {KINDS[goal]} samples"
                rows.append(Row(what.replace("_", "-"), fmean(found), "dB"))
            for name, rule in {"as it is": RULE, "no models": RULES["no models"]}.items():
                what = f"{group} ({len(both)} cases), {change}, choice {name}"
                rows += _regrets(what, both, change, rule, cases, reference)
    small = [k.split("|")[0] for k in cases if k.startswith("small ") and k.endswith("|before")]
    for change in changes:
        own = {n: cases.get(f"{n}|2000|{change}") for n in small}
        for goal, kind in enumerate(KINDS):
            found = [small_error(goal, n, e, trained) for n, e in own.items() if e is not None]
            if found and len(found) == len(small):
                what = f"small networks ({len(small)} cases), {change}: error, {kind} samples"
                rows.append(Row(what.replace("_", "-"), fmean(found), "dB"))
    for group, names in (("all with models", sorted(modelled)), ("unseen", UNSEEN)):
        known = [n for n in names if n in modelled and f"{n}|{STEPS[0]}|before" in cases]
        keys = [(n, s) for n in known for s in STEPS]
        for name, rule in {"as it was": BEFORE, "as it is": RULE, **RULES}.items():
            what = f"{group} ({len(keys)} cases), choice {name}"
            rows += _regrets(what, keys, "before", rule, cases, reference)
    keys = [(n, s) for n in LISTED for s in STEPS if f"{n}|{s}|now" in cases and n in modelled]
    rows += _regrets(f"now, list ({len(keys)} cases)", keys, "now", RULE, cases, reference, TARGETS)
    return rows


def _regrets(
    what: str,
    keys: Sequence[Key],
    change: str,
    rule: Rule,
    cases: dict[str, Entry],
    reference: dict[str, dict[int, Entry]],
    targets: tuple[float | None, float | None] = (None, None),
) -> list[Row]:
    """Mean regrets to generalise and to fit."""
    rows = []
    for goal, (kind, target) in enumerate(zip(KINDS, targets, strict=True)):
        found = []
        for n, s in keys:
            models = [m[1 - goal] for m in cases[f"{n}|models"][str(s)]]
            choice = rule.choose(goal, cases[f"{n}|{s}|{change}"][kind], models)
            found.append(regret(goal, reference[n], s, choice))
        if found:
            rows.append(Row(f"{what}: regret, {GOALS[goal]}", fmean(found), "dB", target))
    return rows
