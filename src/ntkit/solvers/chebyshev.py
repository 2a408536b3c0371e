"""Functions of a symmetric operator by Chebyshev series: one recurrence for all functions."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import log, sqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit.operators.affine import affine
from ntkit.operators.base import AbstractOperator

__all__ = ["chebyshev_apply", "chebyshev_series", "flow_degree"]

_BLOCK = 8  # basis vectors gathered before one matrix product adds them to all results


def chebyshev_series(
    functions: Sequence[Callable[[Tensor], Tensor]],
    *,
    upper: float,
    tolerances: Sequence[float],
    degree: int,
) -> Float[Tensor, "s k"]:
    """Chebyshev coefficients on `[0, upper]`, cut where what is left out is below the tolerance.

    Args:
        functions: Smooth functions of a float64 tensor in `[0, upper]`.
        upper: End of the interval.
        tolerances: For each function, the bound on `sum |c_j|` over the coefficients left out: a
            bound on the error of the series anywhere in the interval.
        degree: A degree that is certainly enough (`flow_degree`).

    Returns:
        One row a function, zero behind its own cut.

    Source: Trefethen, Approximation Theory and Practice, theorem 7.2 and chapter 3 (by FFT).

    Example:
        >>> series = chebyshev_series([lambda s: (-s).exp()], upper=1.0, tolerances=[1e-6], degree=20)
        >>> series.shape[0], series.shape[1] < 20
        (1, True)
    """
    n = 2 * degree + 16
    angles = torch.pi * (torch.arange(n, dtype=torch.float64) + 0.5) / n
    nodes = upper * (0.5 * angles).cos() ** 2
    values = torch.stack([f(nodes) for f in functions])
    # The type-two cosine transform, by one FFT of the mirrored sequence.
    spectrum = torch.fft.fft(torch.cat([values, values.flip(1)], 1))[:, :n]
    shift = torch.exp(-0.5j * torch.pi * torch.arange(n, dtype=torch.float64) / n)
    coefficients = (spectrum * shift).real / n
    coefficients[:, 0] /= 2
    # Coefficients at the rounding of the values are noise: summed over a long tail they would pass for
    # something, and every product up to `degree` be made for them.
    sizes, largest = coefficients.abs(), values.abs().amax(1)
    noise = torch.finfo(torch.float64).eps * largest[:, None]
    tails = torch.where(sizes > noise, sizes, 0.0).flip(1).cumsum(1).flip(1)
    # The cosine transform itself is only good to rounding: no tail can be asked to fall below that.
    floor = 8 * torch.finfo(torch.float64).eps * largest * log(n)
    bound = torch.maximum(torch.tensor(tolerances, dtype=torch.float64), floor)
    keep = tails > bound[:, None]
    length = min(max(1, int(keep.sum(1).max())), degree + 1)
    return (coefficients * keep)[:, :length]


def flow_degree(scale: float, tolerance: float) -> int:
    """A degree that is enough for `exp(-scale * s)` on `[0, 1]` with the error `tolerance`.

    `sqrt(scale * log(1/tol))` while that is below `scale`, then `log(1/tol)` more.

    Source: Hochbruck and Lubich 1997, theorem 2 (bounds for the Chebyshev series of exp).
    """
    digits = log(4 / tolerance) + 4
    return int(1.2 * sqrt(scale * digits) + 1.5 * digits) + 8


def chebyshev_apply(
    op: AbstractOperator,
    v: Float[Tensor, "c n"],
    coefficients: Float[Tensor, "s k"],
    *,
    upper: float,
    deflate: Float[Tensor, "q n"],
    on_step: Callable[[], None] | None = None,
) -> Float[Tensor, "s c n"]:
    """`f_s(K) v` for every series at once: one product with `K` a degree.

    Args:
        op: Symmetric operator, eigenvalues in `[0, upper]` (on what is not deflated).
        v: Row vectors, orthogonal to `deflate`.
        coefficients: From `chebyshev_series` with the same `upper`.
        upper: Bound of the spectrum.
        deflate: Orthonormal rows that are projected out of each product; may be empty.
        on_step: Called once a product, for progress.

    Raises:
        NumericalError: The recurrence grows: `upper` is below the largest eigenvalue.

    Cost: `k` products; `8 c n` numbers of memory beside the results.

    Example:
        >>> import ntkit
        >>> K = ntkit.operators.DenseOperator(0.5 * torch.eye(2).double())
        >>> series = chebyshev_series([lambda s: (-s).exp()], upper=1.0, tolerances=[1e-9], degree=20)
        >>> nothing = torch.zeros(0, 2).double()
        >>> found = chebyshev_apply(K, torch.ones(1, 2).double(), series, upper=1.0, deflate=nothing)
        >>> bool(torch.isclose(found[0, 0, 0], torch.tensor(-0.5).exp().double()))
        True
    """
    c, n = v.shape
    lengths = (coefficients != 0).cumsum(1).argmax(1) + 1
    order = lengths.argsort()  # the series that end first, first: what goes on is one block
    weights, lengths = coefficients[order].to(v), lengths[order].tolist()
    out = v.new_zeros(len(weights), c * n)
    limit = 1.05 * float(v.norm())
    ring = v.new_empty(_BLOCK, c, n)  # the last terms: two for the recurrence, all for the results
    twice = affine(op, 4 / upper, -2.0)  # 2 x, and T_k = 2 x T_{k-1} - T_{k-2}
    for k in range(weights.shape[1]):
        term = ring[k % _BLOCK]
        if k == 0:
            term.copy_(v)
        else:
            w = _projected(twice.rows(ring[(k - 1) % _BLOCK]), deflate)
            if k == 1:
                torch.mul(w, 0.5, out=term)
            else:
                torch.sub(w, ring[(k - 2) % _BLOCK], out=term)
        if k % _BLOCK == _BLOCK - 1 or k == weights.shape[1] - 1:
            first = k - k % _BLOCK
            going = slice(bisect_right(lengths, first), None)
            block = ring[: k - first + 1].reshape(-1, c * n)
            out[going].addmm_(weights[going, first : k + 1], block)
            if not float(term.norm()) <= limit:
                raise NumericalError(
                    f"The Chebyshev recurrence grew past its bound at degree {k}: the operator has "
                    f"an eigenvalue above `upper={upper:.6g}`, or entries that are not finite."
                )
        if k and on_step:
            on_step()
    return out[order.argsort()].reshape(-1, c, n)


def _projected(w: Tensor, modes: Tensor) -> Tensor:
    """`w` less its part along orthonormal rows, in place."""
    return w.addmm_(w @ modes.T, modes, alpha=-1) if len(modes) else w
