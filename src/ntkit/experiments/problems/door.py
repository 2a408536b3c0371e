"""Each kind of reconstruction, and what opens its data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ntkit.experiments.problems.angles import angles_of
from ntkit.experiments.problems.beside import filled_in
from ntkit.experiments.problems.ct import open_ct
from ntkit.experiments.problems.image import open_image
from ntkit.experiments.problems.mri import open_mri
from ntkit.experiments.problems.problem import Problem
from ntkit.experiments.reconstruct_spec import CtSpec, ImageSpec, MriSpec, ReconstructSpec

__all__ = ["completed", "open_problem"]

_OPENERS: dict[type[ReconstructSpec], Callable[[Any], Problem]] = {
    CtSpec: open_ct,
    MriSpec: open_mri,
    ImageSpec: open_image,
}


def open_problem(spec: ReconstructSpec) -> Problem:
    """The data of a spec and their measurement; what does not fit is refused in one line."""
    return _OPENERS[type(spec)](spec)


def completed(spec: ReconstructSpec) -> tuple[ReconstructSpec, list[str]]:
    """The spec with what a JSON beside the data says, and angles of a file as numbers; and what was filled in."""
    found, names = filled_in(spec)
    if isinstance(found, CtSpec) and found.angles is not None and ":" not in "".join(found.angles):
        found = replace(found, angles=tuple(map(str, angles_of(found.angles))))
    return found, names
