"""The bandwidth that `ntkit.tune` chooses in each job, against the best of a full grid of eight.

The committed table is of REDUCED size, so that all of it takes some ten minutes of one core: a quarter of the usual 4 x 256
network, 256 frequencies and pictures of 512 along each side, a sixteenth of the parameters, samples and batch of
4,096. That is networks of 4 x 64, 64 frequencies, batches of 256; pictures of 128 pixels a side, sounds of 1.25 s in
15,000 samples, volumes of 36 voxels a side, 16 frames of 48 x 48, 4,000 points. `python -m benchmarks.choice_runs
--size full` trains the usual sizes, six hours of one core, and the next table shows both.

What it shows. Images, sounds and points: regrets of 0 to 0.3 dB, the choice a step too high more often than too low. Volumes
and the video: networks of three coordinates reach most at about a cycle per unit or below, where the ladder begins, and
neither the kernel nor the scale models see it. The kernel of the network at its start, which learns no features, has its best at
two or three cycles, and has it there too on tiles, without rounding to whole cycles; scale models of the head at half a
cycle are worse than at one, perhaps because the boxes that they are trained on, a third of the volume along each axis, hold
still less of a wave. The choice of one is the best of the ladder for both
volumes only because models put its end first; for the video they are flat, and it is 1.3 dB off, and 2.2 dB off what slower
frequencies along time reach. The positional encoding is below the basic one for volumes: its largest frequency, the Nyquist
limit, is then far too much.

The items that the choice is judged by: three photos (two of Kodak, one of scikit-image), spoken words and a piano note (`../shared/data/audio`), the head of
Colin27, shrunk, and a MADE volume of ellipsoids, a MADE video (a slow zoom into a photo) and 4,000 scattered pixels of a
photo, see `choice_items`; trained and chosen as told in `choice_runs`. One seed. Samples that are trained on: every other
one along each axis, of the points four fifths. Five more photos (two of Kodak, three of scikit-image) are trained
likewise, without a grid, for what the Gaussian encoding is above none, in the mean over all eight.

PSNR is of the held-out samples, of sounds in a range of 2 (their largest absolute value is 1). The regret of an item is the
best of its grid less what the chosen bandwidth reached; of the video, the grid is that with the factor along time that was
chosen, and beside it stands the loss by this factor. Times are processor seconds of one thread. A choice costs more beside
a grid where networks are small: its parts do not shrink as the trainings do (the scale models, of 10 units, are all
overhead; a kernel of points has tiles of 800 whatever their number). So the rows "full" give the time at the usual size too,
of `--choices-alone`, where the grid is counted from twelve steps of a training.
"""

from dataclasses import dataclass
from itertools import pairwise
from statistics import mean
from typing import Any

from benchmarks.choice_items import IMAGES, ITEMS, PHOTOS, SIZES, SOUNDS
from benchmarks.choice_runs import BANDWIDTHS, STEPS, complete, read
from benchmarks.report import Row

ORDER = ("identity", "basic", "positional", "gaussian")
REGRET = 0.5
SHARE = 1 / 20
WITHIN = 1.0
ABOVE = {"photos": ((*IMAGES, *PHOTOS), 5.0), "sounds": (SOUNDS, 10.0)}
"""What the Gaussian encoding is to be above none, dB, in the mean."""


@dataclass(frozen=True)
class Found:
    """What was found of an item whose grid is complete.

    Attributes:
        choice: What `ntkit.tune` said.
        grid: PSNR by bandwidth, with the factors of the choice.
        seconds: Of the grid.
        others: PSNR of the other encodings, by name.
        factors: PSNR of other factors along the axes, at the best bandwidth.
        below: PSNR at half of the smallest bandwidth of the grid, where that is the best of it.
    """

    choice: dict[str, Any]
    grid: dict[float, float]
    seconds: float
    others: dict[str, float]
    factors: list[float]
    below: float | None

    @property
    def chosen(self) -> float:
        """PSNR at the chosen bandwidth."""
        return self.grid[self.choice["bandwidth"]]

    @property
    def best(self) -> float:
        """Of the grid."""
        return max(self.grid.values())

    @property
    def regret(self) -> float:
        """By the bandwidth, dB."""
        return self.best - self.chosen

    @property
    def lost(self) -> float:
        """Against the best Gaussian of all that was trained, dB: also of other factors, and below the ladder."""
        return max(self.best, *self.factors, self.below or self.best) - self.chosen

    @property
    def share(self) -> float:
        """Time of the choice over that of the grid."""
        return self.choice["seconds"] / self.seconds

    @property
    def by_name(self) -> dict[str, float]:
        """PSNR of the four encodings that are compared, of those that are trained."""
        found = {**self.others, "gaussian": self.chosen}
        return {name: found[name] for name in ORDER if name in found}


def found_of(size: str, name: str) -> Found | None:
    """None where its choice or its grid is not complete."""
    start = f"{size}|{name}|"
    runs = {k.removeprefix(start): v for k, v in read().items() if k.startswith(start)}
    choice = runs.pop("choice", None)
    if choice is None:
        return None
    own = {k.split("|")[0]: r for k, r in runs.items() if r["name"] == "gaussian"}
    with_it = [
        r for c, r in own.items() if c in choice["predicted"] and r["axes"] == choice["axes"]
    ]
    below = [r["held_out"] for c, r in own.items() if c not in choice["predicted"]]
    if len(with_it) < 8:
        return None
    return Found(
        choice=choice,
        grid={r["bandwidth"]: r["held_out"] for r in with_it},
        seconds=sum(r["seconds"] for r in with_it),
        others={r["name"]: r["held_out"] for r in runs.values() if r["name"] != "gaussian"},
        factors=[r["held_out"] for r in own.values() if r["axes"] != choice["axes"]],
        below=max(below, default=None),
    )


