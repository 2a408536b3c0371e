"""Which family of network and which bandwidth, chosen by scale models, against a grid of five families and four bandwidths.

The grid and the scale models are those of `family_runs`, at REDUCED size: ReLU networks of 3 x 64 with 64 Gaussian
frequencies, other families with as many parameters, 500 steps of 512 samples; pictures of 128 pixels a side, sounds of
some 8,000 samples, the head of Colin27 shrunk to 36 voxels a side. Models are a quarter as wide, on four pieces of a sixteenth of the samples.

Rules, judged by what the grid's own trainings (means over seeds) reached on held-out samples:

- *scale models alone*: the best of all twenty by the models.
- *kept unless sure*: in each family the usual bandwidth, and between families the usual one, unless models of another are
  better by more than their standard error. `ntkit.tune` does this, with the kernel's choice for the ReLU network.
- *kept by half a dB*: likewise, but where another is better by more than half a dB.
- *constant*: the usual bandwidth of one family, that which did best on the other items of as many coordinates (a
  family and octave learned on them); of an only item of its kind, on all others.
- *the grid, judged by another seed*: the best cell of one seed, as the other found it.

Unfinished: the table has the items trained so far, and each says how many of its twenty cells are; `python -m
benchmarks.family_runs` goes on. Shapes and radiance fields are not among them.

The regret is the best of the grid less what was chosen. Times are processor seconds of one thread; models of these tiny
networks are mostly overhead, so some steps of the usual size are timed as well (4 x 256, batches of 4,096, models a sixth
as wide on eight pieces).
"""

from collections.abc import Callable, Mapping
from statistics import mean

import torch
from torch import Tensor

from benchmarks.family_runs import ITEMS, SOUNDS, STEPS, Entry, read
from benchmarks.report import Row
from ntkit.tasks import PSNR
from ntkit.tuning import Candidate
from ntkit.tuning.comparison import lead_of, preferred
from ntkit.tuning.ladders import USUAL, is_steady

REGRET, SHARE = 0.5, 1 / 15
CELLS, FEWEST = 20, 8
"""Of a grid; those of an item that is counted although it is not complete, which its row says."""

_FAMILIES = {"gaussian": "mlp"}
_METRIC = PSNR()

Grid = dict[str, float]
Models = dict[str, Tensor]
Rule = Callable[[Models, str], str]


def grid_of(found: Mapping[str, Entry], name: str, seeds: tuple[int, ...]) -> Grid:
    """Held-out PSNR by candidate, the mean over seeds; of those that all seeds have."""
    cells: dict[str, list[float]] = {}
    for key, entry in found.items():
        item, candidate, seed = key.split("|")
        if item == name and candidate != "trials" and int(seed) in seeds:
            cells.setdefault(candidate, []).append(entry["held_out"])
    return {c: mean(v) for c, v in cells.items() if len(v) == len(seeds)}


def models_of(found: Mapping[str, Entry], name: str, seed: int = 0) -> Models:
    """What the metric sums over each piece, by candidate; without those that are not tried."""
    held_out = found[f"{name}|trials|{seed}"]["held_out"]
    dims = 1 if name in SOUNDS else 3 if name == "mri" else 2
    return {
        c: torch.tensor(by[str(STEPS)], dtype=torch.float64).nan_to_num(nan=torch.inf)
        for c, by in held_out.items()
        if is_steady(Candidate(c.split()[0], float(c.split()[1])), dims)
    }


def family(candidate: str) -> str:
    name = candidate.split()[0]
    return _FAMILIES.get(name, name)


def usual_of(models: Models, name: str, of: str) -> str:
    """The usual bandwidth of a family: the third of four, of sounds the second."""
    return [c for c in models if family(c) == of][1 if name in SOUNDS else 2]


def alone(models: Models, name: str) -> str:
    del name
    return min(models, key=lambda c: _METRIC.error(models[c].sum(0)))


def kept_unless_sure(models: Models, name: str) -> str:
    return _in_two(models, name, lambda of, usual: preferred(of, usual, _METRIC))


def kept_by_half(models: Models, name: str) -> str:
    def choose(of: Models, usual: str) -> str:
        best = alone(of, name)
        return best if lead_of(of[best], of[usual], _METRIC).gain > 0.5 else usual

    return _in_two(models, name, choose)


