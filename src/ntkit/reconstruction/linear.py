"""The linear problem, the kernel alone, for several data and ridges at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ntkit.reconstruction.fourier_covariance import fourier_variances, is_one_coil
from ntkit.reconstruction.local_prior import LocalPrior
from ntkit.reconstruction.system import System
from ntkit.reconstruction.torus import Torus, WavePrior
from ntkit.solvers.multi_shift import ShiftedSolutions, multi_shift_cg

__all__ = ["LinearFields", "at_once", "kernel_fields", "rough_tolerance"]

_AT_ONCE = 2**21
"""Numbers on the torus of the problems that are carried through together: eight of 256 x 256, which share a product with `A`."""


@dataclass(frozen=True, eq=False)
class LinearFields:
    """Fields that the kernel alone gives, one a ridge.

    Attributes:
        fields: `[s, c, p, *shape]`.
        residuals: `[s]`, of the gradient, relative to that of a field of zero, in the norm of the preconditioner.
        iterations: Products with `A` and `A^H`, of the slowest problem.
        waves: `[s, c, p, *k]`, complex, of the fields; None unless they were asked for.
    """

    fields: Float[Tensor, "..."]
    residuals: Float[Tensor, " s"]
    iterations: int
    waves: Tensor | None = None


def kernel_fields(
    system: System,
    prior: WavePrior,
    data: Float[Tensor, "c p m"],
    ridges: Sequence[float],
    *,
    tolerance: float = 1e-4,
    excess: float | None = None,
    iterations: int = 1000,
    keeps_waves: bool = False,
) -> LinearFields:
    """`K A^H (A K A^H + ridge)^-1 d`, the fields that minimise `1/2 |A f - d|^2 + ridge/2 <f, K^-1 f>`.

    Where `A A^H` is diagonal, by conjugate gradients for the weights of the data, all ridges in one run (Fourier samples of one
    coil: each by itself, in few iterations): what is far from all data is right from the start. Else for the waves that fields are made of, so that each iteration leaves the least of what is
    minimised: weights then have residuals that rise and fall, and fields far from the end. The preconditioner of waves
    is `(level + ridge S^-1)^-1`, with the mean diagonal of `A^H A` for a level: a tenth or ten times of it did as well on CT.
    In gaps waves come last: a hole that is an eighth of a field was 80 % off when a thousandth of the gradient was left.
    Where noise is small, so does what a blur or few rays hardly see: 30 % of a field when 1e-5 of the gradient was left, which
    is one standard deviation of its error bar. So `excess` says when to end where the answer counts: no point is farther
    from the end than `sqrt(excess)` of its standard deviation at a prior of scale one, and most are much nearer.

    Args:
        system: The measurement.
        prior: The kernel.
        data: Less the mean's, weighted.
        ridges: Of the kernel over the noise.
        tolerance: Relative, of the residual of the data's equations; or of the gradient, where no `excess` is given.
        excess: What may be left of `|A f - d|^2 / ridge + <f, K^-1 f>` above its least, where `A A^H` is not diagonal.
        iterations: At most.
        keeps_waves: Whether their waves are given back, too: four times the memory in two dimensions.

    Cost: a product with `A` and `A^H`, and a Fourier transform each way, an iteration and problem. What has converged is left.
    """
    if system.is_diagonal:
        return _by_weights(system, prior, data, ridges, tolerance, iterations, keeps_waves)
    unit = (
        float(data.abs().max()) or 1.0
    )  # squares of very small or large data do not exist in single precision
    left = None if excess is None else excess / unit**2
    cases = (data / unit).repeat(len(ridges), 1, 1)
    ridge = torch.tensor(ridges, dtype=data.dtype).repeat_interleave(len(data))
    size = at_once(prior.torus, data.shape[1])
    parts = [
        _descended(system, prior, *each, tolerance, left, iterations, keeps_waves)
        for each in zip(cases.split(size), ridge.split(size), strict=True)
    ]
    fields, residuals, counts = (
        torch.cat([p[k] for p in parts]).unflatten(0, (len(ridges), -1)) for k in range(3)
    )
    waves = unit * torch.cat([p[3] for p in parts]) if keeps_waves else None
    return LinearFields(
        unit * fields,
        residuals.amax(1),
        int(counts.max()),
        None if waves is None else torch.view_as_complex(waves).unflatten(0, (len(ridges), -1)),
    )


def _by_weights(
    system: System,
    prior: WavePrior,
    data: Float[Tensor, "c p m"],
    ridges: Sequence[float],
    tolerance: float,
    most: int,
    keeps_waves: bool,
) -> LinearFields:
    """By the weights `w` of the data: `(A K A^H + ridge) w = d`, and `f = K A^H w`. In double precision."""
    spectrum, shape = prior.spectrum.double(), data.shape[1:]

    def waves_of(rows: Tensor) -> Tensor:
        return prior.to_waves(system.adjoint(rows.unflatten(1, shape))) * spectrum

    def product(rows: Tensor) -> Tensor:
        return system.forward(prior.of_waves(waves_of(rows))).flatten(1)

    rows = data.double().flatten(1)
    if is_one_coil(system):
        found = _of_one_coil(system, prior, product, rows, ridges, tolerance, most)
    else:
        found = multi_shift_cg(product, rows, ridges, tolerance=tolerance, max_iterations=most)
    waves = waves_of(found.values.flatten(0, 1)).to(
        torch.promote_types(data.dtype, torch.complex32)
    )
    waves = waves.unflatten(0, found.values.shape[:2])
    return LinearFields(
        prior.of_waves(waves), found.residuals, found.iterations, waves if keeps_waves else None
    )


def _of_one_coil(
    system: System,
    prior: WavePrior,
    product: Callable[[Tensor], Tensor],
    rows: Float[Tensor, "c n"],
    ridges: Sequence[float],
    tolerance: float,
    most: int,
) -> ShiftedSolutions:
    """The weights, each ridge by itself, in units of the root of each datum's variance.

    Fourier samples of a stationary field are next to independent: a handful of iterations do, where a hundred of common units
    leave those of small variance far from the end.
    """
    variances = fourier_variances(system, prior.torus, prior.spectrum)
    if isinstance(prior, LocalPrior):
        variances = variances * float(prior.local.square().mean())
    variances = variances.repeat(rows.shape[1] // system.n_data)
    found = []
    for ridge in ridges:
        unit = (variances + ridge).clamp_min(1e-300).rsqrt()

        def balanced(left: Tensor, unit: Tensor = unit, ridge: float = ridge) -> Tensor:
            return unit * (product(unit * left) + ridge * unit * left)

        one = multi_shift_cg(balanced, unit * rows, [0.0], tolerance=tolerance, max_iterations=most)
        found.append(replace(one, values=unit * one.values))
    return ShiftedSolutions(
        torch.cat([one.values for one in found]),
        torch.cat([one.residuals for one in found]),
        max(one.iterations for one in found),
    )


def rough_tolerance(system: System) -> float:
    """One at which what is left of the field is not seen: of residuals, or of the gradient, which gaps hardly change."""
    return 1e-3 if system.is_diagonal else 3e-5


def at_once(torus: Torus, parts: int) -> int:
    """How many problems of so many parts are best carried through together: they share what is read, and fill the memory."""
    return max(1, _AT_ONCE // (parts * prod(torus.lengths)))


def _descended(
    system: System,
    prior: WavePrior,
    data: Float[Tensor, "n p m"],
    ridge: Float[Tensor, " n"],
    tolerance: float,
    excess: float | None,
    most: int,
    keeps_waves: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fields, residuals, numbers of iterations, and waves if they are kept, of problems with a ridge each.

    With `u` the waves, `f = T u` and `q = S^-1 u`, which is what is kept: `S` may be 0. There `q` stays 0: no step is judged by
    what it is at such waves, and rounding would grow there without end. Waves are pairs of real numbers here.

    What is left above the least is at a time what all later iterations take off. It is judged by the last ones, a quarter
    of all and ten: they tell what was left before them (Strakos and Tichy 2002, ETNA 13, section 4).
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
    waves = torch.zeros_like(made) if keeps_waves else made[:0]
    which, rest, q = torch.arange(len(data)), made, torch.zeros_like(made)
    inverse = (spectrum > 0) / (system.level * spectrum + ridge.reshape(shape))
    way = rest * inverse
    first = size = product(rest, way)
    # Off what is minimised, in ridges, up to each iteration; in one piece, as small ones would scatter the memory.
    taken = torch.zeros(most + 2, len(ridge), dtype=torch.float64)
    for k in range(most + 1):
        relative = (size / first).nan_to_num().sqrt()
        near = (
            relative <= tolerance
            if excess is None
            else _is_near(taken[: k + 1], excess) | (relative == 0)
        )
        ends = near | (k == most)
        if bool(ends.any()):
            fields[which[ends]] = field_of(q[ends])
            residuals[which[ends]], counts[which[ends]] = relative[ends], k
            if keeps_waves:
                waves[which[ends]] = spectrum * q[ends]
            if bool(ends.all()):
                break
            which, ridge, inverse, rest, q, way, size, first = (
                each[~ends] for each in (which, ridge, inverse, rest, q, way, size, first)
            )
            taken = taken[:, ~ends]
        made = prior.to_waves(system.adjoint(system.forward(field_of(way))))
        image = torch.view_as_real(made).addcmul_(ridge.reshape(shape), way)
        step = (size / product(way, image)).reshape(shape)
        off = step.flatten() * size / (ridge * prod(prior.torus.lengths)).double()
        taken[k + 1] = taken[k] + off
        q.addcmul_(step, way)
        rest.addcmul_(step, image, value=-1)
        turned = rest * inverse
        after = product(rest, turned)
        way = turned.addcmul_((after / size).reshape(shape), way)
        size = after
    return fields, residuals, counts, waves


def _is_near(taken: Float[Tensor, "k n"], excess: float) -> Bool[Tensor, " n"]:
    """Whether the last iterations took next to nothing off."""
    back = 10 + len(taken) // 4
    if len(taken) <= back:
        return torch.zeros_like(taken[-1], dtype=torch.bool)
    return taken[-1] - taken[-1 - back] <= excess