def time_rows(size: str) -> list[Row]:
    """Of items that were chosen for but not trained: the time of the choice over that of a grid, by its steps."""
    rows = []
    for name in ITEMS:
        choice = read().get(f"{size}|{name}|choice")
        if choice is None or found_of(size, name) is not None or "step_seconds" not in choice:
            continue
        share = choice["seconds"] / (BANDWIDTHS * STEPS * choice["step_seconds"])
        what = f"{size}, {name}: choice ({choice['candidate']}) over a grid counted from twelve steps, time"
        rows.append(Row(what, share, at_most=SHARE))
    return rows


def rows_of(size: str) -> list[Row]:
    """All rows of a size; what is not trained yet is left out, and counted."""
    found = {name: f for name in ITEMS if (f := found_of(size, name)) is not None}
    if not found:
        return []
    regrets, lost = [f.regret for f in found.values()], [f.lost for f in found.values()]
    times = sum(f.choice["seconds"] for f in found.values()), sum(f.seconds for f in found.values())
    about = f"{size}, {len(found)} of {len(ITEMS)} items"
    rows = [
        Row(f"{about}: regret, mean", mean(regrets), "dB", at_most=REGRET),
        Row(f"{about}: regret, worst", max(regrets), "dB"),
        Row(f"{about}: mean against other factors and half of the smallest too", mean(lost), "dB"),
        Row(f"{about}: worst against other factors and half of the smallest too", max(lost), "dB"),
        Row(
            f"{about}: time of the choices over that of the grids",
            times[0] / times[1],
            at_most=SHARE,
        ),
        *_order(about, {name: f.by_name for name, f in found.items()}),
    ]
    every = {name: f.by_name for name, f in found.items()} | photos_of(size)
    for kind, (names, above) in ABOVE.items():
        own = [by for name, by in every.items() if name in names and "identity" in by]
        if own:
            gain = mean(by["gaussian"] - by["identity"] for by in own)
            rows.append(
                Row(
                    f"{size}, {len(own)} {kind}: gaussian above none, mean",
                    gain,
                    "dB",
                    at_least=above,
                )
            )
    photos = {name: by for name, by in every.items() if name in ABOVE["photos"][0]}
    rows += _order(f"{size}, {len(photos)} photos", photos)
    rows += [row for name, f in found.items() for row in _item(size, name, f)]
    return rows + [_above(size, name, by) for name, by in photos_of(size).items()]


def photos_of(size: str) -> dict[str, dict[str, float]]:
    """PSNR by encoding of the photos without a grid, where all four are trained."""
    found = {}
    for name in PHOTOS:
        runs = [v for k, v in read().items() if k.startswith(f"{size}|{name}|") and "name" in v]
        by_name = {r["name"]: r["held_out"] for r in runs}
        if len(by_name) == len(ORDER):
            found[name] = {e: by_name[e] for e in ORDER}
    return found


def _above(size: str, name: str, by_name: dict[str, float]) -> Row:
    each = ", ".join(f"{e} {v:.2f}" for e, v in by_name.items())
    gain = by_name["gaussian"] - by_name["identity"]
    return Row(f"{size}, {name}: gaussian above none ({each})", gain, "dB")


def _order(about: str, found: dict[str, dict[str, float]]) -> list[Row]:
    """How often, and in the mean, the encodings are in the expected order."""
    whole = {n: by for n, by in found.items() if len(by) == len(ORDER)}
    if not whole:
        return []
    in_order = {n for n, by in whole.items() if all(by[a] < by[b] for a, b in pairwise(ORDER))}
    others = ", ".join(n for n in whole if n not in in_order) or "none"
    means = [Row(f"{about}: {e}, mean", mean(by[e] for by in whole.values()), "dB") for e in ORDER]
    return [
        *means,
        Row(
            f"{about}: none < basic < positional < gaussian, of {len(whole)} (exceptions: {others})",
            len(in_order),
        ),
    ]


def _item(size: str, name: str, found: Found) -> list[Row]:
    best = max(found.grid, key=lambda b: found.grid[b])
    bandwidth = found.choice["bandwidth"]
    curve = ", ".join(f"{b:g}: {found.grid[b]:.2f}" for b in sorted(found.grid))
    within = WITHIN if name in SOUNDS else None
    what = f"{size}, {name}: regret of {bandwidth:g} (best {best:g}; {curve})"
    rows = [
        Row(what, found.regret, "dB", at_most=within),
        Row(f"{size}, {name}: choice over grid, time", found.share),
    ]
    if found.factors:
        lost = max(0.0, max(found.factors) - found.best)
        chosen = " x ".join(f"{a:g}" for a in found.choice["axes"])
        rows.append(Row(f"{size}, {name}: lost by the factors along axes {chosen}", lost, "dB"))
    if found.below is not None:
        what = f"{size}, {name}: half of the smallest bandwidth, above the best of the grid"
        rows.append(Row(what, found.below - found.best, "dB"))
    if "identity" in found.others:
        rows.append(_above(size, name, found.by_name))
    return rows


def measure() -> list[Row]:
    complete("reduced")
    return [row for size in SIZES for row in (*rows_of(size), *time_rows(size))]
