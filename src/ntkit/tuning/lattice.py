"""Training samples that are a regular part of a grid, for which one FFT does."""

from jaxtyping import Float
from torch import Tensor

from ntkit.tasks.samples import AbstractSamples

__all__ = ["is_lattice", "trimmed"]


def is_lattice(task: AbstractSamples) -> bool:
    """Whether it is trained on every sample of a grid, or on every k-th along all axes, and judged between."""
    steps = task.measurement.steps
    if task.grid is None or steps is None or len(set(steps)) > 1 or steps[0] > 2:
        return False
    return bool((task.held_out == ~task.measurement.seen).all())


def trimmed(task: AbstractSamples) -> Float[Tensor, "..."]:
    """The values of a lattice without the samples at the end of an axis that fill no whole step."""
    steps = task.measurement.steps or ()
    return task.values[tuple(slice(0, n - n % k) for n, k in zip(task.shape, steps, strict=True))]
