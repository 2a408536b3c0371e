"""Products with the grid operator against a Gram matrix built independently, on a 32x32 grid.

The reference never meets the library's recursion: explicit features of all 1,024 points (numpy,
float64), their dot products, and the arc-cosine recursion of a ReLU network with 3 hidden layers
written here, with the angle of each pair from the difference and the sum of its normalised features.
It is held to 50-digit arithmetic (mpmath, features and recursion, from the float32 frequencies that
the encoding stores) on 300 entries: the 150 pairs nearest to each other in a random sample, and 150
others. The product is with 3 standard normal vectors; errors are relative, in the 2-norm.
"""

from math import sqrt

import mpmath
import numpy as np
import torch
from numpy.typing import NDArray

import ntkit
from benchmarks.flow_accuracy import four_encodings
from benchmarks.report import Row
from ntkit.encodings import AbstractFourier
from ntkit.networks import mlp

GRID = ntkit.Grid((32, 32))
LAYERS = [(sqrt(2), 0.1), (sqrt(2), 0.1), (sqrt(2), 0.1), (1.0, 0.1)]
"""`w_std` and `b_std` of `ntkit.networks.mlp(..., parametrisation="ntk")` with 3 hidden layers."""

Array = NDArray[np.float64]


def explicit_gram(frequencies: Array, x: Array) -> Array:
    """The NTK of all pairs in float64: features, then angles, layer by layer."""
    phase = 2 * np.pi * x @ frequencies.T
    z = np.concatenate([np.cos(phase), np.sin(phase)], 1) / np.sqrt(phase.shape[1])
    ntk, cos, var = 0.0, 0.5 * z @ z.T, 0.5  # a mean over features: half of a cosine's square
    half = np.array([[np.linalg.norm(a - z, axis=1), np.linalg.norm(a + z, axis=1)] for a in z])
    angle = 2 * np.arctan2(half[:, 0], half[:, 1])
    for i, (w, b) in enumerate(LAYERS):
        if i:
            ntk = ntk * (np.pi - angle) / (2 * np.pi)
            cos = var * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
            # 1 - cos of the new angle, without the difference of near numbers
            loss = 2 * np.pi * np.sin(angle / 2) ** 2 - (np.sin(angle) - angle * np.cos(angle))
            gap, var = var * loss / np.pi, var / 2
        else:
            gap = 4 * var * np.sin(angle / 2) ** 2
        cos, gap, var = w**2 * cos + b**2, w**2 * gap, w**2 * var + b**2
        ntk = w**2 * ntk + cos
        angle = 2 * np.arcsin(np.sqrt(np.clip(gap / (4 * var), 0, 1)))
    return ntk


def entry_in_fifty_digits(frequencies: Array, x1: Array, x2: Array) -> float:
    """One entry of the same matrix: `cos` of the exact phases, then the plain recursion."""
    with mpmath.workdps(50):
        delta = [mpmath.mpf(a) - mpmath.mpf(b) for a, b in zip(x1, x2, strict=True)]
        phases = [
            sum(mpmath.mpf(f) * d for f, d in zip(b, delta, strict=True)) for b in frequencies
        ]
        cov = sum(mpmath.cos(2 * mpmath.pi * p) for p in phases) / len(phases) / 2
        ntk, var = mpmath.mpf(0), mpmath.mpf(1) / 2
        for i, (w, b) in enumerate(LAYERS):
            if i:
                t = mpmath.acos(cov / var)
                ntk *= (mpmath.pi - t) / (2 * mpmath.pi)
                cov = var * (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)
                var /= 2
            cov = mpmath.mpf(w) ** 2 * cov + mpmath.mpf(b) ** 2
            var = mpmath.mpf(w) ** 2 * var + mpmath.mpf(b) ** 2
            ntk = mpmath.mpf(w) ** 2 * ntk + cov
        return float(ntk)


def error_of_reference(frequencies: Array, x: Array, reference: Array) -> float:
    """Largest relative error of 300 entries of the reference."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, len(x), (5000, 2))
    nearest = np.argsort(np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1))
    chosen = pairs[np.concatenate([nearest[:150], nearest[150::32][:150]])]
    exact = [entry_in_fifty_digits(frequencies, x[i], x[j]) for i, j in chosen]
    found = reference[chosen[:, 0], chosen[:, 1]]
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


def compare(name: str, encoding: AbstractFourier) -> list[Row]:
    kernel = ntkit.ntk(mlp(encoding, 1, width=256, depth=3, parametrisation="ntk"))
    frequencies, x = encoding.frequencies.double().numpy(), GRID.points().numpy()
    reference = explicit_gram(frequencies, x)
    v = torch.randn(len(x), 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    exact = torch.from_numpy(reference) @ v
    rows = [
        Row(f"{name}: reference against 50 digits", error_of_reference(frequencies, x, reference))
    ]
    for dtype, target in ((torch.float64, 1e-8), (torch.float32, 2e-6)):
        op = ntkit.gram(kernel, GRID, structure="toeplitz", dtype=dtype)
        error = float(((op @ v).double() - exact).norm() / exact.norm())
        rows.append(Row(f"{name}: {str(dtype)[6:]} product", error, at_most=target))
    return rows


def measure() -> list[Row]:
    found = [compare(name, encoding) for name, encoding in four_encodings().items()]
    return [row for rows in found for row in rows]
