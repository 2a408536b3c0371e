"""Which family of network and which bandwidth, chosen by scale models, against a grid of five families and four bandwidths.

The grid and the scale models are those of `family_runs`, at REDUCED size: ReLU networks of 3 x 64 with 64 Gaussian
frequencies, other families with as many parameters, 1,000 steps of 512 samples; pictures of 128 pixels a side, sounds of
some 8,000 samples, the head of Colin27 shrunk to 36 voxels a side, two meshes (occupancy, 65,536 points), and a radiance
field of 50 pixels (512 rays a step) with a grid of three families at three bandwidths. Models are a quarter as wide, on four pieces of
a sixteenth of the samples.

Rules, judged by what the grid's own trainings (means over seeds) reached on held-out samples:

- *ntkit.tune*: what the function says, with the kernel's choice for the ReLU network where there is a kernel, and with its run-off:
  of the two families that models put first, if they set them less than two standard errors apart, that which is better after a real
  training for an eighth of the steps. The run-off has the seed of the training in full, 0, which the first grid has as well.
- *its run-off by one of 3 other seeds*: the same, by trainings that have no network and no batch in common with those that judge.
- *without run-off*: the same with `run_off=None`.
- *kept unless sure*: its rule, by models alone: in each family the usual bandwidth, and between families the usual one,
  unless models of another are better by more than their standard error.
- *scale models alone*: the best of all by the models.
- *kept by half a dB*: the usual ones, but where another is better by more than half a dB (0.01 of IoU).
- *usual*: the usual bandwidth of the usual family; nothing is tried.
- *constant*: one place in the grid (a family and an octave), that which did best on the other items of the kind; of an
  only item of its kind, on those of as many coordinates.
- *the grid, judged by another seed*: the best cell of one seed, as the other found it.

What it shows. The figures (a mean regret of 0.5 dB, of shapes 0.01 of IoU) are reached, and in decibels the rule is better than the
constant. Without a run-off shapes miss theirs by a little; what is left of it is a SIREN of twice the best bandwidth. SIREN, FINER and WIRE
are trained by a rate that falls to 0 over the second half of the steps; at a constant one, as in an earlier table, they end
shaken, by up to 20 dB on sounds, models on short pieces shake less than the network does, and the same rule had a mean regret of
1.35 dB. By the falling rate SIREN leads on sounds at 48 kHz (by 8 dB on the piano, 4 on the words), and one SIREN, an octave below
its usual bandwidth, is within 0.2 dB of the best of the grid on most items: a constant is hard to beat. The usual bandwidths are of
networks of the usual size; at this reduced one, all families but those of sounds do best an octave below.

A run-off takes 1/80 of a grid's time in the mean over pairs of families, and 1/53 of the two slowest. It changes the choice of five
items here: for the better "mic" (by 0.6 dB), "kodim05" (0.4) and "bunny00" (0.01 of IoU), for the worse the words (0.7) and "text0" (0.1).
An eighth of the steps is too few to choose a bandwidth by: it wants an octave or two more than all of them do.

An earlier asking, by grids of one seed, over these items and the five of `family_audio` together, 0.01 of IoU counted as half a dB: the
mean regret was 0.46 without run-offs (the worst 3.5), 0.42 with those of the function, and 0.26, 0.23 and 0.39 by the three other seeds:
two of the sounds there are tied in the run-off as well, and the seed decides. By the mean of two trainings each it would be
0.25 (over the six pairs of these four seeds), of three 0.21, at twice and three times the cost. Over all but the short piano, the choice
against its neighbours an octave away had 0.61, both families with theirs 0.56, and all cells 1.1.

The regret is the best of the grid less what was chosen: dB of PSNR, and of shapes a difference of IoU. Items whose grid is
not complete are left out. Times are processor seconds of one thread; models of these tiny
networks are mostly overhead, so some steps of the usual size are timed as well (4 x 256, batches of 4,096, models a sixth
as wide on eight pieces).
"""

