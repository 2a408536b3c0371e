"""Slow and obvious versions of what the library does fast, at most 15 plain lines each."""

from functools import reduce
from itertools import product
from math import cos, floor, inf, pi, prod, sin
from operator import xor

import mpmath
import numpy as np
import torch
from torch import Tensor, nn

from ntkit.encodings import HashGrid


def fourier_features(frequencies: Tensor, amplitudes: Tensor, x: Tensor) -> Tensor:
    """`a_j cos(2 pi b_j.x)` for all j, then `a_j sin(2 pi b_j.x)`, one point and one j at a time."""
    rows = []
    for point in x:
        phases = [2 * pi * float(b @ point) for b in frequencies]
        waves = [[wave(p) for p in phases] for wave in (cos, sin)]
        rows.append([float(a) * w for half in waves for a, w in zip(amplitudes, half, strict=True)])
    return torch.tensor(rows, dtype=torch.float64)


def toeplitz_matrix(table: Tensor, rows: tuple[int, ...], cols: tuple[int, ...]) -> Tensor:
    """`K[i, j] = table[i - j + cols - 1]` over all pairs of multi-indices."""
    lines = [
        [
            table[tuple(a - b + m - 1 for a, b, m in zip(i, j, cols, strict=True))]
            for j in product(*map(range, cols))
        ]
        for i in product(*map(range, rows))
    ]
    return torch.tensor(lines, dtype=torch.float64)


def circulant_matrix(table: Tensor) -> Tensor:
    """`K[i, j] = table[(i - j) mod shape]` over all pairs of multi-indices."""
    index = list(product(*map(range, table.shape)))
    shape = table.shape
    entry = [
        [table[tuple((a - b) % n for a, b, n in zip(i, j, shape, strict=True))] for j in index]
        for i in index
    ]
    return torch.tensor(entry, dtype=torch.float64)


