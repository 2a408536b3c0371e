"""From features to the state before the first layer, with every digit of small angles."""

import torch
from torch import Tensor

from ntkit.kernels.infinite.activations.pair import safe_sqrt
from ntkit.kernels.infinite.moments.layout import Layout, columns_last
from ntkit.kernels.infinite.moments.state import PairState

__all__ = ["close_pairs", "state_of_each", "state_of_features", "state_of_pairs"]

_NEAR = 0.05
"""Of `2 |u||v|`: below this, a distance is taken from the difference of the unit vectors."""

_NEARER = 1e-3
"""Below this it is computed in twice the precision: unit vectors have rounding of their own."""

_PARALLEL = (4 * torch.finfo(torch.float64).eps) ** 2
"""Of `|u||v|`: a distance that rounding of the vectors' own entries makes."""

_AT_ONCE = 2**22
"""Entries of the differences that are held at a time."""


def state_of_features(
    z1: Tensor, z2: Tensor, layout: Layout, *, with_ntk: bool, with_variances: bool
) -> PairState:
    """Dot products of features `[n, *positions, f]`, `[m, *positions, f]` over `f`.

    O(n m f) per position, or per pair of positions.
    """
    positions = tuple(z1.shape[1:-1])
    f = z1.shape[-1]
    rows, cols = z1.reshape(len(z1), -1, f), z2.reshape(len(z2), -1, f)
    n, m, size = len(rows), len(cols), rows.shape[1]
    if layout == "pairs" and positions:
        dots = (rows.reshape(-1, f) @ cols.reshape(-1, f).T).div_(f).reshape(n, size, m, size)
        shape = (n, m, *positions, *positions)
        cov = dots.permute(0, 2, 1, 3)
    else:
        dots = (rows.transpose(0, 1).contiguous() @ cols.permute(1, 2, 0).contiguous()).div_(f)
        shape = (n, m, *positions)
        cov = dots.permute(1, 2, 0)
    return _state(cov, rows, cols, positions, shape, layout, with_ntk, with_variances)


def state_of_each(z: Tensor, layout: Layout, *, with_ntk: bool) -> PairState:
    """The same for each input against itself: `[n, 1, ...]`."""
    positions = tuple(z.shape[1:-1])
    f = z.shape[-1]
    rows = z.reshape(len(z), -1, f)
    n, size = rows.shape[:2]
    ntk = torch.zeros((), dtype=z.dtype, device=z.device) if with_ntk else None
    if layout == "each" or not positions:
        var = (rows**2).mean(-1).reshape(n, 1, *positions)
        return PairState(var, ntk, var, var, torch.zeros_like(var), None, positions, layout)
    cov = (rows @ rows.mT / f).reshape(n, 1, size, size)
    return _state(
        cov, rows, None, positions, (n, 1, *positions, *positions), layout, with_ntk, True
    )


def state_of_pairs(rows: Tensor, cols: Tensor, *, with_ntk: bool) -> PairState:
    """The same for rows `[k, f]` and columns `[k, f]` pair by pair: `[k]`."""
    ntk = torch.zeros((), dtype=rows.dtype, device=rows.device) if with_ntk else None
    every = (torch.arange(len(rows), device=rows.device),)
    near, far = _exact(rows, cols, every, every)
    var1, var2 = (rows**2).mean(1), (cols**2).mean(1)
    return PairState((rows * cols).mean(1), ntk, var1, var2, near, far)