from collections.abc import Callable, Mapping
from statistics import mean

import torch
from torch import Tensor

from benchmarks.family_runs import (
    ITEMS,
    KINDS,
    RUN_OFFS,
    STEPS,
    Entry,
    eighths_of,
    read,
    run_off,
    run_off_seconds,
)
from benchmarks.report import Row
from ntkit.tasks import PSNR, IntersectionOverUnion
from ntkit.tasks.metrics import AbstractMetric
from ntkit.tuning import Candidate
from ntkit.tuning.comparison import lead_of, preferred
from ntkit.tuning.ladders import USUAL, is_steady
from ntkit.tuning.run_off import share_of

SHARE = 1 / 15
REGRET = {"dB": 0.5, "IoU": 0.01}
"""What is asked of the mean, by unit; also what is as bad in one as in the other."""

_FAMILIES = {"gaussian": "mlp"}
_KIND = {name: kind for kind, names in KINDS.items() for name in names}
_DIMS = {"sound": 1, "image": 2, "volume": 3, "shape": 3, "field": 3}

Grid = dict[str, float]
Models = dict[str, Tensor]
Rule = Callable[[Models, str], str]


def unit_of(name: str) -> str:
    return "IoU" if _KIND[name] == "shape" else "dB"


def metric_of(name: str) -> AbstractMetric:
    return IntersectionOverUnion() if _KIND[name] == "shape" else PSNR()


def cells_of(name: str) -> int:
    """Of a whole grid."""
    return 9 if _KIND[name] == "field" else 20


def grid_of(found: Mapping[str, Entry], name: str, seeds: tuple[int, ...]) -> Grid:
    """Held-out quality by candidate, the mean over seeds; of those that all seeds have, in the order of the grid."""
    cells = {}
    for candidate in found[f"{name}|trials|0"]["held_out"]:
        own = [found.get(f"{name}|{candidate}|{seed}") for seed in seeds]
        values = [entry["held_out"] for entry in own if entry]
        if len(values) == len(seeds):
            cells[candidate] = mean(values)
    return cells


def models_of(found: Mapping[str, Entry], name: str, seed: int = 0) -> Models:
    """What the metric sums over each piece, by candidate; without those that are not tried."""
    held_out = found[f"{name}|trials|{seed}"]["held_out"]
    return {
        c: torch.tensor(by[str(STEPS)], dtype=torch.float64).nan_to_num(nan=torch.inf)
        for c, by in held_out.items()
        if is_steady(Candidate(c.split()[0], float(c.split()[1])), _DIMS[_KIND[name]])
    }


def family(candidate: str) -> str:
    name = candidate.split()[0]
    return _FAMILIES.get(name, name)


def usual_of(models: Models, name: str, of: str) -> str:
    """The usual bandwidth of a family: the third of four, of sounds the second, as of three."""
    return [c for c in models if family(c) == of][1 if _KIND[name] in {"sound", "field"} else 2]


def usual(models: Models, name: str) -> str:
    return usual_of(models, name, USUAL.get(_DIMS[_KIND[name]], "mlp"))


def alone(models: Models, name: str) -> str:
    return min(models, key=lambda c: metric_of(name).error(models[c].sum(0)))


def kept_unless_sure(models: Models, name: str) -> str:
    return _in_two(models, name, lambda of, usual: preferred(of, usual, metric_of(name)))


def kept_by_half(models: Models, name: str) -> str:
    def choose(of: Models, usual: str) -> str:
        best = alone(of, name)
        gain = lead_of(of[best], of[usual], metric_of(name)).gain
        return best if gain > REGRET[unit_of(name)] else usual

    return _in_two(models, name, choose)


