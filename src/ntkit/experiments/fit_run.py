"""`ntkit fit`: a network is trained on data, and kept."""

from dataclasses import replace
from math import isclose
from pathlib import Path

import torch

from ntkit._core.errors import NumericalError
from ntkit.experiments.data import open_task
from ntkit.experiments.kept_run_off import KeptRunOff
from ntkit.experiments.progress import Telling
from ntkit.experiments.real_training import Proof
from ntkit.experiments.report import write_report
from ntkit.experiments.results import FitRun, TuneRun
from ntkit.experiments.run_folder import CHECKPOINT, FITTED
from ntkit.experiments.run_from_json import read_run
from ntkit.experiments.run_pictures import draw_fit
from ntkit.experiments.run_start import (
    Begun,
    announce,
    asked_budget,
    budget_of,
    common_of,
    device_of_spec,
    in_time,
)
from ntkit.experiments.run_to_end import Stages, go_on, start
from ntkit.experiments.run_to_json import write_run
from ntkit.experiments.spec import FitSpec
from ntkit.experiments.training import KeptTraining, finished_proof, train_in
from ntkit.tasks import AbstractTask
from ntkit.tasks.trainer import check_precision
from ntkit.tuning import Candidate, NetworkPlan, TuneResult, tune
from ntkit.tuning.plan import check_sigmoid

__all__ = ["resume_fit", "run_fit"]

_SAME_DENSITY = 0.1  # of samples along an axis, relative
_CURVE = 16  # evaluations of a training


def run_fit(
    spec: FitSpec, *, force: bool = False, command: str = "", telling: Telling | None = None
) -> FitRun:
    """Train a network as `spec` asks, and write the run folder.

    Where no encoding is named, the kernel chooses one for the very samples that are trained on. With `like`, that
    of another run is taken, unless the samples are not as dense: then the choice is made again, and said.

    Args:
        spec: What is asked.
        force: Write into the folder asked for although it holds something; a run in it is replaced.
        command: The command line, for the report.
        telling: Who is told of it.

    A training that diverges is a `NumericalError`.
    """
    return start(spec, _stages(), force, command, telling or Telling())


def resume_fit(path: Path, *, telling: Telling | None = None) -> FitRun:
    """Go on with the fit of a folder where it stopped, however it was stopped; see `resume_tune`.

    Args:
        path: The run folder.
        telling: As in `run_fit`.
    """
    return go_on(path, FitSpec, _stages(), telling or Telling())


def _tuned(path: Path) -> TuneRun | FitRun:
    """The run of `--like`.

    Raises:
        ValueError: It has no recommendation.
    """
    found = read_run(path)
    if found.diverged or not isinstance(found, TuneRun | FitRun):
        raise ValueError(f"`--like {path}` has no recommendation: its training diverged.")
    return found


def _stages() -> Stages[FitSpec, AbstractTask, FitRun]:
    return Stages(_opened, _planned, _train_and_finish)


def _opened(spec: FitSpec) -> AbstractTask:
    device_of_spec(spec)
    task = open_task(spec)
    return task.to_fit() if spec.hold_out is None else task


def _planned(spec: FitSpec, begun: Begun[AbstractTask], telling: Telling) -> FitRun:
    """The encoding, the network and the budget."""
    task = begun.task
    like = _tuned(spec.like) if spec.like else None
    plan = _plan(spec, task, like)
    if plan.sigmoid:
        check_sigmoid(task)
    candidate, why = _named(spec, task, like)
    choice = None
    budget = asked_budget(spec, task)
    if candidate is None:
        budget = budget_of(spec, plan, task)
        announce(spec, task, telling)
        choice = tune(
            task,
            optimiser=budget.optimiser,
            lr=budget.lr,
            steps=budget.steps,
            batch_size=budget.batch_size,
            width=plan.width,
            depth=plan.depth,
            n_frequencies=plan.n_frequencies,
            sigmoid=plan.sigmoid,
            families=None if like is None else (_chosen(like).family,),
            run_off=KeptRunOff(begun.folder.path, device_of_spec(spec), telling),
            generator=torch.Generator().manual_seed(spec.seed),
            on_progress=telling.on_progress,
        )
        candidate, why = choice.choice, why + _run_off_in_words(choice)
    network = (choice.plan if choice else plan).trainable(candidate)  # or it cannot be built
    task.check_network(network)
    own = choice.budget_of(candidate) if choice else plan.budget_of(candidate, budget)
    own = replace(own, precision=spec.precision)
    check_precision(network, task, own)
    budget = in_time(spec, network, task, own)
    telling.notice(f"{candidate.label}: {why}.")
    return FitRun(
        spec=spec,
        candidate=candidate,
        why=why,
        plan=plan if choice is None else choice.plan,
        budget=budget,
        choice=choice,
        proof=Proof(candidate, metric=task.metric),
        n_trained=task.n_trained,
        baseline=task.baseline(),
        notes=(*task.notes, *(choice.notes if choice else ())),
        **common_of(begun),
    )


