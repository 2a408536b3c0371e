"""How much total variation where k-space is seen by one coil: no kernel beside it, and strengths from far above."""

from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ntkit.reconstruction.choice import N_FOLDS, Path, kept_data
from ntkit.reconstruction.descent import Descent, counted
from ntkit.reconstruction.primal_dual import PrimalDual, Terms
from ntkit.reconstruction.system import System

__all__ = ["balance", "try_alone"]

_FIRST = 0.05
"""Of strengths, times the field's scale and the mean curvature. Marginal likelihood takes the noise for a part of the field here, and
finds too little of it: multiples of that noise would begin 30 to 200 times too low, where there is another least score."""

_LAST = 0.01
"""Likewise, times the kernel's weight and scale."""

_RIDGE = 1e-3
"""By which the solver balances its steps, over the mean curvature: the kernel's weight is too small here. Of ridges a hundred times apart
those around it left the least after 120 iterations, for strengths of 0.2 and 2 times the noise."""

_MANY = 30_000
"""Data of which one fold tells enough: a third of the work."""


def try_alone(
    method: PrimalDual,
    system: System,
    y: Float[Tensor, "p m"],
    terms: Terms,
    *,
    unit: float,
    scale: float,
    noise: float,
    say: Callable[[str], None],
) -> Path:
    """Solve for ever smaller total variations on two folds of three, and judge on the third; of many data on one third alone.

    The kernel is left out: held-out samples choose too much of it, by which a brain slice loses up to 0.8 dB and a phantom more.

    Args:
        method: The solver.
        system: The measurement, of one coil.
        y: Data, weighted.
        terms: Of one problem on all data.
        unit: The kernel's weight times the field's scale.
        scale: Typical size of the field.
        noise: Standard deviation of the noise, by marginal likelihood.
        say: Called with a line of text.
    """
    n_out = N_FOLDS
    if system.n_data > _MANY and system.n_groups >= 2 * N_FOLDS:  # of one group no spread is known
        n_out = 1
    none = torch.zeros(n_out, dtype=torch.float64)
    every = replace(terms, keep=kept_data(system, n_out), weight=none, variation=none)
    alone = Descent(method, system, y, every, 0.0, noise, counted(say))
    first = max(_FIRST * scale * float(system.curvature.mean()), unit)
    alone.search(first, _LAST * unit, None)
    assert alone.state is not None, "a best strength has a state"
    return Path(tuple(alone.trials), alone.state.of_all_data() if n_out > 1 else alone.state)


def balance(system: System) -> float:
    """The ridge by which the solver balances its steps."""
    return _RIDGE * float(system.curvature.mean())
