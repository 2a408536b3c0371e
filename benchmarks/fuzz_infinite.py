"""Infinite-width kernels of 300 random networks against finite networks, one number of each kernel.

The networks are those of `tests/fuzz`: layers and joins as people write them, drawn by a seed. The
number is `v K v` for a random `v`, for the tangent kernel and the NNGP; finite networks of two widths
give its mean and standard error, and what they say of infinite width is linear in one over the width.
What is beyond 3.5 standard errors is looked at again, with fresh draws of wider networks and ten
times the work, and once more: the last look counts. Networks that are refused, and those with a
warning, are counted apart. `NTKIT_FUZZ` holds the number of networks, if not 300.
"""

import os
from collections import Counter
from dataclasses import asdict
from typing import Any

from benchmarks.fuzz_cases import each
from benchmarks.report import Row

N = int(os.environ.get("NTKIT_FUZZ", "300"))
LOOKS = ((32, 96, 0.004, 1.5), (64, 256, 0.002, 10.0), (128, 512, 0.002, 40.0))
"""Two widths, the standard error that is enough, seconds for the wider one."""

AGAIN = 3.5
"""Standard errors from which a network is looked at once more."""

BEYOND = 5.0
"""Standard errors that are a disagreement."""

CONSISTENT = 1e-7
"""Between a matrix, its diagonal and its rows computed alone: where an angle comes out of a difference of
covariances, equal points are `eps**0.5` apart, and a slope of ReLU sees a share of that."""


def case(seed: int) -> dict[str, Any]:
    """What became of the network of a seed."""
    from ntkit._core.errors import UnsupportedLayerError
    from tests.fuzz.limits import Effort, extrapolated, said_at
    from tests.fuzz.wide import draw

    found: dict[str, Any] = {"words": draw(seed, LOOKS[0][0]).words}
    for look, (narrow, wide, error, seconds) in enumerate(LOOKS):
        try:
            said = said_at(seed, narrow, wide)
        except UnsupportedLayerError as refusal:
            return found | {"refused": str(refusal)}
        except Exception as crash:
            return found | {"crashed": f"{type(crash).__name__}: {crash}"}
        found["inconsistent"] = max(s.inconsistent for s in said.values())
        found["warned"] = sorted({w for s in said.values() for w in s.warned})
        try:
            off = extrapolated(seed, said, Effort(error, seconds))
        except (
            RuntimeError
        ) as error_of_torch:  # a value that the gradient needs was written over in place
            if "inplace operation" not in str(error_of_torch):
                raise
            return found | {"untrainable": str(error_of_torch)}
        found |= {"look": look, "off": {k: asdict(e) for k, e in off.items()}}
        if max(e.deviations for e in off.values()) < AGAIN or found["warned"]:
            break
    return found


def deviations(found: dict[str, Any]) -> float:
    """The larger one of the two kernels', in standard errors."""
    return max(abs(e["off"]) / max(e["error"], 1e-12) for e in found["off"].values())


def measure() -> list[Row]:
    found = each("infinite", case, range(N))
    refused = {k: c for k, c in found.items() if "refused" in c}
    crashed = {k: c for k, c in found.items() if "crashed" in c}
    untrainable = {k: c for k, c in found.items() if "untrainable" in c}
    warned = {k: c for k, c in found.items() if c.get("warned") and "off" in c}
    quiet = {k: c for k, c in found.items() if c.get("warned") == [] and "off" in c}
    off = {k: c for k, c in quiet.items() if deviations(c) > BEYOND}
    unlike = {k: c for k, c in found.items() if c.get("inconsistent", 0) > CONSISTENT}
    for title, cases in (("refused", refused), ("crashed", crashed), ("warned", warned)):
        for words, count in Counter(_why(c) for c in cases.values()).most_common():
            print(f"{title} {count}: {words}")
    for seed, c in (off | unlike).items():
        print(f"seed {seed}: {c}")
    errors = sorted(e["error"] for c in quiet.values() for e in c["off"].values())
    within = [c for c in warned.values() if deviations(c) <= BEYOND]
    n = len(found)
    return [
        Row("networks", n),
        Row(
            "disagreements beyond 5 standard errors, of those without a warning",
            len(off),
            at_most=0,
        ),
        Row("largest deviation of one, in standard errors", max(map(deviations, quiet.values()))),
        Row("median standard error, in shares of the kernel", errors[len(errors) // 2]),
        Row("nine in ten standard errors are below", errors[9 * len(errors) // 10]),
        Row("matrix, diagonal and rows alone that differ", len(unlike), at_most=0),
        Row("refused", 100 * len(refused) / n, "%", at_most=10),
        Row("an error that is no refusal", len(crashed), at_most=0),
        Row("warned", 100 * len(warned) / n, "%", at_most=10),
        Row("of the warned ones, within 5 standard errors", len(within)),
        Row("that torch itself cannot train: a value is written over in place", len(untrainable)),
        Row("looked at again", sum(c.get("look", 0) > 0 for c in found.values())),
    ]


def _why(c: dict[str, Any]) -> str:
    """A refusal or a warning without what is particular to its network."""
    return (c.get("refused") or c.get("crashed") or " | ".join(c["warned"]))[:160]