def _plan(spec: FitSpec, task: AbstractTask, like: TuneRun | FitRun | None) -> NetworkPlan:
    """The network, with the sizes of `like` where none is asked for."""
    before = None if like is None else like.result.plan if isinstance(like, TuneRun) else like.plan
    usual = NetworkPlan(task.in_dim, task.n_outputs, width=task.width, depth=task.depth)
    model = before or usual
    return NetworkPlan(
        task.in_dim,
        task.n_outputs,
        width=spec.width or model.width,
        depth=spec.depth or model.depth,
        n_frequencies=spec.n_frequencies or model.n_frequencies,
        seed=spec.seed,
        sigmoid=spec.sigmoid or model.sigmoid,
    )


def _chosen(run: TuneRun | FitRun) -> Candidate:
    """What a run recommended, or trained."""
    return run.result.choice if isinstance(run, TuneRun) else run.candidate


def _named(
    spec: FitSpec, task: AbstractTask, like: TuneRun | FitRun | None
) -> tuple[Candidate | None, str]:
    """The encoding that was asked for, and how; None where the kernel is to choose."""
    if spec.encoding != "auto":
        kinds = task.axis_factors  # of several, one bandwidth along all axes is what is asked for
        axes = kinds[0] if spec.encoding == "gaussian" and len(kinds) == 1 else ()
        return Candidate(spec.encoding, spec.bandwidth, axes), "as asked"
    if like is None:
        return None, "chosen by the kernel for these samples"
    before, now = like.axis_counts, task.axis_counts
    if len(before) == len(now) and all(
        isclose(a, b, rel_tol=_SAME_DENSITY) for a, b in zip(before, now, strict=True)
    ):
        return _chosen(like), f"as in {like.folder.name}"
    there, here = (" x ".join(f"{n:.0f}" for n in counts) for counts in (before, now))
    return None, (
        f"chosen again for {here} training samples along the axes, where {like.folder.name} had {there}"
    )


def _run_off_in_words(choice: TuneResult) -> str:
    ran = [row for row in choice.families if row.run_off]
    return f", by a run-off against {ran[1].candidate.label}" if ran else ""


def _train_and_finish(run: FitRun, task: AbstractTask, telling: Telling) -> None:
    """Train, judge, draw and report.

    Raises:
        NumericalError: The training diverged.
    """
    proof = finished_proof(run.folder, FITTED, run.candidate) or Proof(
        run.candidate, metric=task.metric
    )
    run.proof = proof
    if not proof.finished:
        stops = {round(run.budget.steps * k / _CURVE) for k in range(1, _CURVE + 1)}
        work = KeptTraining(
            folder=run.folder,
            name=FITTED,
            candidate=run.candidate,
            architecture=run.architecture(run.candidate),
            network=run.plan.trainable(run.candidate).to(device_of_spec(run.spec)),
            task=task,
            budget=run.budget,
            seed=run.plan.seed,
            stops=sorted(s for s in stops if s > 0),
        )
        try:
            train_in(
                work, proof, show_progress=telling.show_progress, interruption=telling.interruption
            )
        except NumericalError as error:
            run.diverged, run.partial = str(error), False
            (run.folder / CHECKPOINT).unlink(missing_ok=True)
            write_run(run)
            raise
    run.interrupted = run.partial = not proof.finished
    network = run.network
    output = task.shown(network)
    if proof.evaluations:
        proof.scores = task.scores(output, network)
    draw_fit(run, task, output)
    write_report(run)
    write_run(run)
