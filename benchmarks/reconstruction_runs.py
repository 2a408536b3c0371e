"""The reconstructions of the benchmark `reconstruction`, saved as each ends.

    python -m benchmarks.reconstruction_runs [--size 128] [--views 30] [--noise 0.01 0.05] [--draws 3] [--items brain40 ...]

A case is a picture, measured on a grid twice as fine (two lines over the width of a detector), with noise of a share of the
data's deviation. Kept of it: filtered back-projection with its best window (by the truth), and for each share of the kernel's
weight and each strength of total variation the PSNR of the reconstruction from all data, beside what the data held out said of
it. So every rule of choice, and the oracle of the grid, can be read from what is kept. `chosen` is `ntkit.reconstruct`.
"""

import argparse
import time
from dataclasses import replace
from math import pi
from pathlib import Path

import torch

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.reconstruction_items import KINDS, halved, picture, psnr
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from ntkit.measurements import Radon
from ntkit.reconstruction import filtered_back_projection
from ntkit.reconstruction.asked import asked_bounds, asked_data, asked_priors, asked_system
from ntkit.reconstruction.choice import try_variations
from ntkit.reconstruction.primal_dual import PrimalDual, Terms
from ntkit.reconstruction.torus import torus_prior
from ntkit.reconstruction.work import SHARES, Work

PATH = RESULTS / "reconstruction_runs.json"
WINDOWS = ("ramp", "shepp-logan", "cosine", "hamming", "hann")


def read() -> dict[str, Entry]:
    """By `ct|item|size|views|noise|draw`."""
    return kept_in(PATH)


def scan(name: str, size: int, views: int, noise: float, draw: int, data: Path) -> tuple:
    """The measurement, the data and the true picture."""
    fine = picture(name, 2 * size, data)
    angles = torch.arange(views, dtype=torch.float64) * pi / views
    A = Radon.parallel((size, size), angles, centre=(size - 1) / 2)
    finer = Radon.parallel(
        (2 * size, 2 * size),
        angles,
        n_detectors=A.data_shape[1],
        detector_spacing=1 / size,
        n_rays=2,
        centre=(2 * size - 1) / 2,
    )
    clean = finer(fine[..., None])[..., 0]
    generator = torch.Generator().manual_seed(draw)
    white = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    return A, clean + noise * clean.std() * white, halved(fine)


def measured(name: str, size: int, views: int, noise: float, draw: int, data: Path) -> Entry:
    """All that is kept of a case."""
    A, y, truth = scan(name, size, views, noise, draw, data)
    began = time.process_time()
    system = asked_system(A, None, None)
    work = Work(
        system, system.data_of(asked_data(y, A)), asked_bounds("auto", A), None, lambda _: None
    )
    priors = asked_priors(None, A.grid)
    found = work.priors([torus_prior(k, A.grid, n) for n, k in priors.items()])
    prior, row = found[0][0], work.with_noise(found[0][1])
    method = PrimalDual(system, work.y, scale=row.scale, ridge=row.weight)
    terms = work.terms(prior, row, row.weight, 0.0)
    shares = (*SHARES, 0.0)
    path = try_variations(
        method,
        system,
        work.y,
        terms,
        shares=shares,
        unit=row.weight * row.scale,
        noise=row.noise,
        say=work.say,
    )
    chose = time.process_time() - began
    whole = Terms(
        terms.keep.repeat(len(shares), 1, 1),
        row.weight * torch.tensor(shares, dtype=torch.float64),
        torch.zeros(len(shares), dtype=torch.float64),
        terms.spectrum,
        terms.mean,
        terms.bounds,
    )
    state, quality = None, {}
    for strength in sorted({t.total_variation for t in path.trials}, reverse=True):
        own = replace(whole, variation=torch.full_like(whole.variation, strength))
        state = method.solve(own, start=state, tolerance=3e-5, iterations=300)
        fields = method.field(state, own)[:, 0].double()
        quality |= {(s, strength): psnr(f, truth) for s, f in zip(shares, fields, strict=True)}
    alone = work.kernel_alone(prior, row, to_the_end=False)[0][0]
    return {
        "prior": prior.name,
        "noise": row.noise,
        "true_noise": noise * float(y.std()),
        "unit": row.weight * row.scale,
        "trials": [
            [
                t.share,
                t.total_variation,
                round(quality[t.share, t.total_variation], 3),
                t.score,
                t.held_out,
                t.deviation,
            ]
            for t in path.trials
        ],
        "kernel": round(psnr(alone, truth), 3),
        "kernel_bounded": round(psnr(alone.clamp_min(0), truth), 3),
        "fbp": round(max(psnr(_projected_back(y, A, w), truth) for w in WINDOWS), 3),
        "seconds": round(chose, 1),
    }


def _projected_back(y: torch.Tensor, A: Radon, window: str) -> torch.Tensor:
    return filtered_back_projection(y[..., None], A, window)[..., 0].clamp_min(0)


def complete(
    names: list[str],
    sizes: list[int],
    views: list[int],
    noises: list[float],
    draws: int,
    data: Path,
) -> None:
    """Measure what is missing."""
    for draw in range(draws):
        for size in sizes:
            for n_views in views:
                for noise in noises:
                    for name in names:
                        key = f"ct|{name}|{size}|{n_views}|{noise:g}|{draw}"
                        if key in read():
                            continue
                        entry = measured(name, size, n_views, noise, draw, data)
                        keep(PATH, key, entry)
                        print(key, entry["seconds"], entry["kernel"], entry["fbp"], flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    every = [name for names in KINDS.values() for name in names]
    parser.add_argument("--items", nargs="+", default=every)
    parser.add_argument("--size", nargs="+", type=int, default=[128])
    parser.add_argument("--views", nargs="+", type=int, default=[30])
    parser.add_argument("--noise", nargs="+", type=float, default=[0.01, 0.05])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--data", type=Path, default=SHARED)
    given = parser.parse_args()
    torch.set_grad_enabled(False)
    complete(given.items, given.size, given.views, given.noise, given.draws, given.data)
