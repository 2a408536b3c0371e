"""The trainings and kernels of the benchmark `paper_rows`, each saved as it ends.

    python -m benchmarks.paper_runs [ct|shepp|256|1000 ...]

A case is named by kind, picture, points a side and steps of the training. CT: a picture from 20 parallel views. MRI: a real picture,
or the whole brain ("brain"), from 12.6 % of its k-space, drawn as in the paper: normally around the middle, so densely that 99 %
of the middle is measured; one coil. No noise, as there; the data are made on a grid twice as fine.
"""

import sys
from pathlib import Path
from time import process_time

import torch
from torch import Tensor

import ntkit
from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.paper_raw import by_raw_coordinates
from benchmarks.reconstruction_items import halved, picture, psnr
from benchmarks.reconstruction_scans import lowest_frequencies, scan
from benchmarks.report import RESULTS
from benchmarks.signals import SHARED
from benchmarks.volume_mri import volume
from ntkit.encodings import AbstractEncoding, Gaussian, Identity
from ntkit.kernels import ntk
from ntkit.measurements import AbstractMeasurement, Fourier, rows_of
from ntkit.networks import mlp
from ntkit.reconstruction import reconstruct, train_on_measurements

PATH = RESULTS / "paper_rows_cases.json"
VIEWS, KEEP = 20, 0.126
BANDWIDTHS = (2.0, 4.0, 8.0)
BOUNDS = (0, 1)  # of the network's sigmoid, and so of the kernel's field
CASES = (
    "ct|shepp|256|1000",
    "ct|brain61|128|1000",
    "mri|brain|64|400",
    "ct|shepp|64|1000",
    "mri|shepp|64|1000",
    "mri|brain61|64|1000",
)
ENCODINGS = ("gaussian", "none")
RATES = {
    "mri|gaussian": 2e-3,
    "mri|none": 2e-3,
    "ct|gaussian": 1e-3,
    "ct|none": 1e-2,
}
"""Learning rates of the paper's notebooks."""

DENSITY = 4.77
"""Draws a point in the middle of k-space: 200,000 of a deviation of 13.9 points, of 96 x 96 x 96."""


class RealFourier(AbstractMeasurement):
    """Fourier samples of a real field, real and imaginary parts apart: `[samples, 2]`."""

    def __init__(self, samples: Fourier) -> None:
        self._samples = samples
        self.field_shape = samples.field_shape
        self.data_shape = (*samples.data_shape, 2)

    @property
    def device(self) -> torch.device:
        return self._samples.device

    @property
    def groups(self) -> Tensor:
        return self._samples.groups

    def _forward(self, field: Tensor) -> Tensor:
        return torch.view_as_real(self._samples(field)).movedim(-1, 1)

    def _adjoint(self, data: Tensor) -> Tensor:
        return self._samples.adjoint(torch.complex(data[:, 0], data[:, 1])).real

    def __getitem__(self, rows: slice | Tensor) -> AbstractMeasurement:
        return rows_of(self, rows)


def problem(kind: str, name: str, size: int, data: Path = SHARED) -> tuple:
    """The measurement, the data and the truth."""
    if kind == "ct":
        return scan(name, size, VIEWS, 0.0, 0, data)
    fine = volume(2 * size).double() if name == "brain" else picture(name, 2 * size, data)
    mask = normal_mask(size, fine.ndim, torch.Generator().manual_seed(0))
    A = RealFourier(Fourier((size,) * fine.ndim, mask))
    whole = lowest_frequencies(fine[None].to(torch.complex128), size)[0]
    return A, torch.view_as_real(whole[mask]), halved(fine)


