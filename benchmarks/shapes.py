"""Coordinate networks of shapes: occupancy of real meshes (armadillo, bunny, elephant of Debian's libcgal-demo).

Intersection over union of held-out points near the surface (points of it with noise of 0.01 of the box) and uniform
in the box, from the trainings in `shape_runs.json`, which `python -m benchmarks.shape_runs` makes: *tuned* ones, half of
whose points are near the surface; and those of the protocol of the Fourier-features paper's Table 1, beside what it
printed (of a dragon, a Buddha, the armadillo and Lucy). Where trainings are smaller than the paper's 10,000 steps of
32,768 points, their names say so: by 2,000 steps of 4,096, a fortieth of the paper's work, Gaussian features of bandwidth 12 are not
at their end (by 500 steps there was nothing inside yet). The order none < basic < positional, gaussian is counted over meshes and protocols.
"""

from collections import defaultdict

from benchmarks.kept import Entry, read
from benchmarks.report import Row
from benchmarks.shape_runs import PATH

PRINTED = {"none": 0.864, "basic": 0.892, "positional": 0.960, "gaussian": 0.973}
_ENOUGH = 0.97


def measure() -> list[Row]:
    groups: dict[tuple[str, str, str], dict[str, Entry]] = defaultdict(dict)
    for key, entry in read(PATH).items():
        protocol, size, mesh, encoding = key.split("|")
        groups[protocol, size, mesh][encoding] = entry
    rows = []
    best: dict[str, float] = {}
    for (protocol, size, mesh), entries in groups.items():
        for encoding, entry in entries.items():
            name = encoding.split()[0]
            what = f"{protocol}, {size}: {mesh}, {encoding}"
            printed = f" (printed: {PRINTED[name]})" if protocol == "paper" else ""
            rows.append(Row(f"{what}, IoU near the surface{printed}", entry["near"]))
            rows.append(Row(f"{what}, IoU of uniform points", entry["uniform"]))
            if name == "gaussian":
                best[mesh] = max(best.get(mesh, 0.0), entry["near"])
    n_enough = sum(found >= _ENOUGH for found in best.values())
    rows.append(
        Row(f"meshes with IoU >= {_ENOUGH} near the surface, gaussian", n_enough, at_least=2)
    )
    whole = [_by_name(entries) for entries in groups.values()]
    whole = [found for found in whole if len(found) == len(PRINTED)]
    ordered = sum(_is_ordered(found) for found in whole)
    rows.append(
        Row(
            f"none < basic < positional and gaussian, of {len(whole)}", ordered, at_least=len(whole)
        )
    )
    return rows


def _by_name(entries: dict[str, Entry]) -> dict[str, float]:
    """The best of each encoding."""
    found: dict[str, float] = {}
    for encoding, entry in entries.items():
        name = encoding.split()[0]
        found[name] = max(found.get(name, 0.0), entry["near"])
    return found


def _is_ordered(found: dict[str, float]) -> bool:
    return found["none"] < found["basic"] < min(found["positional"], found["gaussian"])
