"""The linear problem, the kernel alone, for several data and ridges at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus, WavePrior

__all__ = ["LinearFields", "at_once", "kernel_fields"]

_AT_ONCE = 2**21
"""Numbers on the torus of the problems that are carried through together: eight of 256 x 256, which share a product with `A`."""


@dataclass(frozen=True, eq=False)
class LinearFields:
    """Fields that the kernel alone gives, one a ridge.

    Attributes:
        fields: `[s, c, p, *shape]`.
        residuals: `[s]`, of the gradient, relative to that of a field of zero, in the norm of the preconditioner.
        iterations: Products with `A` and `A^H`, of the slowest problem.
    """

    fields: Float[Tensor, "..."]
    residuals: Float[Tensor, " s"]
    iterations: int


def kernel_fields(
    system: System,
    prior: WavePrior,
    data: Float[Tensor, "c p m"],
    ridges: Sequence[float],
    *,
    tolerance: float = 1e-4,
    iterations: int = 1000,
) -> LinearFields:
    """`K A^H (A K A^H + ridge)^-1 d`, the fields that minimise `1/2 |A f - d|^2 + ridge/2 <f, K^-1 f>`.

    By conjugate gradients for the waves that fields are made of, so that each iteration leaves the least of what is minimised;
    for the weights of the data the same products leave residuals that rise and fall, and fields far from the end. The
    preconditioner is `(level + ridge S^-1)^-1`, wave by wave, with the mean diagonal of `A^H A` for a level: a tenth or
    ten times of it did as well on CT.

    Args:
        system: The measurement.
        prior: The kernel.
        data: Less the mean's, weighted.
        ridges: Of the kernel over the noise.
        tolerance: Relative, of the gradient.
        iterations: At most.

    Cost: a product with `A` and `A^H`, and a Fourier transform each way, an iteration and problem. What has converged is left.
    """
    cases = data.repeat(len(ridges), 1, 1)
    ridge = torch.tensor(ridges, dtype=data.dtype).repeat_interleave(len(data))
    size = at_once(prior.torus, data.shape[1])
    parts = [
        _descended(system, prior, *each, tolerance, iterations)
        for each in zip(cases.split(size), ridge.split(size), strict=True)
    ]
    fields, residuals, counts = (
        torch.cat([p[k] for p in parts]).unflatten(0, (len(ridges), -1)) for k in range(3)
    )
    return LinearFields(fields, residuals.amax(1), int(counts.max()))


def at_once(torus: Torus, parts: int) -> int:
    """How many problems of so many parts are best carried through together: they share what is read, and fill the memory."""
    return max(1, _AT_ONCE // (parts * prod(torus.lengths)))


def _descended(
    system: System,
    prior: WavePrior,
    data: Float[Tensor, "n p m"],
    ridge: Float[Tensor, " n"],
    tolerance: float,
    most: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Fields, residuals and numbers of iterations, of problems with a ridge each.

    With `u` the waves, `f = T u` and `q = S^-1 u`, which is what is kept: `S` may be 0. Waves are pairs of real numbers here.
    """
    made = torch.view_as_real(prior.to_waves(system.adjoint(data)))
    spectrum = prior.spectrum.to(data)[..., None].expand(made.shape[2:]).contiguous()
    weighted = spectrum * prior.torus.multiplicity(data.dtype)[:, None]
    shape = (-1, *[1] * (made.ndim - 1))

    def product(left: Tensor, right: Tensor) -> Tensor:
        return (left * right).mul_(weighted).flatten(1).sum(1)

    def field_of(q: Tensor) -> Tensor:
        return prior.of_waves(torch.view_as_complex(spectrum * q))

    fields = data.new_zeros(*data.shape[:2], *prior.torus.shape)
    residuals, counts = torch.zeros_like(ridge), torch.zeros_like(ridge, dtype=torch.int64)
    which, rest, q = torch.arange(len(data)), made, torch.zeros_like(made)
    inverse = 1 / (system.level * spectrum + ridge.reshape(shape))
    way = rest * inverse
    first = size = product(rest, way)
    for k in range(most + 1):
        relative = (size / first).nan_to_num().sqrt()
        ends = (relative <= tolerance) | (k == most)
        if bool(ends.any()):
            fields[which[ends]] = field_of(q[ends])
            residuals[which[ends]], counts[which[ends]] = relative[ends], k
            if bool(ends.all()):
                break
            which, ridge, inverse, rest, q, way, size, first = (
                each[~ends] for each in (which, ridge, inverse, rest, q, way, size, first)
            )
        made = prior.to_waves(system.adjoint(system.forward(field_of(way))))
        image = torch.view_as_real(made).addcmul_(ridge.reshape(shape), way)
        step = (size / product(way, image)).reshape(shape)
        q.addcmul_(step, way)
        rest.addcmul_(step, image, value=-1)
        turned = rest * inverse
        after = product(rest, turned)
        way = turned.addcmul_((after / size).reshape(shape), way)
        size = after
    return fields, residuals, counts
