"""FreSh's rule for choosing a bandwidth, written here for comparison.

It takes the bandwidth at which the spectrum of the untrained network's output is nearest to the
target's, in the Wasserstein distance, averaged over 10 initialisations. The spectrum is the sum of the
DFT's magnitudes (over channels too) at each frequency |k_1| + ... + |k_d|, without the constant, cut
after the first 128 frequencies (the size that its authors recommend for Fourier features), and
normalised to sum to 1. Here both are taken on the training grid, since the rest is held out. The
rule knows neither the goal nor the budget.

The authors' programme resizes images to squares and sums over one quadrant of frequencies; here
frequencies are whole cycles per unit along each axis, whatever the shape, and all quadrants count.

`python -m benchmarks.fresh` applies it to the signals of the choice of bandwidth and keeps the choices
in `results/fresh.json` (two seconds of one core a network of 65,536 samples: five minutes for all).

Source: Kania, Mihajlovic, Prokudin, Tabor, Spurek 2025, "FreSh: Frequency Shifting for Accelerated
Neural Representation Learning" (arXiv:2410.05050), and its repository gmum/FreSh.
"""

import argparse
import json
import time
from collections.abc import Sequence

import torch
from torch import Tensor

from benchmarks.report import RESULTS
from benchmarks.signals import BESIDE, LISTED, load_all
from ntkit import Grid
from ntkit.encodings import Gaussian
from ntkit.networks import mlp

BANDWIDTHS = (1, 2, 4, 7, 10, 14, 20, 30, 45, 60)
INITIALISATIONS = 10
SIZE = 128
"""Frequencies of a spectrum, the constant left out."""

PATH = RESULTS / "fresh.json"


def spectrum(values: Tensor) -> Tensor:
    """Share of each frequency 1, 2, ..., at most `SIZE`, of `[*shape, channels]`."""
    shape = values.shape[:-1]
    magnitude = torch.fft.fftn(values.double(), dim=list(range(len(shape)))).abs().sum(-1)
    frequency = torch.zeros(shape)
    for axis, n in enumerate(shape):
        k = (torch.fft.fftfreq(n) * n).abs()
        frequency += k.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    total = torch.bincount(frequency.round().long().flatten(), magnitude.flatten())
    kept = total[1 : SIZE + 1]
    return kept / kept.sum()


def wasserstein(a: Tensor, b: Tensor) -> float:
    """Distance of two spectra, in frequencies: the area between their cumulative sums."""
    return float((a.cumsum(0) - b.cumsum(0)).abs().sum())


def untrained_output(grid: Grid, bandwidth: float, seed: int) -> Tensor:
    """Three channels of a 4 x 256 network on the grid; a network of one has the first of them."""
    generator = torch.Generator().manual_seed(seed)
    encoding = Gaussian(len(grid.shape), 256, bandwidth, generator)
    network = mlp(encoding, 3, width=256, depth=4, generator=generator)
    with torch.no_grad():
        parts = [network(x) for x in grid.points().float().split(8192)]
    return torch.cat(parts).reshape(*grid.shape, 3)


def distances(targets: Sequence[Tensor], grid: Grid) -> list[dict[int, float]]:
    """Mean distance at each bandwidth of each target `[*shape, channels]` on the same grid."""
    wanted = [spectrum(target) for target in targets]
    found: list[dict[int, float]] = [{} for _ in targets]
    for bandwidth in BANDWIDTHS:
        outputs = [untrained_output(grid, bandwidth, seed) for seed in range(INITIALISATIONS)]
        spectra = {n: [spectrum(out[..., :n]) for out in outputs] for n in (1, 3)}
        for target, want, means in zip(targets, wanted, found, strict=True):
            each = [wasserstein(want, have) for have in spectra[target.shape[-1]]]
            means[bandwidth] = sum(each) / len(each)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fresh", description=__doc__)
    parser.add_argument("--signals", default=",".join((*LISTED, *BESIDE)))
    names = parser.parse_args().signals.split(",")
    torch.set_num_threads(1)
    known = json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    cuts = {
        name: s.values[s.measurement.lattice]
        for name, s in load_all(names).items()
        if name not in known
    }
    grids: dict[tuple[int, ...], list[str]] = {}
    for name, cut in cuts.items():
        grids.setdefault(tuple(cut.shape[:-1]), []).append(name)
    for shape, group in sorted(grids.items()):
        start = time.process_time()
        found = distances([cuts[name] for name in group], Grid(shape))
        seconds = time.process_time() - start  # the outputs do not depend on the target
        for name, means in zip(group, found, strict=True):
            choice = min(means, key=lambda b: means[b])
            rounded = {str(b): round(d, 3) for b, d in means.items()}
            known[name] = {"choice": choice, "cpu_seconds": round(seconds, 2), "distance": rounded}
            print(name, known[name], flush=True)
        lines = [f"{json.dumps(name)}: {json.dumps(known[name])}" for name in sorted(known)]
        PATH.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
