"""The reconstructions of the benchmark `reconstruction`, saved as each ends.

    python -m benchmarks.reconstruction_runs [--kind ct|mri|image] [--settings 30 ...] [--size 128] [--noise 0.01 0.05]
        [--draws 3] [--items brain40 ...]

A case is what `reconstruction_scans` measures of a picture. Kept of it: what is usual for such data, the kernel alone, and for
each share of the kernel's weight and each strength of total variation the PSNR of the reconstruction from all data, beside what
the data held out said of it; strengths beyond the best on held-out data that are ever worse have no PSNR. So every rule of
choice, and the oracle of the grid, can be read from what is kept. Of a single coil there is total variation alone. PSNR is that
of the modulus where the field is complex. Of MRI there is the PSNR against what all of k-space shows without noise, too.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.reconstruction_items import KINDS, psnr
from benchmarks.reconstruction_scans import SETTINGS, Measured, measured
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from ntkit.reconstruction.arguments import asked_data, asked_priors, asked_system
from ntkit.reconstruction.kernel_start import kernel_start
from ntkit.reconstruction.primal_dual import State
from ntkit.reconstruction.reconstruction_problem import ReconstructionProblem
from ntkit.reconstruction.torus import torus_prior

PATH = RESULTS / "reconstruction_runs.json"
_WORSE = 0.3  # dB


def read() -> dict[str, Entry]:
    """By `kind|item|size|setting|noise|draw`."""
    return kept_in(PATH)


def reconstructed(case: Measured) -> Entry:
    """All that is kept of a case."""
    began = time.process_time()
    system = asked_system(case.A, None, case.groups)
    y = system.data_of(asked_data(case.y, case.A))
    work = ReconstructionProblem(system, y, case.bounds, None, lambda _: None)
    priors = asked_priors(None, case.A.grid)
    found = work.priors([torus_prior(k, case.A.grid, n) for n, k in priors.items()])
    prior, row = found[0][0], work.with_noise(found[0][1])
    method = work.solver(row, is_near=False)
    terms = work.terms(prior, row, row.weight, 0.0)
    unit = row.weight * row.scale

    def quality(parts: Tensor, against: Tensor = case.truth) -> float:
        whole = system.whole_of(parts.double())[..., 0]
        return round(psnr(whole.abs() if whole.is_complex() else whole, against), 3)

    path = work.path(prior, row)
    chose = time.process_time() - began
    alone, linear = work.kernel_alone(prior, row, to_the_end=False)
    reached: dict[tuple[float, float], float] = {}
    agrees: dict[tuple[float, float], float] = {}

    def walk(share: float, strengths: Sequence[float], enough: float, start: State | None) -> None:
        for count, strength in enumerate(strengths):
            if (
                count > strengths.index(enough)
                and _falls(reached, share)
                and (not agrees or _falls(agrees, share))
            ):
                break
            own = work.terms(prior, row, share * row.weight, strength)
            start = method.solve(own, start=start, tolerance=3e-5, iterations=300)
            field = method.field(start, own)[0]
            reached[share, strength] = quality(field)
            if case.complete is not None:
                agrees[share, strength] = quality(field, case.complete)

    for share in sorted({t.share for t in path.trials}, reverse=True):
        enough = path.best(share).total_variation
        strengths = sorted(t.total_variation for t in path.trials if t.share == share)
        if share > 0:  # as `ntkit.reconstruct` begins
            linear_terms = work.terms(prior, row, share * row.weight, 0.0)
            walk(share, strengths, enough, kernel_start(method, linear, linear_terms))
        else:
            walk(share, strengths[::-1], enough, None)
    entry: Entry = {
        "prior": prior.name,
        "noise": row.noise,
        "true_noise": case.noise,
        "unit": unit,
        "trials": [
            [
                t.share,
                t.total_variation,
                reached.get((t.share, t.total_variation)),
                t.score,
                t.held_out,
                t.deviation,
                agrees.get((t.share, t.total_variation)),
            ]
            for t in path.trials
        ],
        "usual": round(psnr(case.usual, case.truth), 3),
        "seconds": round(chose, 1),
    }
    entry["kernel"] = quality(alone)
    if case.complete is not None:
        entry["complete"] = round(psnr(case.complete, case.truth), 3)
    if case.bounds is not None:
        entry["kernel_bounded"] = quality(terms.clip(alone))
    return entry


def _falls(reached: dict[tuple[float, float], float], share: float) -> bool:
    """Whether the last strength of a share is worse than an earlier one: those beyond it are worse still."""
    values = [value for (s, _), value in reached.items() if s == share]
    return values[-1] < max(values) - _WORSE


def complete(
    kind: str,
    names: list[str],
    sizes: list[int],
    settings: list[str],
    noises: list[float],
    draws: int,
    data: Path,
) -> None:
    """Measure what is missing."""
    for draw in range(draws):
        for size in sizes:
            for noise in noises:
                for setting in settings:
                    for name in names:
                        key = f"{kind}|{name}|{size}|{setting}|{noise:g}|{draw}"
                        if key in read():
                            continue
                        began = time.perf_counter()
                        case = measured(kind, name, size, setting, noise, draw, data)
                        entry = reconstructed(case)
                        keep(PATH, key, entry)
                        took = time.perf_counter() - began
                        print(key, entry["seconds"], round(took), entry["kernel"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    every = [name for names in KINDS.values() for name in names]
    parser.add_argument("--kind", choices=sorted(SETTINGS), default="ct")
    parser.add_argument("--items", nargs="+", default=every)
    parser.add_argument("--size", nargs="+", type=int, default=[128])
    parser.add_argument("--settings", nargs="+", help="views of ct; see `reconstruction_scans`")
    parser.add_argument("--noise", nargs="+", type=float, default=[0.01, 0.05])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--data", type=Path, default=SHARED)
    given = parser.parse_args()
    torch.set_grad_enabled(False)
    settings = given.settings or list(SETTINGS[given.kind])
    complete(given.kind, given.items, given.size, settings, given.noise, given.draws, given.data)
