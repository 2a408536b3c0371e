"""Empirical kernels of 300 random networks, by every way to them, against Jacobians of samples alone.

The networks are those of `tests/fuzz/finite.py`, drawn by a seed, in float64: layers used twice and
tied, recurrent ones, words, experts, sorting, checkpoints, parametrisations, parts in place or without
gradients, several inputs, frozen parameters, and the networks of `fuzz_infinite` at width eight. Each
goes through every method, for the trace, all outputs and one, within one set of points and between
two, in company and alone, by the diagonal, the features and the operator that is not stored; and it
has to be left as found. `NTKIT_FUZZ` holds the number of networks, if not 300.
"""

import os
from collections import Counter
from dataclasses import asdict
from typing import Any

from benchmarks.fuzz_cases import each
from benchmarks.report import Row

N = int(os.environ.get("NTKIT_FUZZ", "300"))
BOUND = 1e-9
"""In shares of the largest entry."""


def case(seed: int) -> dict[str, Any]:
    """What became of the network of a seed."""
    from tests.fuzz.finite import draw
    from tests.fuzz.jacobians import compared

    network = draw(seed)
    return {"words": network.words, **asdict(compared(network))}


def measure() -> list[Row]:
    found = each("empirical", case, range(N))
    ways = Counter(name for c in found.values() for name in c["errors"])
    errors = {k: max(c["errors"].values(), default=0.0) for k, c in found.items()}
    off = {k: found[k] for k, error in errors.items() if not error < BOUND}
    crashed = {k: c for k, c in found.items() if c["crashed"]}
    refused = {k: c for k, c in found.items() if c["refused"]}
    wholly = [c for c in refused.values() if not c["errors"]]
    warned = [c for c in found.values() if c["warned"]]
    reasons = Counter(next(iter(c["refused"].values()))[:160] for c in refused.values())
    for words, count in reasons.most_common():
        print(f"refused {count}: {words}")
    for seed, c in (off | crashed).items():
        beyond = {name: e for name, e in c["errors"].items() if not e < BOUND}
        print(f"seed {seed}: {c['words']} {beyond} {c['crashed']}")
    n = len(found)
    sound = [e for k, e in errors.items() if k not in off]
    return [
        Row("networks", n),
        Row("values that were compared", sum(ways.values())),
        Row("networks with a value beyond 1e-9", len(off), at_most=0),
        Row("largest error of the others", max(sound)),
        Row(
            "networks with an error that is no refusal, or not left as found",
            len(crashed),
            at_most=0,
        ),
        Row("refused by one way or more", 100 * len(refused) / n, "%", at_most=10),
        Row("refused by every way", 100 * len(wholly) / n, "%"),
        Row("warned", 100 * len(warned) / n, "%"),
    ]
