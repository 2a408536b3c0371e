"""From measurements to the field: kernel, noise and strength of total variation chosen from the measurements alone."""

from collections.abc import Callable
from time import perf_counter

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ntkit.grids import Grid
from ntkit.measurements import AbstractMeasurement
from ntkit.reconstruction.arguments import (
    Bounds,
    Priors,
    asked_bounds,
    asked_data,
    asked_mean,
    asked_near,
    asked_priors,
    asked_signal,
    asked_system,
    asked_variation,
)
from ntkit.reconstruction.choice import folds_of
from ntkit.reconstruction.reconstruction_problem import ReconstructionProblem
from ntkit.reconstruction.result import Reconstruction
from ntkit.reconstruction.torus import torus_prior
from ntkit.reconstruction.words import notes_on, reason

__all__ = ["reconstruct"]


@torch.no_grad()
def reconstruct(
    y: Shaped[Tensor, "..."],
    A: AbstractMeasurement,
    grid: Grid | None = None,
    *,
    prior: Priors = None,
    mean: float | str = "fit",
    total_variation: bool | float = True,
    bounds: Bounds | str = "auto",
    weights: Float[Tensor, "..."] | None = None,
    groups: Int[Tensor, " n"] | None = None,
    error_bars: bool = True,
    generator: torch.Generator | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> Reconstruction:
    """The field that linear measurements are of, with an error bar, everything chosen from the measurements.

    It minimises `1/2 |A f - y|^2_W + a/2 <f - m, K^-1 (f - m)> + b TV(f)` within bounds. The kernel `K`, its weight `a`
    and the mean `m` have the largest marginal likelihood on a part of the data; the strength `b` of total variation is the one that
    foretells best what is held out, by groups of data in three folds.

    Args:
        y: Data, `[*data_shape]`, or `[*data_shape, o]` for several channels. These share the kernel, the noise and the error
            bars: bring them to one scale first.
        A: The measurement.
        grid: Where the field's points are, in the units of the kernel; `A.grid` if left out.
        prior: A stationary kernel, or several to compare, also by name; three NTKs of Gaussian features and Matern-1/2 if left out.
        mean: The constant about which the kernel's field varies; "fit" finds it (complex fields have none).
        total_variation: Whether to have it, or its weight `b`, in units of `|A f - y|^2` over the field.
        bounds: Least and largest value of the field, None for no bound; "auto" is `(0, None)` for line integrals.
        weights: `[*data_shape]`, one over the noise's variance of each datum; only ratios matter.
        groups: `[data_shape[0]]`, what is held out together; `A.groups` if left out.
        error_bars: Whether to find the deviation at each point.
        generator: Source of the draws of the error bars; a fixed seed if left out.
        on_progress: Called with a line of text at each stage.

    Raises:
        TypeError: `y` is no tensor, or complex where the measurement is real; or `grid` is no Grid.
        ValueError: Something does not fit; the message says what.

    Cost: a thousand products with `A` and `K` a kernel; some hundred iterations, of one product with `A` and `A^H` and a
    Fourier transform of `2^d` times the grid each way, of six problems at once.

    Example:
        >>> from math import pi
        >>> from ntkit.measurements import Radon
        >>> A = Radon.parallel((16, 16), torch.arange(12) * pi / 12)
        >>> disc = (A.pixels.square().sum(1) < 0.09).double().reshape(16, 16, 1)
        >>> found = reconstruct(A(disc)[..., 0], A, error_bars=False)
        >>> bool((found.field - disc[..., 0]).abs().mean() < 0.03)
        True
    """
    began = perf_counter()
    say = on_progress or (lambda _: None)
    data = asked_data(y, A)
    several = tuple(y.shape) != tuple(A.data_shape)
    where = A.grid if grid is None else grid
    if not isinstance(where, Grid):
        raise TypeError(
            f"`grid` must be a Grid, got {type(where).__name__}. Of a shape, `ntkit.Grid(shape)`."
        )
    if tuple(where.shape) != tuple(A.field_shape):
        raise ValueError(
            f"`grid` has shape {where.shape}, and the field of `A` {tuple(A.field_shape)}."
        )
    system = asked_system(A, weights, groups)
    strength = asked_variation(total_variation)
    measured = asked_signal(system.data_of(data))
    problem = ReconstructionProblem(
        system, measured, asked_bounds(bounds, A), asked_mean(mean), say
    )
    asked_near(problem.mean, problem.flat, measured)
    if strength is True:
        folds_of(system.group)  # refuses too few groups before anything is computed
    found = problem.priors([
        torus_prior(k, where, name) for name, k in asked_priors(prior, where).items()
    ])
    rows = tuple(row for _, row in found)
    kernel, row = found[0]
    solved = problem.solved(kernel, row, strength)
    deviation = None
    if error_bars:
        draws = torch.Generator().manual_seed(0) if generator is None else generator
        deviation = problem.deviation(kernel, row, solved, draws)

    def shown(parts: Tensor) -> Tensor:
        whole = system.whole_of(parts.double())
        return whole if several else whole[..., 0]

    residual = A(system.whole_of(solved.field.double())) - data
    return Reconstruction(
        field=shown(solved.field),
        deviation=_like(deviation, solved.field, several, A.is_complex),
        choice=solved.choice,
        priors=rows,
        table=solved.path.trials if solved.path else (),
        why=reason(solved.choice, rows, solved.path),
        notes=(*solved.notes, *notes_on(system, kernel, solved.choice, solved.path, residual)),
        alternatives={name: shown(parts) for name, parts in solved.alternatives.items()},
        residual=residual if several else residual[..., 0],
        gap=solved.gap,
        seconds=perf_counter() - began,
        grid=where,
        measurement=A,
        data=y,
        groups=A.groups if groups is None else groups,
        weights=weights,
    )


def _like(
    deviation: Float[Tensor, "..."] | None, field: Tensor, several: bool, is_complex: bool
) -> Float[Tensor, "..."] | None:
    """One deviation for all channels, where there are several."""
    if deviation is None or not several:
        return deviation
    channels = len(field) // (2 if is_complex else 1)
    return deviation[..., None].repeat(*[1] * deviation.ndim, channels)
