"""Reconstruction from data without noise: CT at 128 x 128 from 30 views, measured on a grid twice as fine.

As `reconstruction`, of which see the words. Without noise the fine grid is all that the data do not agree with: what the marginal
likelihood takes for noise is the error of the coarse one.
"""

from benchmarks.reconstruction import cases, of_kind
from benchmarks.reconstruction_items import KINDS, kind_of
from benchmarks.report import Row


def measure() -> list[Row]:
    found = [c for c in cases("ct", "30") if c.noise == 0]
    rows = []
    for kind in KINDS:
        own = [c for c in found if kind_of(c.name) == kind]
        if own:
            rows += of_kind(f"no noise, {kind}", "ct", own)
    return rows