def _in_two(models: Models, name: str, choose: Callable[[Models, str], str]) -> str:
    """The bandwidth of each family, then the family."""
    best = {}
    for of in dict.fromkeys(map(family, models)):
        own = {c: s for c, s in models.items() if family(c) == of}
        best[of] = choose(own, usual_of(models, name, of))
    first = USUAL.get(1 if name in SOUNDS else 2, "mlp")
    return choose({c: models[c] for c in best.values()}, best[first])


RULES: dict[str, Rule] = {
    "scale models alone": alone,
    "kept unless sure": kept_unless_sure,
    "kept by half a dB": kept_by_half,
}


def constant(grids: Mapping[str, Grid], name: str) -> str:
    """The place in the grid (family and octave) with the least regret on the other items of this kind."""
    kind = [n for n in grids if n != name and (n in SOUNDS) == (name in SOUNDS) and n != "mri"]
    others = kind if name != "mri" and kind else [n for n in grids if n != name]
    cells = [*grids[name]]
    ranked = {n: [*grids[n].values()] for n in others}
    lost = [mean(max(r) - r[i] for r in ranked.values()) for i in range(len(cells))]
    return cells[lost.index(min(lost))]


def measure() -> list[Row]:
    found = read()
    whole = [n for n in ITEMS if f"{n}|trials|0" in found and len(_cells(found, n, (0,))) >= FEWEST]
    twice = [n for n in whole if len(_cells(found, n, (0, 1))) == CELLS]
    grids = {n: _cells(found, n, (0, 1) if n in twice else (0,)) for n in whole}
    complete = [n for n in whole if len(grids[n]) == CELLS]
    complete = complete if len(complete) > 1 else []
    rows, lost = [], {rule: [] for rule in (*RULES, "constant")}
    for name in whole:
        grid = grids[name]
        models = {c: s for c, s in models_of(found, name).items() if c in grid}
        best = max(grid, key=lambda c: grid[c])
        rows.append(Row(f"{name}: best of {len(grid)} cells of the grid, {best}", grid[best], "dB"))
        chosen = {rule: choose(models, name) for rule, choose in RULES.items()}
        if name in complete:
            chosen["constant"] = constant({n: grids[n] for n in complete}, name)
        for rule, candidate in chosen.items():
            lost[rule].append(grid[best] - grid[candidate])
            rows.append(Row(f"{name}: {rule}, {candidate}: regret", lost[rule][-1], "dB"))
    for rule, each in ((r, e) for r, e in lost.items() if e):
        judged = rule == "kept unless sure" and len(each) == len(ITEMS)
        most = REGRET if judged else None
        rows.append(Row(f"{rule}: mean regret of {len(each)}", mean(each), "dB", at_most=most))
        rows.append(Row(f"{rule}: worst", max(each), "dB"))
    if twice:
        rows += _by_another_seed(found, twice)
    rows += _shares(found, whole)
    return rows


def _cells(found: Mapping[str, Entry], name: str, seeds: tuple[int, ...]) -> Grid:
    """The cells of the grid that are trained, in its order."""
    grid = grid_of(found, name, seeds)
    return {c: grid[c] for c in found[f"{name}|trials|0"]["held_out"] if c in grid}


def _by_another_seed(found: Mapping[str, Entry], names: list[str]) -> list[Row]:
    lost = []
    for name in names:
        pair = [grid_of(found, name, (seed,)) for seed in (0, 1)]
        for ours, other in (pair, pair[::-1]):
            lost.append(max(ours.values()) - ours[max(other, key=lambda c: other[c])])
    what = f"the grid, judged by another seed ({len(names)} items)"
    return [Row(f"{what}: mean regret", mean(lost), "dB"), Row(f"{what}: worst", max(lost), "dB")]


def _shares(found: Mapping[str, Entry], names: list[str]) -> list[Row]:
    """Time of the models of four bandwidths of the other families and one ReLU network over that of the grid."""
    shares = []
    for name in names:
        own = [found[f"{name}|{c}|0"]["seconds"] for c in grid_of(found, name, (0,))]
        grid = CELLS * mean(own)
        shares.append(_models_time(found[f"{name}|trials|0"]["seconds"]) / grid)
    rows = [Row("time of the models over that of a grid, at this size", mean(shares), "")]
    cost = found.get("usual size|cost|0")
    if cost:
        share = _models_time(cost["trials"]) / (4 * sum(cost["training"].values()))
        rows.append(Row("the same at the usual size", share, "", at_most=SHARE))
    return rows


def _models_time(seconds: Mapping[str, float]) -> float:
    return sum(seconds.values()) - 0.75 * seconds["mlp"]