def _in_two(models: Models, name: str, choose: Callable[[Models, str], str]) -> str:
    """The bandwidth of each family, then the family."""
    best = {}
    for of in dict.fromkeys(map(family, models)):
        own = {c: s for c, s in models.items() if family(c) == of}
        best[of] = choose(own, usual_of(models, name, of))
    first = USUAL.get(_DIMS[_KIND[name]], "mlp")
    return choose({c: models[c] for c in best.values()}, best[first])


RULES: dict[str, Rule] = {
    "kept unless sure": kept_unless_sure,
    "scale models alone": alone,
    "kept by half a dB": kept_by_half,
    "usual": usual,
}
TUNE, WITHOUT = "ntkit.tune", "without run-off"
JUDGED = (TUNE, WITHOUT, "kept unless sure")
"""What is asked to stay below the figure."""


def constant(grids: Mapping[str, Grid], name: str) -> str | None:
    """The place in the grid (family and octave) with the least regret on the other items of this kind; None without any."""
    own = _places(grids[name], name)
    others = [n for n in grids if n != name and _KIND[n] == _KIND[name]]
    if not others:
        alike = _DIMS[_KIND[name]]
        others = [n for n in grids if n != name and _DIMS[_KIND[n]] == alike]
    lost = dict.fromkeys(own, 0.0)
    for other in others:
        theirs = _places(grids[other], other)
        best = max(theirs.values())
        lost = {
            place: so_far + (best - theirs[place]) / REGRET[unit_of(other)]
            for place, so_far in lost.items()
            if place in theirs
        }
    if not others or not lost:
        return None
    names = dict(zip(own, grids[name], strict=True))
    return names[min(lost, key=lambda place: lost[place])]


def _places(grid: Grid, name: str) -> dict[tuple[str, int], float]:
    """A grid by family and octave, from the lowest of four on; those of a field begin an octave above it."""
    places: dict[tuple[str, int], float] = {}
    seen: dict[str, int] = {}
    for candidate, reached in grid.items():
        of = family(candidate)
        octave = seen.get(of, 1 if _KIND[name] == "field" else 0)
        places[of, octave] = reached
        seen[of] = octave + 1
    return places


def measure() -> list[Row]:
    found = read()
    tried = [n for n in ITEMS if f"{n}|trials|0" in found]
    items = [n for n in tried if len(grid_of(found, n, (0,))) == cells_of(n)]
    twice = [n for n in items if len(grid_of(found, n, (0, 1))) == cells_of(n)]
    grids = {n: grid_of(found, n, (0, 1) if n in twice else (0,)) for n in items}
    chosen = {n: _chosen(found, n, grids) for n in items}
    rows = [row for n in items for row in _item(n, grids[n], chosen[n], n in twice)]
    for unit in REGRET:
        rows += _means({n: g for n, g in grids.items() if unit_of(n) == unit}, chosen, unit)
        rows += _by_one_run_off(found, {n: g for n, g in grids.items() if unit_of(n) == unit}, unit)
        rows += _by_another_seed(found, [n for n in twice if unit_of(n) == unit], unit)
    return rows + _shares(found, items)


def _chosen(found: Mapping[str, Entry], name: str, grids: Mapping[str, Grid]) -> dict[str, str]:
    """What each rule takes."""
    models = models_of(found, name)
    chosen = {rule: choose(models, name) for rule, choose in RULES.items()}
    asked = found.get(f"{name}|tune|0")
    if asked and asked["choice"] in grids[name]:
        chosen = {WITHOUT: asked["choice"], **chosen}
        if won := run_off(asked["rows"], eighths_of(found, name)):
            chosen = {TUNE: won, **chosen}
    learned = constant(grids, name)
    return {**chosen, "constant": learned} if learned else chosen


def _item(name: str, grid: Grid, chosen: Mapping[str, str], is_twice: bool) -> list[Row]:
    best, unit = max(grid, key=lambda c: grid[c]), unit_of(name)
    of = f"{name} ({_KIND[name]}, {'two seeds' if is_twice else 'one seed'})"
    rows = [Row(f"{of}: best of {len(grid)} cells, {best}", grid[best], unit)]
    return rows + [
        Row(f"{name}: {rule}, {candidate}: regret", grid[best] - grid[candidate], unit)
        for rule, candidate in chosen.items()
    ]


