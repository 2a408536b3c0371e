"""Families of networks to compare, and the bandwidths at which each is tried."""

from collections.abc import Callable, Sequence
from math import inf, pi, prod, sqrt

from ntkit.networks.families import FAMILIES
from ntkit.tasks.base import AbstractTask
from ntkit.tuning.candidates import MLP, Candidate

__all__ = ["EVERY_FAMILY", "USUAL", "asked_families", "is_steady", "ladder_of", "usual_of"]

EVERY_FAMILY = tuple(FAMILIES)
"""Names that `tune(families=...)` takes.

Example:
    >>> "siren" in EVERY_FAMILY
    True
"""

USUAL = {1: "siren"}
"""By the number of coordinates, the family that is taken unless models say otherwise; ReLU networks elsewhere."""

_OCTAVES = {1: (-1, 0, 1, 2)}  # by the number of coordinates: sounds want rather more than is usual
_OCTAVES_ELSEWHERE = (-2, -1, 0, 1)  # about the usual bandwidth
_TURN = 0.6  # radians
_BOUNDS: dict[str, Callable[[int], float]] = {
    "siren": lambda d: 1 / d,
    "finer": lambda d: 1 / d,
    "wire": lambda d: d**-0.5,
}
_MOST_HASHED = 4  # coordinates of a hash grid


def usual_of(family: str, task: AbstractTask) -> Candidate:
    """A family at the bandwidth that does well without any choice, for samples as dense as those of the task.

    Example:
        >>> import torch, ntkit
        >>> usual_of("siren", ntkit.tasks.Image(torch.rand(8, 8))).name
        'siren'
    """
    samples = None
    if task.takes_points:  # the constants are of every other sample
        samples = 2 * prod(task.axis_counts) ** (1 / task.in_dim)
    usual = FAMILIES[family].usual_bandwidth(task.in_dim, samples)
    usual = min(usual, _most(family, task.in_dim))
    return Candidate("gaussian" if family == MLP else family, float(f"{usual:.3g}"))


def is_steady(candidate: Candidate, in_dim: int) -> bool:
    """Whether a step of Adam, at the rate of a hundred units a layer, turns no wave of the first layer by more than 0.6 radians.

    A step changes each weight by about the learning rate, and so the phase of a wave, at a corner of the domain, by that times
    the frequency and the number of coordinates. Trainings beyond a radian collapse; models, on parts that
    are shorter than the whole, do not show it.
    """
    return (candidate.bandwidth or 0.0) <= 1.01 * _most(candidate.family, in_dim)


def _most(family: str, in_dim: int) -> float:
    """The largest steady bandwidth; by first weights `U(-1/d, 1/d)`, of WIRE `U(-d^-1/2, d^-1/2)`, on [-1, 1]^d."""
    if family not in _BOUNDS:
        return inf
    omega = _TURN / (FAMILIES[family].lr * in_dim)
    return omega * _BOUNDS[family](in_dim) / (pi * sqrt(3))


def ladder_of(family: str, task: AbstractTask) -> list[Candidate]:
    """Four bandwidths an octave apart about the usual one, of sounds rather above it."""
    usual = usual_of(family, task)
    octaves = _OCTAVES.get(task.in_dim, _OCTAVES_ELSEWHERE)
    return [Candidate(usual.name, 2.0**k * (usual.bandwidth or 1.0)) for k in octaves]


def asked_families(
    families: Sequence[str] | None, task: AbstractTask, *, may_try: bool
) -> tuple[str, ...]:
    """The families to compare: if none are named, all that the task takes, where networks may be trained.

    Raises:
        ValueError: One is unknown, there is none, or others than "mlp" are named and cannot be trained.
    """
    if families is None:
        every = [name for name in EVERY_FAMILY if name != "hash" or task.in_dim <= _MOST_HASHED]
        return tuple(every) if may_try and task.takes_families else (MLP,)
    names = tuple(dict.fromkeys(families))
    unknown = [name for name in names if name not in FAMILIES]
    if unknown or not names:
        raise ValueError(f"`families={names!r}` must name some of {', '.join(EVERY_FAMILY)}.")
    if names != (MLP,) and not task.takes_families:
        raise ValueError(
            f"`families={names!r}` must be ('mlp',) here: this {task.kind} is asked of encodings that are averaged over the "
            "cones of pixels."
        )
    if names != (MLP,) and not may_try:
        raise ValueError(
            f"`families={names!r}` are compared by short trainings with Adam, of networks of ours. Leave "
            '`pilot=True` and `optimiser="adam"`, pass no `network`, or take `families=("mlp",)`.'
        )
    return names
