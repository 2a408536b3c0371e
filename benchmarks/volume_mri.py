"""A volume of 96 x 96 x 96 points from an eighth of its k-space: time and memory of `ntkit.reconstruct` with its choice.

The head of Colin27, real, measured on a grid twice as fine at random places around the middle, noise of 1 % of the data's
deviation; by one coil, and by eight. The memory is what the reconstruction takes above the imports, in a process of its own. Without
error bars. Seconds are of a clock, two threads on idle cores, and of the processor; where each stage begins is kept in `volume_mri_cases.json`, and which of the cases are measured
says `NTKIT_COILS=1,8` (1 alone if left out). `NTKIT_SIDE=48` takes a smaller volume.
"""

import os
import sys
from time import perf_counter, process_time

import numpy as np
import torch
from torch import Tensor

from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.memory import measured
from benchmarks.reconstruction_items import halved, psnr
from benchmarks.reconstruction_scans import at_random, coils, lowest_frequencies
from benchmarks.report import RESULTS, Row
from benchmarks.signals import SHARED
from ntkit.measurements import Fourier
from ntkit.reconstruction import reconstruct, zero_filled

PATH = RESULTS / "volume_mri_cases.json"
SIDE = int(os.environ.get("NTKIT_SIDE", "96"))


def volume(side: int) -> Tensor:
    """Colin27's head in a cube, from 0 to 1, float32."""
    import nibabel

    whole = np.asarray(nibabel.load(SHARED / "mri" / "ch2.nii.gz").dataobj)  # pyright: ignore
    cube = np.zeros((224, 224, 224), dtype=np.float32)
    first = [(224 - n) // 2 for n in whole.shape]
    cube[tuple(slice(f, f + n) for f, n in zip(first, whole.shape, strict=True))] = whole / 255
    return torch.nn.functional.interpolate(
        torch.from_numpy(cube)[None, None], size=(side,) * 3, mode="trilinear"
    )[0, 0]


def scanned(count: int) -> tuple[Fourier, Tensor, Tensor]:
    """The measurement, the data and the truth."""
    fine = volume(2 * SIDE)
    place = (torch.arange(2 * SIDE, dtype=torch.float64) - 0.5) / (2 * SIDE) - 0.5
    middles = torch.arange(SIDE, dtype=torch.float64) / SIDE - 0.5
    drawn = torch.Generator().manual_seed(0)
    mask = at_random(SIDE, 3, 0.125, drawn)
    maps = coils(count, middles, 3).contiguous() if count > 1 else None
    A = Fourier((SIDE,) * 3, mask, maps)
    finer = coils(count, place, 3).to(torch.complex64)
    seen = [lowest_frequencies((fine * one)[None], SIDE)[0][mask] for one in finer]
    y = torch.stack(seen, 1) if count > 1 else seen[0]
    parts = torch.randn(2, *y.shape, generator=drawn, dtype=torch.float64)
    y = y + 0.01 * y.std() * torch.complex(*parts) / 2**0.5
    return A, y, halved(fine)


def timed(count: int) -> Entry:
    A, y, truth = scanned(count)
    began, processor, stages = perf_counter(), process_time(), []

    def say(stage: str) -> None:
        stages.append([stage, round(perf_counter() - began, 1)])
        print(*stages[-1], file=sys.stderr, flush=True)

    found = reconstruct(y, A, error_bars=False, on_progress=say)
    processor = process_time() - processor
    quality = {"chosen": found.field, **found.alternatives}
    quality["zero filling"] = zero_filled(y[..., None], A)[..., 0]
    return {
        "seconds": round(found.seconds, 1),
        "processor": round(processor, 1),
        "psnr": {name: round(psnr(field.abs(), truth), 2) for name, field in quality.items()},
        "stages": stages,
    }


def one_coil() -> Entry:
    return timed(1)


def eight_coils() -> Entry:
    return timed(8)


def measure() -> list[Row]:
    found, table = kept_in(PATH), []
    for count in os.environ.get("NTKIT_COILS", "1").split(","):
        if (key := f"{SIDE}|{count}") not in found:
            name = {"1": "one_coil", "8": "eight_coils"}[count]
            peak, entry = measured("benchmarks.volume_mri", name)
            found = keep(PATH, key, {**entry, "peak": peak})
    for key, entry in found.items():
        side, count = key.split("|")
        what, is_asked = f"{side}^3, coils: {count}", side == "96"
        table += [
            Row(f"{what}: seconds", entry["seconds"], "s", 180 if is_asked else None),
            Row(f"{what}: seconds of the processor", entry["processor"], "s"),
            Row(f"{what}: memory", entry["peak"] / 2**30, "GiB", 4 if is_asked else None),
            *(Row(f"{what}: {name}", value, "dB") for name, value in entry["psnr"].items()),
        ]
    return table
