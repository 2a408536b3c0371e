"""Radiance fields of NeRF's "mic" at 100 and 200 pixels: minutes to a quality, the encodings' order, cones, Table 1.

The trainings are those of `radiance_runs`, which says how; this reads what they left. PSNR is of all pixels of 25
held-out views on white. Silhouettes of the 100 training views bound the box and say where nothing is, in every case,
so that no encoding pays for empty space.

What stands below was trained on a part of one busy core. Seconds are of the process, not of the clock: 600 of them are
five minutes of two cores; `minutes` was looked at early, after 50 seconds and more, and ended when it had what was
asked. "0.1 of the steps" in a name is a tenth of the steps that `radiance_runs` takes without `--scale`; those of 0.6 had a
core of their own. One seed; where trainings are as short as 120 steps, a distance of 0.2 dB, as that of cones from rays,
is no verdict.
"""

from benchmarks.kept import Entry, read
from benchmarks.radiance_runs import PATH
from benchmarks.report import Row

PRINTED = {"none": 22.41, "basic": 23.16, "positional": 25.28, "gaussian": 25.48}
"""Tancik et al. 2020, Table 1, NeRF, of another scene; axis-aligned positional 26.27."""

NEEDED = {"5": 25.0, "20": 30.0}


def about(entry: Entry) -> str:
    """How long it took."""
    return f"{entry['steps']:,} steps, {entry['seconds']:.0f} s of {entry['threads']} core(s)"


def words(key: str) -> str:
    """A key as it may stand in a table."""
    return key.replace("|", ", ")


def minutes(runs: dict[str, Entry]) -> list[Row]:
    """The best that was reached within so many minutes of two cores, and all that was."""
    reached = {key: entry for key, entry in runs.items() if key.startswith("minutes")}
    rows = [
        Row(f"{words(key)}: {about(entry)}", entry["psnr"], "dB") for key, entry in reached.items()
    ]
    for time, target in NEEDED.items():
        within = [e for e in reached.values() if e["seconds"] * e["threads"] <= 121 * float(time)]
        if within:
            best = max(within, key=lambda entry: entry["psnr"])
            what = f"within {time} minutes of two cores: {about(best)}"
            rows.append(Row(what, best["psnr"], "dB", at_least=target))
    return rows


def compared(runs: dict[str, Entry], start: str, printed: dict[str, float]) -> list[Row]:
    """Encodings beside each other."""
    rows = []
    for key, entry in runs.items():
        if key.startswith(start):
            name = key.split("|")[1]
            beside = f" (printed {printed[name]:.2f})" if printed else ""
            rows.append(Row(f"{words(key)}: {about(entry)}{beside}", entry["psnr"], "dB"))
    return rows


def gains(runs: dict[str, Entry]) -> list[Row]:
    """What cones are worth, at each pair of sizes."""
    rows = []
    for key, entry in runs.items():
        other = runs.get(key.replace("|rays|", "|cones|"))
        if "|rays|" in key and other:
            trained, shown = key.split("|")[1], key.split("|")[3].removeprefix("at ")
            what = f"trained at {trained}, shown at {shown}"
            rows.append(Row(f"{what}: rays, {about(entry)}", entry["psnr"], "dB"))
            rows.append(Row(f"{what}: cones, {about(other)}", other["psnr"], "dB"))
            target = 0.0 if trained != shown else None
            gain = other["psnr"] - entry["psnr"]
            rows.append(Row(f"{what}: cones above rays", gain, "dB", at_least=target))
    return rows


def measure() -> list[Row]:
    runs = read(PATH)
    if not runs:
        raise FileNotFoundError("Train first: `python -m benchmarks.radiance_runs`.")
    best = {k.split("|")[1]: e["psnr"] for k, e in runs.items() if k.startswith("order")}
    rows = [*minutes(runs), *compared(runs, "order", {})]
    if "none" in best:
        gap = max(best.values()) - best["none"]
        rows.append(Row("order: the best above none", gap, "dB", at_least=2.0))
    return [*rows, *gains(runs), *compared(runs, "table1", PRINTED)]
