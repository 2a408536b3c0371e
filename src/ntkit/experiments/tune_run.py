"""`ntkit tune`: from a spec to a run folder: predict, recommend, prove, draw."""

from pathlib import Path

import torch

from ntkit._core.errors import NumericalError
from ntkit.experiments.data import open_task
from ntkit.experiments.kept_run_off import KeptRunOff
from ntkit.experiments.progress import Telling
from ntkit.experiments.real_training import Proof
from ntkit.experiments.report import write_report
from ntkit.experiments.results import TuneRun
from ntkit.experiments.run_folder import CHECKPOINT, WEIGHTS
from ntkit.experiments.run_pictures import draw_tune
from ntkit.experiments.run_start import (
    Begun,
    announce,
    budget_of,
    common_of,
    device_of_spec,
)
from ntkit.experiments.run_to_end import Stages, go_on, start
from ntkit.experiments.run_to_json import write_run
from ntkit.experiments.spec import TuneSpec
from ntkit.experiments.training import KeptTraining, finished_proof, train_in
from ntkit.networks import symmetrise
from ntkit.tasks import AbstractTask
from ntkit.tuning import Candidate, NetworkPlan, initial_error, tune
from ntkit.tuning.candidates import candidates

__all__ = ["resume_tune", "run_tune"]


def run_tune(
    spec: TuneSpec, *, force: bool = False, command: str = "", telling: Telling | None = None
) -> TuneRun:
    """Do what `spec` asks and write the run folder.

    Nothing is written before the input has been read and every option checked, and nothing of another
    run is touched. An interrupt during training keeps what was reached: the folder then says that it is
    partial, and `resume_tune` goes on with it.

    Args:
        spec: What is asked.
        force: Write into the folder asked for although it holds something; a run in it is replaced.
        command: The command line, for the report.
        telling: Who is told of it.

    Where training diverges nothing is recommended: a `NumericalError`.
    """
    return start(spec, _stages(), force, command, telling or Telling())


def resume_tune(path: Path, *, telling: Telling | None = None) -> TuneRun:
    """Go on with the run of a folder where it stopped, however it was stopped.

    With the same thread count, on the same processor, it ends with the weights of a run that was not
    stopped. A run that is whole is returned as it is.

    Args:
        path: The run folder.
        telling: As in `run_tune`.
    """
    return go_on(path, TuneSpec, _stages(), telling or Telling())


def _stages() -> Stages[TuneSpec, AbstractTask, TuneRun]:
    return Stages(_opened, _recommended, _prove_and_finish)


def _opened(spec: TuneSpec) -> AbstractTask:
    device_of_spec(spec)
    return open_task(spec)


def _recommended(spec: TuneSpec, begun: Begun[AbstractTask], telling: Telling) -> TuneRun:
    task = begun.task
    candidates(task, spec.encodings, spec.bandwidths)
    announce(spec, task, telling)
    plan = NetworkPlan(
        task.in_dim,
        task.n_outputs,
        width=spec.width or task.width,
        depth=spec.depth or task.depth,
        n_frequencies=spec.n_frequencies,
    )
    budget = budget_of(spec, plan, task)
    kept = KeptRunOff(begun.folder.path, device_of_spec(spec), telling)
    result = tune(
        task,
        goal=spec.goal,
        optimiser=budget.optimiser,
        lr=budget.lr,
        steps=budget.steps,
        batch_size=budget.batch_size,
        encodings=spec.encodings,
        bandwidths=spec.bandwidths,
        width=plan.width,
        depth=plan.depth,
        n_frequencies=plan.n_frequencies,
        sigmoid=spec.sigmoid,
        engine=spec.engine,
        families=spec.families,
        equal=spec.equal,
        run_off=kept if spec.run_off else None,
        generator=torch.Generator().manual_seed(spec.seed),
        on_progress=telling.on_progress,
    )
    return TuneRun(
        spec=spec,
        result=result,
        notes=(*task.notes, *result.notes),
        initial_error=initial_error(result, task),
        **common_of(begun),
    )


def _prove_and_finish(run: TuneRun, task: AbstractTask, telling: Telling) -> None:
    """Train the recommended network, then the one with no encoding; an interrupt ends it early."""
    run.proofs.clear()
    wanted = [run.result.choice]
    told = "identity" in run.result.curves or not run.result.table
    if told and run.result.choice.name != "identity":
        wanted.append(Candidate("identity"))
    for candidate, name in zip(wanted, WEIGHTS, strict=False) if run.spec.verify else ():
        proof = finished_proof(run.folder, name, candidate)
        run.proofs.append(proof or Proof(candidate, metric=task.metric))
        try:
            if proof is None:
                _prove(run, task, run.proofs[-1], name, telling)
        except NumericalError as error:
            if name == WEIGHTS[0]:
                _diverged(run, error)
            run.notes = (*run.notes, f"Training with {candidate.label} diverged: it was left out.")
            run.proofs.pop()
        if run.interrupted:
            break
        write_run(run)
    run.partial = run.interrupted
    judged = [p for p in run.proofs if p.evaluations]
    networks = [
        run.trained(name=n) for p, n in zip(run.proofs, WEIGHTS, strict=False) if p in judged
    ]
    outputs = [task.shown(network) for network in networks]
    for proof, output, network in zip(judged, outputs, networks, strict=True):
        proof.scores = task.scores(output, network)
    draw_tune(run, task, outputs)
    write_report(run)
    write_run(run)


def _prove(run: TuneRun, task: AbstractTask, proof: Proof, name: str, telling: Telling) -> None:
    """Train the network with one encoding by the budget of the run."""
    network = run.result.build(proof.candidate)
    if run.spec.symmetrise:
        network = symmetrise(network)
    budget = run.result.budget_of(proof.candidate)
    curve = run.result.curves.get(str(run.result.choice), ())
    stops = {s for p in curve if budget.steps / 100 <= (s := int(p.steps)) < budget.steps}
    work = KeptTraining(
        folder=run.folder,
        name=name,
        candidate=proof.candidate,
        architecture=run.architecture(proof.candidate),
        network=network.to(device_of_spec(run.spec)),
        task=task,
        budget=budget,
        seed=run.result.plan.seed,
        stops=sorted({*stops, budget.steps}),
    )
    train_in(work, proof, show_progress=telling.show_progress, interruption=telling.interruption)
    run.interrupted = not proof.finished


def _diverged(run: TuneRun, error: NumericalError) -> None:
    """Close the folder of a run whose training says that there is nothing to recommend.

    Raises:
        NumericalError: Always.
    """
    run.diverged, run.partial = str(error), False
    run.proofs.clear()
    (run.folder / CHECKPOINT).unlink(missing_ok=True)
    write_run(run)
    raise NumericalError(
        f"{run.result.choice} was predicted best, but nothing is recommended. {error}"
    ) from error