def _means(
    grids: Mapping[str, Grid], chosen: Mapping[str, Mapping[str, str]], unit: str
) -> list[Row]:
    """Mean and worst of each rule."""
    rows = []
    for rule in dict.fromkeys(rule for name in grids for rule in chosen[name]):
        lost = {
            n: max(grid.values()) - grid[chosen[n][rule]]
            for n, grid in grids.items()
            if rule in chosen[n]
        }
        worst = max(lost, key=lambda n: lost[n])
        most = REGRET[unit] if rule in JUDGED else None
        what = f"{rule}: mean regret of {len(lost)}"
        rows.append(Row(what, mean(lost.values()), unit, at_most=most))
        rows.append(Row(f"{rule}: worst, {worst}", lost[worst], unit))
    return rows


def _by_one_run_off(found: Mapping[str, Entry], grids: Mapping[str, Grid], unit: str) -> list[Row]:
    """Of run-offs with other seeds than that of the function, one each, all together."""
    lost = []
    for name, grid in grids.items():
        asked = found.get(f"{name}|tune|0")
        for seed in RUN_OFFS if asked else ():
            won = run_off(asked["rows"], eighths_of(found, name, seed)) if asked else None
            if won:
                lost.append(max(grid.values()) - grid[won])
    if not lost:
        return []
    what = f"{TUNE}, its run-off by one of {len(RUN_OFFS)} other seeds"
    return [
        Row(f"{what}: mean regret of {len(lost)}", mean(lost), unit),
        Row(f"{what}: worst", max(lost), unit),
    ]


def _by_another_seed(found: Mapping[str, Entry], names: list[str], unit: str) -> list[Row]:
    lost = []
    for name in names:
        pair = [grid_of(found, name, (seed,)) for seed in (0, 1)]
        for ours, other in (pair, pair[::-1]):
            lost.append(max(ours.values()) - ours[max(other, key=lambda c: other[c])])
    if not lost:
        return []
    what = f"the grid, judged by another seed ({len(names)} items)"
    return [Row(f"{what}: mean regret", mean(lost), unit), Row(f"{what}: worst", max(lost), unit)]


def _shares(found: Mapping[str, Entry], names: list[str]) -> list[Row]:
    """Time of a choice over that of a grid."""
    asked, shares = [], []
    for name in names:
        grid = sum(found[f"{name}|{c}|0"]["seconds"] for c in grid_of(found, name, (0,)))
        shares.append(_models_time(found[f"{name}|trials|0"]["seconds"]) / grid)
        if f"{name}|tune|0" in found:
            own = found[f"{name}|tune|0"]["seconds"] + run_off_seconds(found, name)
            asked.append(own / grid)
    rows = [Row("time of the models over that of a grid, at this size", mean(shares))]
    if asked:
        rows.append(Row("time of `ntkit.tune` over that of a grid, at this size", mean(asked)))
    cost = found.get("usual size|cost|0")
    if cost:
        step, grid = cost["training"], 4 * sum(cost["training"].values())
        models = _models_time(cost["trials"])
        most = sum(sorted(step.values())[-2:]) * share_of(STEPS) / STEPS
        what = "time of the models over that of a grid, at the usual size"
        rows.append(Row(what, models / grid))
        what = "time of the models and of a run-off of the two slowest families, at the usual size"
        rows.append(Row(what, (models + most) / grid, at_most=SHARE))
    return rows


def _models_time(seconds: Mapping[str, float]) -> float:
    """Of four bandwidths of the other families, and one of the ReLU network, which the kernel chose."""
    return sum(seconds.values()) - 0.75 * seconds["mlp"]