def _state(
    cov: Tensor,
    rows: Tensor,
    cols: Tensor | None,
    positions: tuple[int, ...],
    shape: tuple[int, ...],
    layout: Layout,
    with_ntk: bool,
    with_variances: bool,
) -> PairState:
    ntk = torch.zeros((), dtype=cov.dtype, device=cov.device) if with_ntk else None
    if not with_variances:
        return PairState(cov.reshape(shape), ntk, positions=positions, layout=layout)
    var1 = (rows**2).mean(-1)[:, None]  # [n, 1, p]
    var2 = var1 if cols is None else columns_last((cols**2).mean(-1)[None])
    if layout == "pairs" and positions:
        left, right = var1[..., None], var2[..., None, :]
    else:
        left, right = var1, var2
    apart, together = _distances(
        cov, rows, rows if cols is None else cols, left, right, cols is None
    )
    blank = (1,) * len(positions) if layout == "pairs" else ()
    return PairState(
        cov.reshape(shape),
        ntk,
        var1.reshape(len(var1), 1, *positions, *blank),
        var2.reshape(*var2.shape[:2], *blank, *positions),
        apart.reshape(shape),
        together.reshape(shape),
        positions,
        layout,
    )


def _distances(
    cov: Tensor, rows: Tensor, cols: Tensor, var1: Tensor, var2: Tensor, diagonal: bool
) -> tuple[Tensor, Tensor]:
    """`2 (|u||v| -+ cov)`; the small ones anew from the vectors. Tables `[n, m, p]` or `[n, m, p, p]`."""
    norms = safe_sqrt(var1) * safe_sqrt(var2)
    apart, together = (2 * (norms - cov)).clamp_min(0), (2 * (norms + cov)).clamp_min(0)
    where = (cov.detach().abs() > (1 - _NEAR) * norms.detach()).nonzero()
    if not len(where):
        return apart, together
    i, j, p, q = where[:, 0], where[:, 1], where[:, 2], where[:, -1]
    near, far = _exact(rows, cols, (i, p), (i if diagonal else j, q))
    places = tuple(where.T)
    return apart.index_put(places, near), together.index_put(places, far)


def close_pairs(
    cosine: Tensor, largest: float, rows: Tensor, cols: Tensor
) -> tuple[tuple[Tensor, Tensor] | None, Tensor]:
    """Where two vectors of `[n, f]` and `[m, f]` are nearly parallel or opposite, and their angles.

    The cosine `[n, m]`, at most `largest` in size, tells the others' angles to all digits.
    """
    if largest <= 1 - _NEAR:
        return None, cosine
    i, j = (cosine.abs() > 1 - _NEAR).nonzero(as_tuple=True)
    near, far = _exact(rows, cols, (i,), (j,))
    return (i, j), 2 * torch.atan2(near.sqrt(), far.sqrt())