def flow_by_eigh(matrix: Tensor, r: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """`exp(-tK) r` and `phi_t(K) r` for a vector or the columns of `r`, one eigenvalue at a time."""
    values, vectors = torch.linalg.eigh(matrix)
    if t == inf:
        return torch.zeros_like(r), torch.linalg.solve(matrix, r)
    decay, weights = torch.zeros_like(r), torch.zeros_like(r)
    for value, vector in zip(values, vectors.T, strict=True):
        part = torch.tensordot(vector, vector @ r, dims=0)
        share = -torch.expm1(-t * value)
        decay += (1 - share) * part
        weights += (share / value if abs(t * value) > 1e-12 else t) * part
    return decay, weights


def jacobian_kernel(net: nn.Module, *points: Tensor) -> Tensor:
    """`J J^T` of output 0 over the parameters that ask for gradients, by `torch.func`.

    Each point goes through alone, so that a dropout draws each its own masks.
    """
    parameters = {k: v.detach() for k, v in net.named_parameters() if v.requires_grad}

    def output(p: dict[str, Tensor], alone: tuple[Tensor, ...]) -> Tensor:
        return torch.func.functional_call(net, p, alone).flatten()[0]

    def row(*point: Tensor) -> dict[str, Tensor]:
        return torch.func.grad(output)(parameters, tuple(x[None] for x in point))

    rows = [row(*point) for point in zip(*points, strict=True)]
    blocks = [torch.stack([r[name].flatten() for r in rows]) for name in parameters]
    return sum((b @ b.T for b in blocks), torch.zeros(()))


def relu_duals(norm1: float, norm2: float, angle: float) -> tuple[mpmath.mpf, ...]:
    """`E[s s]`, `E[s' s']` and `E[(s(u) - s(v))^2]` for `s = relu`, in 50 digits."""
    with mpmath.workdps(50):
        a, b, t = mpmath.mpf(norm1), mpmath.mpf(norm2), mpmath.mpf(angle)
        cov = a * b * (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)
        return cov, (mpmath.pi - t) / (2 * mpmath.pi), (a * a + b * b) / 2 - 2 * cov


def dense_ntk(x1: list[float], x2: list[float], layers: list[tuple[float, float]]) -> mpmath.mpf:
    """NTK of `Linear, ReLU, Linear, ..., Linear` with the `(w_std, b_std)` given, in 50 digits."""
    with mpmath.workdps(50):
        d = len(x1)
        pairs = [(x1, x2), (x1, x1), (x2, x2)]
        k, a, b = [
            sum(mpmath.mpf(p) * mpmath.mpf(q) for p, q in zip(*pq, strict=True)) / d for pq in pairs
        ]
        ntk = mpmath.mpf(0)
        for i, (w, u) in enumerate(layers):
            if i:
                root = mpmath.sqrt(a * b)
                t = mpmath.acos(k / root)
                ntk *= (mpmath.pi - t) / (2 * mpmath.pi)
                k = root * (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)
                a, b = a / 2, b / 2
            k, a, b = [mpmath.mpf(w) ** 2 * c + mpmath.mpf(u) ** 2 for c in (k, a, b)]
            ntk = mpmath.mpf(w) ** 2 * ntk + k
        return ntk


def layer_jacobian_kernels(net: nn.Module, x: Tensor) -> list[Tensor]:
    """`J J^T` of output 0 over the parameters of each layer alone: `jacobian_kernel` in parts."""
    parameters = {k: v.detach() for k, v in net.named_parameters()}

    def output(p: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(net, p, (x,))[:, 0]

    kernels: dict[str, Tensor] = {}
    for name, block in torch.func.jacrev(output)(parameters).items():
        layer = name.rpartition(".")[0]
        kernels[layer] = kernels.get(layer, 0) + block.flatten(1) @ block.flatten(1).T
    return list(kernels.values())


def dense_ntk_parts(
    angle: float, variance: float, layers: list[tuple[float, float, float, float]]
) -> list[mpmath.mpf]:
    """Each dense layer's part of the NTK of equally long inputs, `(w^2, b^2, own_w, own_b)` each."""
    with mpmath.workdps(50):
        a, parts = mpmath.mpf(variance), []
        k = a * mpmath.cos(angle)
        for i, (w, b, own_w, own_b) in enumerate(layers):
            if i:
                t = mpmath.acos(min(k / a, mpmath.mpf(1)))
                parts = [p * (mpmath.pi - t) / (2 * mpmath.pi) for p in parts]
                k = a * (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)
                a /= 2
            parts = [w * p for p in parts] + [own_w * k + own_b]
            k, a = w * k + b, w * a + b
        return parts


def adam_by_steps(
    kernels: Tensor, cross: Tensor, y: Tensor, steps: int, rate: Tensor, batch_size: int, cap: float
) -> tuple[Tensor, Tensor]:
    """Residual and prediction after Adam with one mean square a layer: `rate[s, g]` at step `s`.

    `kernels [g, n, n]`, `cross [g, m, n]`, `y [n, o]`; a matrix exponential each step.
    """
    n, r, f, v = len(y), y.clone(), y.new_zeros(cross.shape[1], y.shape[1]), 0.0
    for s in range(steps):
        noise = (n / batch_size if n > batch_size else 0.0) * (r**2).sum() * kernels[:, 0, 0]
        gradient = torch.stack([(r * (k @ r)).sum() for k in kernels])
        v = 0.999 * v + 0.001 * (gradient + noise)
        c = rate[s] / (v / (1 - 0.999 ** (s + 1))).sqrt()
        c = c * min(1.0, cap / float(torch.linalg.eigvalsh(torch.tensordot(c, kernels, 1))[-1]))
        decay, weights = flow_by_eigh(torch.tensordot(c, kernels, 1), r, 1.0)
        f, r = f + torch.tensordot(c, cross, 1) @ weights, decay
    return r, f


def matern(nu: float, distance: mpmath.mpf) -> mpmath.mpf:
    """`2^(1 - nu) / Gamma(nu) a^nu K_nu(a)`, `a = sqrt(2 nu) distance`, in 50 digits: any `nu`."""
    with mpmath.workdps(50):
        a = mpmath.sqrt(2 * mpmath.mpf(nu)) * distance
        bessel = a ** mpmath.mpf(nu) * mpmath.besselk(nu, a)
        return 2 ** (1 - mpmath.mpf(nu)) / mpmath.gamma(nu) * bessel


def arc_cosine(order: int, x: list[float], y: list[float]) -> mpmath.mpf:
    """Cho and Saul's formulas of order 0, 1 and 2 at two points of the plane, in 100 digits."""
    with mpmath.workdps(100):
        (a, b), (c, d) = map(mpmath.mpf, x), map(mpmath.mpf, y)
        t = mpmath.atan2(abs(a * d - b * c), a * c + b * d)
        s, k, far = mpmath.sin(t), mpmath.cos(t), mpmath.pi - t
        j = [far, s + far * k, 3 * s * k + far * (1 + 2 * k**2)][order]
        return (mpmath.hypot(a, b) * mpmath.hypot(c, d)) ** order * j / mpmath.pi


def spherical_harmonics(max_degree: int, x: Tensor) -> Tensor:
    """`Y_lm` of directions `[n, 3]` in order of `l^2 + l + m`, real and without phase, in 30 digits."""
    rows = []
    for point in x.tolist():
        with mpmath.workdps(30):
            a, b, c = map(mpmath.mpf, point)
            theta, phi = mpmath.acos(c / mpmath.sqrt(a * a + b * b + c * c)), mpmath.atan2(b, a)
            row = []
            for degree, m in ((n, m) for n in range(max_degree + 1) for m in range(-n, n + 1)):
                y = mpmath.spherharm(degree, abs(m), theta, phi) * (-1) ** m
                part = mpmath.im(y) if m < 0 else mpmath.re(y)
                row.append(float(part * (mpmath.sqrt(2) if m else 1)))
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def hash_entry(vertex: list[int], n: int, size: int) -> int:
    """The row of a vertex in the table of its level: counted where all `n^d` fit, else by Teschner's hash."""
    if n ** len(vertex) <= size:
        return sum(v * n**axis for axis, v in enumerate(vertex))
    primes = (1, 2654435761, 805459861, 3674653429)
    return reduce(xor, (v * p % 2**32 for v, p in zip(vertex, primes, strict=False))) % size


def hash_grid(grid: HashGrid, x: Tensor) -> Tensor:
    """One point, one level, one corner at a time, in Python's numbers."""
    out = torch.zeros(len(x), grid.n_levels, grid.n_features_per_level, dtype=torch.float64)
    tables, start = grid.tables.detach().double(), 0
    for k, n in enumerate(grid.n_vertices):
        size = min(n**grid.in_dim, 2**grid.log2_hashmap_size)
        cells = grid.base_resolution * grid.per_level_scale**k - 1
        for i, corner in product(range(len(x)), product((0, 1), repeat=grid.in_dim)):
            places = [cells * p + 0.5 for p in x[i].tolist()]
            vertex = [floor(p) + c for p, c in zip(places, corner, strict=True)]
            inner = [p - floor(p) for p in places]
            if grid.interpolation == "smoothstep":
                inner = [3 * w**2 - 2 * w**3 for w in inner]
            weight = prod(w if c else 1 - w for w, c in zip(inner, corner, strict=True))
            out[i, k] += weight * tables[start + hash_entry(vertex, n, size)]
        start += size
    return out.flatten(1)


def winding_number(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Solid angles of triangles `[f, 3, 3]` seen from points, over the sphere's: Van Oosterom and Strackee 1983, eq. 8."""
    found = []
    for point in points:
        a, b, c = (triangles - point).transpose(1, 0, 2)
        la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
        above = (a * np.cross(b, c)).sum(1)
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        found.append(np.arctan2(above, below).sum() * 2 / (4 * pi))
    return np.array(found)