def normal_mask(size: int, ndim: int, drawn: torch.Generator) -> Tensor:
    """The share `KEEP` of the points of k-space: those that normal draws around the middle hit at least once."""
    away = (torch.arange(size, dtype=torch.float64) - size // 2).square()
    distance = torch.zeros((), dtype=torch.float64)
    for axis in range(ndim):
        distance = distance + away.reshape(-1, *[1] * axis)

    def chance(deviation: float) -> Tensor:
        return -torch.expm1(-DENSITY * torch.exp(-distance / (2 * deviation**2)))

    low, high = 0.01 * size, float(size)
    for _ in range(60):  # bisection
        middle = (low + high) / 2
        low, high = (middle, high) if float(chance(middle).mean()) < KEEP else (low, middle)
    return torch.rand(distance.shape, generator=drawn, dtype=torch.float64) < chance(low)


def encoding_of(ndim: int, bandwidth: float | None) -> AbstractEncoding:
    if bandwidth is None:
        return Identity(ndim)
    return Gaussian(ndim, 256, bandwidth, torch.Generator().manual_seed(0))


def kernel_of(ndim: int, bandwidth: float | None) -> ntkit.kernels.AbstractKernel:
    generator = torch.Generator().manual_seed(0)
    return ntk(mlp(encoding_of(ndim, bandwidth), 1, width=256, depth=3, generator=generator))


@torch.no_grad()
def by_kernel(kind: str, name: str, size: int, encoding: str) -> Entry:
    """The field by the kernel alone, within the bounds and without: PSNR, and seconds of the former with its choice."""
    A, y, truth = problem(kind, name, size)
    began = process_time()
    if encoding == "gaussian":
        priors = {f"{b:g}": kernel_of(truth.ndim, b) for b in BANDWIDTHS}
        found = reconstruct(
            y, A, prior=priors, total_variation=False, bounds=BOUNDS, error_bars=False
        )
        field, free = found.field, found.alternatives["kernel alone"]
        chosen: float | None = float(str(found.choice.prior))
    else:
        free, field = by_raw_coordinates(kernel_of(truth.ndim, None), y, A, BOUNDS)
        chosen = None
    return {
        "kernel": round(psnr(field, truth), 3),
        "free": round(psnr(free, truth), 3),
        "bandwidth": chosen,
        "seconds": round(process_time() - began, 1),
    }


def by_training(
    kind: str, name: str, size: int, steps: int, encoding: str, bandwidth: float | None
) -> Entry:
    """The network with the settings of the paper's notebooks."""
    A, y, truth = problem(kind, name, size)
    began = process_time()
    trained = train_on_measurements(
        y,
        A,
        encoding=encoding_of(truth.ndim, bandwidth),
        bounds=BOUNDS,
        lr=RATES[f"{kind}|{encoding}"],
        width=256,
        depth=3,
        steps=steps,
        hold_out=0,
        evaluations=10,
    )
    return {
        "trained": round(psnr(trained.field, truth), 3),
        "bandwidth": bandwidth,
        "seconds": round(process_time() - began, 1),
    }


def by_default(kind: str, name: str, size: int) -> Entry:
    """What `ntkit.reconstruct` gives, with values from 0 to 1."""
    A, y, truth = problem(kind, name, size)
    began = process_time()
    found = reconstruct(y, A, bounds=BOUNDS, error_bars=False)
    took = round(process_time() - began, 1)
    alone = found.alternatives["total variation alone"]
    return {
        "default": round(psnr(found.field, truth), 3),
        "variation": round(psnr(alone, truth), 3),
        "seconds": took,
    }


def complete(case: str) -> None:
    """Measure what is missing of a case: the kernels first, as they choose the bandwidth."""
    kind, name, size, steps = case.split("|")
    asked = kind, name, int(size)
    for encoding in ENCODINGS:
        if f"{case}|{encoding}|kernel" not in kept_in(PATH):
            keep(PATH, f"{case}|{encoding}|kernel", by_kernel(*asked, encoding))
    if f"{case}|default" not in kept_in(PATH):
        keep(PATH, f"{case}|default", by_default(*asked))
    for encoding in ENCODINGS:
        if f"{case}|{encoding}|trained" not in kept_in(PATH):
            bandwidth = kept_in(PATH)[f"{case}|{encoding}|kernel"]["bandwidth"]
            entry = by_training(*asked, int(steps), encoding, bandwidth)
            keep(PATH, f"{case}|{encoding}|trained", entry)


def main() -> None:
    for case in sys.argv[1:] or CASES:
        complete(case)


if __name__ == "__main__":
    main()