def _exact(
    rows: Tensor, cols: Tensor, first: tuple[Tensor, ...], second: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Both distances of chosen pairs of vectors, from the vectors themselves."""
    chunk = max(1, _AT_ONCE // rows.shape[-1])
    parts = []
    for start in range(0, len(first[0]), chunk):
        u = rows[tuple(k[start : start + chunk] for k in first)]
        v = cols[tuple(k[start : start + chunk] for k in second)]
        tracked = torch.is_grad_enabled() and (u.requires_grad or v.requires_grad)
        same = not tracked and torch.equal(u, v)
        parts.append(_itself(u) if same else _settled(u, v, *_plain(u, v)))
    near, far = (torch.cat(tables) for tables in zip(*parts, strict=True))
    return near, far


def _settled(u: Tensor, v: Tensor, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """The same with the closest in twice the precision; gradients stay those of the unit vectors.

    Where these are asked for, vectors parallel (or opposite) up to their own rounding count as just
    that: a kernel that bends there would else have a slope in the direction of the rounding.
    """
    with torch.no_grad():
        norms = (u**2).mean(1).sqrt() * (v**2).mean(1).sqrt()
        smaller = torch.minimum(near, far)
        hard = (smaller < 2 * _NEARER * norms).nonzero()[:, 0]
    if not len(hard):
        return near, far
    with torch.no_grad():
        exact = _twofold(u[hard], v[hard])
    if not (near.requires_grad or far.requires_grad):
        near[hard], far[hard] = exact
        return near, far
    found = []
    for plain, value in zip((near, far), exact, strict=True):
        here = plain[hard]
        value = torch.where(value > _PARALLEL * norms[hard], value, 0)
        found.append(plain.index_put((hard,), value + (here - here.detach())))
    return found[0], found[1]


def _plain(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Both distances of rows `[k, f]`, from the unit vectors."""
    length1, length2 = u.norm(dim=1), v.norm(dim=1)
    left = u / torch.where(length1 > 0, length1, 1)[:, None]
    right = v / torch.where(length2 > 0, length2, 1)[:, None]
    norms = length1 * length2 / u.shape[1]
    near, far = norms * ((left - right) ** 2).sum(1), norms * ((left + right) ** 2).sum(1)
    if near.requires_grad:  # a zero vector has no unit vector, but its products have gradients
        dots = torch.where(norms > 0, 0, 2 * (u * v).mean(1))
        near, far = near - dots, far + dots
    return near, far


def _twofold(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Both distances of near parallel or opposite rows, by the part of `v` square to `u`.

    `w = v - (u.v / u.u) u` in twice the working precision, then `sin t = |w| / |v|` and
    `1 - |cos t| = sin^2 t / (1 + |cos t|)`.

    Source: Dekker 1971, error-free products; Ogita, Rump and Oishi 2005 (accurate dot products).
    """
    if torch.equal(u, v):
        return _itself(u)
    # Scaled by powers of two, which is exact, so that no product under- or overflows.
    u, scale1 = _unit_scale(u)
    v, scale2 = _unit_scale(v)
    uu, uu_low = _dot(u, u)
    uv, uv_low = _dot(u, v)
    ratio = uv / torch.where(uu > 0, uu, 1)
    product, error = _two_product(ratio, uu)
    ratio_low = (uv - product - error + uv_low - ratio * uu_low) / torch.where(uu > 0, uu, 1)
    high, low = _two_product(ratio[:, None], u)
    square_part = (v - high) - low - ratio_low[:, None] * u
    lengths = uu.sqrt() * (v**2).sum(1).sqrt()
    sine = uu.sqrt() * square_part.norm(dim=1)  # |u||v| sin t
    cosine = (lengths**2 - sine**2).clamp_min(0).sqrt()
    small = 2 * sine**2 / torch.where(lengths > 0, lengths + cosine, 1)
    large = 2 * (lengths + cosine)
    scale = scale1 * scale2 / u.shape[1]
    near, far = torch.where(uv > 0, small, large), torch.where(uv > 0, large, small)
    return near * scale, far * scale


def _itself(u: Tensor) -> tuple[Tensor, Tensor]:
    """The same where each row meets itself, to the same bits: no part is square to it."""
    u, scale = _unit_scale(u)
    total = u * u
    while total.shape[1] > 1:  # in the order of `_dot`
        half = total.shape[1] // 2
        total = torch.cat([total[:, :half] + total[:, half : 2 * half], total[:, 2 * half :]], 1)
    lengths = total[:, 0].sqrt() * (u**2).sum(1).sqrt()
    far = 2 * (lengths + (lengths**2).sqrt()) * (scale * scale / u.shape[1])
    return torch.zeros_like(far), far


def _unit_scale(u: Tensor) -> tuple[Tensor, Tensor]:
    largest = u.abs().amax(1)
    scale = torch.exp2(torch.frexp(torch.where(largest > 0, largest, 1))[1].to(u.dtype))
    return u / scale[:, None], scale


def _dot(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Dot products of rows as an unevaluated sum of two numbers, by halves."""
    total, errors = _two_product(u, v)
    low = errors.sum(1)
    while total.shape[1] > 1:
        half = total.shape[1] // 2
        left, right, rest = total[:, :half], total[:, half : 2 * half], total[:, 2 * half :]
        new = left + right
        part = new - left
        low = low + ((left - (new - part)) + (right - part)).sum(1)
        total = torch.cat([new, rest], 1)
    return total[:, 0], low


def _two_product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """`a b` and its rounding error, exactly."""
    product = a * b
    a_high, a_low = _split(a)
    b_high, b_low = _split(b)
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _split(a: Tensor) -> tuple[Tensor, Tensor]:
    big = (2**27 + 1) * a
    high = big - (big - a)
    return high, a - high
