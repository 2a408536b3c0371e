"""`ntkit reconstruct`: from a spec to a run folder: read, solve, judge, draw."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit._core.whole_files import write_with
from ntkit.experiments.priors import bandwidth_in, priors_of
from ntkit.experiments.problems import Problem, completed, open_problem
from ntkit.experiments.progress import Telling
from ntkit.experiments.reconstruct_draw import draw_reconstruction
from ntkit.experiments.reconstruct_result import Leftover, ReconstructRun
from ntkit.experiments.reconstruct_scores import covered, scores_of
from ntkit.experiments.reconstruct_spec import ReconstructSpec
from ntkit.experiments.report import write_report
from ntkit.experiments.run_folder import ALTERNATIVES, DEVIATION, FIELD, RESIDUAL
from ntkit.experiments.run_start import Begun, common_of
from ntkit.experiments.run_to_end import Stages, go_on, start
from ntkit.experiments.run_to_json import write_run
from ntkit.measurements import Radon
from ntkit.reconstruction import Reconstruction, reconstruct, whiteness

__all__ = ["resume_reconstruct", "run_reconstruct"]

_NETWORK = "trained network"

_SECONDS = 2.5e-3
"""For a number of the picture on two cores, measured at 128 x 128 from 30 views, with error bars."""


def run_reconstruct(
    spec: ReconstructSpec, *, force: bool = False, command: str = "", telling: Telling | None = None
) -> ReconstructRun:
    """Do what `spec` asks and write the run folder.

    Nothing is written before the data have been read and every option checked.

    Args:
        spec: What is asked; what a JSON beside the data says is filled in.
        force: Write into the folder asked for although it holds something; a run in it is replaced.
        command: The command line, for the report.
        telling: Who is told of it.
    """
    telling = telling or Telling()
    spec.check()
    spec, names = completed(spec)
    if names:
        telling.notice(
            f"{', '.join(names)} from `{spec.data.with_suffix('.json').name}`, which is beside the data."
        )
    return start(spec, _STAGES, force, command, telling)


def resume_reconstruct(path: Path, *, telling: Telling | None = None) -> ReconstructRun:
    """The run of a folder, done again where it was stopped; one that is whole is returned as it is.

    Args:
        path: The run folder.
        telling: As in `run_reconstruct`.
    """
    return go_on(path, ReconstructSpec, _STAGES, telling or Telling())


def _opened(spec: ReconstructSpec) -> Problem:
    problem = open_problem(spec)
    priors_of(spec.prior or (), len(problem.A.field_shape))  # refused before anything is written
    return problem


def _reconstructed(
    spec: ReconstructSpec, begun: Begun[Problem], telling: Telling
) -> ReconstructRun:
    """Solve and judge, and write the arrays.

    Raises:
        NumericalError: The picture is not finite.
    """
    problem = begun.task
    minutes = prod(problem.A.field_shape) * problem.domain.n_outputs * _SECONDS / 60
    if minutes > 2:
        telling.notice(f"This will take about {minutes:.0f} minutes on two cores.")
    result = reconstruct(
        problem.y,
        problem.A,
        prior=priors_of(spec.prior, len(problem.A.field_shape)) if spec.prior else None,
        total_variation=_strength(spec),
        bounds=spec.limits(problem.bounds),  # pyright: ignore[reportArgumentType]
        groups=problem.groups,
        error_bars=spec.error_bars,
        generator=torch.Generator().manual_seed(spec.seed),
        on_progress=telling.on_progress,
    )
    if not bool(result.field.isfinite().all()):
        raise NumericalError(
            "The solver did not come to an end: the picture has NaN. Try `--no-total-variation`, or another `--prior`."
        )
    pictures = {problem.baseline[0]: problem.baseline[1], **result.alternatives}
    notes = (*problem.notes, *result.notes)
    if spec.network:
        pictures[_NETWORK], note = _trained(spec, result, telling)
        notes = (*notes, note)
    _write_arrays(begun.folder.path, result, pictures)
    return ReconstructRun(
        spec=spec,
        choice=result.choice,
        priors=result.priors,
        table=result.table,
        why=result.why,
        unit=problem.unit,
        baseline=problem.baseline[0],
        held=problem.held,
        n_data=problem.y.numel(),
        leftover=_leftover(problem, result),
        gap=result.gap,
        seconds=result.seconds,
        notes=notes,
        **_judged(problem, result, pictures),
        **common_of(begun),
    )


def _trained(spec: ReconstructSpec, result: Reconstruction, telling: Telling) -> tuple[Tensor, str]:
    """The picture of a network that is trained on the same data, and what there is to say of it."""
    steps, bandwidth = spec.network or 0, bandwidth_in([row.name for row in result.priors])

    def said(step: int, _: float) -> None:
        if telling.on_progress and step % 20 == 0:
            telling.on_progress(f"Training a network: step {step} of {steps}")

    found = result.network(steps, bandwidth=bandwidth, seed=spec.seed, on_step=said)
    note = (
        f"The trained network (bandwidth {bandwidth:g}, {steps:,} steps, stopped by held-out data at {found.step:,}) took "
        f"{found.seconds:.0f} s."
    )
    return found.field, note


def _strength(spec: ReconstructSpec) -> bool | float:
    if spec.no_total_variation:
        return False
    return True if spec.total_variation is None else spec.total_variation


def _judged(
    problem: Problem, result: Reconstruction, pictures: dict[str, Tensor]
) -> dict[str, Any]:
    """Scores and coverage, where the truth is known."""
    truth = problem.truth
    if truth is None:
        return {}
    seen = problem.A.field_of_view if isinstance(problem.A, Radon) else None
    named = {"reconstruction": result.field, **pictures}
    return {
        "scores": {name: scores_of(picture, truth, seen) for name, picture in named.items()},
        "covered": covered(result.field, result.deviation, truth),
    }


def _leftover(problem: Problem, result: Reconstruction) -> Leftover:
    size = float(result.residual.abs().square().mean().sqrt())
    whole = float(problem.y.abs().square().mean().sqrt())
    if size <= Leftover.NOTHING * whole:
        return Leftover(size / whole, 0.0, 0.0, 0.0)
    residual = problem.spread(result.residual)
    found, squares = whiteness(residual), whiteness(residual.abs().square())
    return Leftover(size / whole, found.neighbours, found.chance, squares.neighbours)


def _write_arrays(folder: Path, result: Reconstruction, pictures: dict[str, Tensor]) -> None:
    arrays = {FIELD: result.field, DEVIATION: result.deviation, RESIDUAL: result.residual}
    for name, values in arrays.items():
        if values is not None:
            write_with(folder / name, lambda part, v=values: np.save(part, v.numpy()))
    others: dict[str, Any] = {name: picture.numpy() for name, picture in pictures.items()}
    write_with(folder / ALTERNATIVES, lambda part: np.savez(part, **others))


def _drawn(run: ReconstructRun, problem: Problem, telling: Telling) -> None:
    """The pictures and the report; the run is whole then."""
    if telling.on_progress:
        telling.on_progress("drawing")
    run.partial = False
    draw_reconstruction(run, problem)
    write_report(run)
    write_run(run)


_STAGES = Stages(_opened, _reconstructed, _drawn)
