"""Two rows of the Fourier-features paper's Table 1 (Tancik et al. 2020), CT and MRI, and the same by the kernel alone.

CT: a picture from 20 parallel views. MRI: a real picture from 12.6 % of its k-space, drawn as there: normally around the middle,
so densely that 99 % of the middle is measured; one coil. No noise, as there; the pictures are Shepp and Logan's and a slice of
Colin27 (the paper's own brains are others), and the data are made on a grid twice as fine. Where two cores are too slow for the
paper's sizes (512 x 512 and 96 x 96 x 96) they are smaller, and MRI is of a slice: each row says which.

*Trained*, with the settings of the paper's notebooks: 3 hidden layers of 256 units, Adam, 1,000 steps on all data, values from 0 to 1,
on the coordinates as they are (none) or 256 Gaussian frequencies. *Kernel*: the tangent kernel of the same encoding and depth
alone, without bounds, its ridge by marginal likelihood. Beside them what `ntkit.reconstruct` gives by default, with values from 0 to 1. The bandwidth of both is the likeliest of 2, 4 and 8 by the measurements;
the time of that is the kernel's. What the kernel gives with the bandwidth (1 to 16), ridge and mean that are best by the truth shows
what a better choice could gain. The kernel of raw coordinates is not stationary: it is stored, for CT on 64 x 64 points, which so
smooth a field does not notice. Seconds are those of the processor, one thread. Each case is kept in `paper_rows_cases.json` as it
ends; `NTKIT_PAPER=ct|shepp|64|1000,...` takes some of them.
"""

import os
from math import pi
from pathlib import Path
from time import process_time

import torch
from torch import Tensor

import ntkit
from benchmarks.kept import Entry, keep
from benchmarks.kept import read as kept_in
from benchmarks.reconstruction_items import halved, picture, psnr
from benchmarks.reconstruction_scans import lowest_frequencies, scan
from benchmarks.report import RESULTS, Row
from benchmarks.signals import SHARED
from ntkit.encodings import AbstractEncoding, Gaussian, Identity
from ntkit.kernels import ntk
from ntkit.measurements import AbstractMeasurement, Fourier, Radon, rows_of
from ntkit.networks import mlp
from ntkit.reconstruction import reconstruct, train_on_measurements
from ntkit.reconstruction.arguments import asked_system
from ntkit.reconstruction.evidence import evidence, spectrum_of
from ntkit.reconstruction.torus import torus_prior

PATH = RESULTS / "paper_rows_cases.json"
VIEWS, KEEP = 20, 0.126
BANDWIDTHS = (2.0, 4.0, 8.0)
ORACLE, MEANS = (1.0, 2.0, 4.0, 8.0, 16.0), (0.0, 0.1, 0.2)
CASES = ("mri|shepp|64|1000", "mri|brain61|64|1000", "ct|shepp|64|1000", "ct|brain61|64|1000")
"""Kind, picture, pixels a side, steps of the training."""

RATES = {
    "mri|gaussian": 2e-3,
    "mri|none": 2e-3,
    "ct|gaussian": 1e-3,
    "ct|none": 1e-2,
}
"""Learning rates of the paper's notebooks."""

DENSITY = 4.77
"""Draws a point in the middle of k-space: 200,000 of a deviation of 13.9 points, of 96 x 96 x 96."""

ENCODINGS = ("gaussian", "none")
ABOVE = {"shepp": 8.0, "brain61": 4.0}


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
    fine = picture(name, 2 * size, data)
    mask = normal_mask(size, torch.Generator().manual_seed(0))
    A = RealFourier(Fourier((size, size), mask))
    whole = lowest_frequencies(fine[None].to(torch.complex128), size)[0]
    return A, torch.view_as_real(whole[mask]), halved(fine)


def normal_mask(size: int, drawn: torch.Generator) -> Tensor:
    """The share `KEEP` of the points of k-space: those that normal draws around the middle hit at least once."""
    away = (torch.arange(size, dtype=torch.float64) - size // 2).square()
    distance = away[:, None] + away

    def chance(deviation: float) -> Tensor:
        return -torch.expm1(-DENSITY * torch.exp(-distance / (2 * deviation**2)))

    low, high = 0.01 * size, float(size)
    for _ in range(60):  # bisection
        middle = (low + high) / 2
        low, high = (middle, high) if float(chance(middle).mean()) < KEEP else (low, middle)
    return torch.rand(size, size, generator=drawn, dtype=torch.float64) < chance(low)


def encoding_of(bandwidth: float | None) -> AbstractEncoding:
    if bandwidth is None:
        return Identity(2)
    return Gaussian(2, 256, bandwidth, torch.Generator().manual_seed(0))


def kernel_of(bandwidth: float | None) -> ntkit.kernels.AbstractKernel:
    return ntk(mlp(encoding_of(bandwidth), 1, width=256, depth=3))


def by_kernel(encoding: str, y: Tensor, A: AbstractMeasurement) -> tuple[Tensor, dict]:
    """The field by the kernel alone."""
    began = process_time()
    if encoding == "gaussian":
        priors = {f"{b:g}": kernel_of(b) for b in BANDWIDTHS}
        found = reconstruct(
            y, A, prior=priors, total_variation=False, bounds=None, error_bars=False
        )
        field, chosen = found.field, float(str(found.choice.prior))
    else:
        field, chosen = _by_stored_kernel(y, _coarser(A) if isinstance(A, Radon) else A), None
    took = process_time() - began
    if field.shape != A.field_shape:
        larger = torch.nn.functional.interpolate(
            field[None, None], size=A.field_shape, mode="bilinear", align_corners=False
        )
        field = larger[0, 0]
    return field, {"bandwidth": chosen, "kernel_seconds": round(took, 2)}


def _coarser(A: Radon) -> Radon:
    """The same rays through 64 x 64 points."""
    n, angles = 64, torch.arange(VIEWS, dtype=torch.float64) * pi / VIEWS
    size = A.field_shape[0]
    return Radon.parallel(
        (n, n),
        angles,
        n_detectors=A.data_shape[1],
        detector_spacing=1 / size,
        centre=(n - 1) / 2,
    )


def _by_stored_kernel(y: Tensor, A: AbstractMeasurement) -> Tensor:
    """Of a kernel that is not stationary: all of its matrix between data, in its eigenvectors."""
    matrix = kernel_of(None)(A.grid.points())
    matrix = matrix / matrix.diagonal().mean()
    system = asked_system(A, None, None)

    def smoothed(weights: Tensor) -> Tensor:
        field = system.adjoint(weights[:, None])
        return (field.flatten(-2) @ matrix).reshape(field.shape)

    data, ones = system.data_of(y[..., None]), torch.ones(1, 1, *A.field_shape, dtype=y.dtype)
    flat = system.forward(ones)[0]
    units = torch.eye(system.n_data, dtype=y.dtype).split(128)
    images = torch.cat([system.forward(smoothed(each))[:, 0] for each in units])
    spectrum = spectrum_of("raw coordinates", torch.arange(system.n_data), images)
    row = evidence(spectrum, data, flat, is_complex=False)
    rest = (data - row.mean * flat) @ spectrum.vectors / (spectrum.eigenvalues + row.weight)
    return smoothed(rest @ spectrum.vectors.T)[0, 0] + row.mean


def by_default(name: str) -> Entry:
    """What `ntkit.reconstruct` gives, with values from 0 to 1."""
    kind, item, size, _ = name.split("|")
    A, y, truth = problem(kind, item, int(size))
    began = process_time()
    found = reconstruct(y, A, bounds=(0, 1), error_bars=False)
    took = round(process_time() - began, 1)
    alone = found.alternatives["total variation alone"]
    return {
        "default": round(psnr(found.field, truth), 3),
        "variation": round(psnr(alone, truth), 3),
        "seconds": took,
    }


def best_kernel(name: str) -> Entry:
    """Of the kernel alone the bandwidth, ridge and mean that are best by the truth: what no choice could better."""
    kind, item, size, _ = name.split("|")
    A, y, truth = problem(kind, item, int(size))
    system = asked_system(A, None, None)
    data, ones = system.data_of(y[..., None]), torch.ones(1, 1, *A.field_shape, dtype=y.dtype)
    flat = system.forward(ones)[0]
    units = torch.eye(system.n_data, dtype=y.dtype)[:, None]
    seen = torch.cat([system.adjoint(u) for u in units.split(128)])
    best: Entry = {"best_kernel": -torch.inf}
    for bandwidth in ORACLE:
        prior = torus_prior(kernel_of(bandwidth), A.grid)
        fields = torch.cat([prior.covariance(s) for s in seen.split(128)])
        matrix = torch.cat([system.forward(f)[:, 0] for f in fields.split(128)])
        eigenvalues, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
        columns = vectors.T @ fields[:, 0].flatten(1)
        for mean in MEANS:
            among = ((data - mean * flat) @ vectors)[0]
            for ridge in (torch.logspace(-12, 0, 25) * float(eigenvalues.max())).tolist():
                field = mean + (among / (eigenvalues.clamp_min(0) + ridge)) @ columns
                reached = round(psnr(field.reshape(truth.shape), truth), 3)
                if reached > best["best_kernel"]:
                    best = {"best_kernel": reached, "bandwidth": bandwidth, "ridge": ridge}
    return best


def case(kind: str, name: str, size: int, steps: int, encoding: str) -> Entry:
    """Both ways with one encoding."""
    A, y, truth = problem(kind, name, size)
    with torch.no_grad():
        field, entry = by_kernel(encoding, y, A)
    bandwidth, began = entry["bandwidth"], process_time()
    trained = train_on_measurements(
        y,
        A,
        encoding=encoding_of(bandwidth),
        bounds=(0, 1),
        lr=RATES[f"{kind}|{encoding}"],
        width=256,
        depth=3,
        steps=steps,
        hold_out=0,
        evaluations=10,
    )
    return {
        **entry,
        "kernel": round(psnr(field, truth), 3),
        "trained": round(psnr(trained.field, truth), 3),
        "trained_seconds": round(process_time() - began, 1),
    }


def measure() -> list[Row]:
    asked = [name for name in os.environ.get("NTKIT_PAPER", "").split(",") if name] or CASES
    found = kept_in(PATH)
    for name in asked:
        kind, item, size, steps = name.split("|")
        if f"{name}|default" not in found:
            found = keep(PATH, f"{name}|default", by_default(name))
        if f"{name}|best" not in found:
            found = keep(PATH, f"{name}|best", best_kernel(name))
        for encoding in ENCODINGS:
            key = f"{name}|{encoding}"
            if key not in found:
                found = keep(PATH, key, case(kind, item, int(size), int(steps), encoding))
    return [
        row
        for name in dict.fromkeys(k.rpartition("|")[0] for k in found)
        for row in rows(name, found)
    ]


def rows(name: str, found: dict[str, Entry]) -> list[Row]:
    """Of one picture and measurement."""
    own = {e: found[f"{name}|{e}"] for e in ENCODINGS if f"{name}|{e}" in found}
    if len(own) < len(ENCODINGS):
        return []
    kind, item, size, steps = name.split("|")
    what = f"{kind.upper()}, {item}, {size} x {size}, {steps} steps"
    table = []
    for encoding, entry in own.items():
        table += [
            Row(f"{what}, {encoding}: trained", entry["trained"], "dB"),
            Row(
                f"{what}, {encoding}: kernel alone",
                entry["kernel"],
                "dB",
                at_least=entry["trained"],
            ),
            Row(
                f"{what}, {encoding}: time of the kernel over that of the training, {entry['trained_seconds']:.0f} s",
                entry["kernel_seconds"] / entry["trained_seconds"],
                at_most=0.1,
            ),
        ]
    if best := found.get(f"{name}|best"):
        label = f"{what}, gaussian: kernel alone, bandwidth {best['bandwidth']:g} and ridge by the truth"
        table.append(Row(label, best["best_kernel"], "dB"))
    usual = found[f"{name}|default"]
    table += [
        Row(f"{what}: `ntkit.reconstruct`, {usual['seconds']:.0f} s", usual["default"], "dB"),
        Row(f"{what}: total variation alone", usual["variation"], "dB"),
    ]
    for way in ("trained", "kernel"):
        above = own["gaussian"][way] - own["none"][way]
        table.append(Row(f"{what}, {way}: gaussian above none", above, "dB", at_least=ABOVE[item]))
    return table
