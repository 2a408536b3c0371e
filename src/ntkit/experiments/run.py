"""From a Spec to a run folder: predict, recommend, prove, draw."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ntkit._core.errors import NumericalError
from ntkit._core.threads import use_threads
from ntkit._core.whole_files import shown, write_with
from ntkit.experiments import figures
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.report import write_report
from ntkit.experiments.results import RunResult, read_run, write_run
from ntkit.experiments.run_folder import CHECKPOINT, RESULT, SPEC, WEIGHTS, RunFolder
from ntkit.experiments.spec import TuneSpec, parse_budget
from ntkit.experiments.verify import finished_proof, prove
from ntkit.tasks import Signal
from ntkit.tasks.files.photo import Photo, load_photo
from ntkit.tuning import Candidate, initial_error, tune
from ntkit.tuning.candidates import candidates, default_bandwidths

__all__ = ["resume_tune", "run_tune"]

_SECONDS_A_MEGAPIXEL = 20.0  # of a choice between a dozen candidates, measured on two cores


def run_tune(
    spec: TuneSpec,
    *,
    force: bool = False,
    command: str = "",
    on_progress: Callable[[str], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    on_recommendation: Callable[[RunResult], None] | None = None,
    show_progress: bool = True,
    interruption: Interruption | None = None,
) -> RunResult:
    """Do what `spec` asks and write the run folder.

    Nothing is written before the input has been read and every option checked, and nothing of another
    run is touched. An interrupt during training keeps what was reached: the folder then says that it is
    partial, and `resume_tune` goes on with it.

    Args:
        spec: What is asked.
        force: Write into the folder asked for although it holds something; a run in it is replaced.
        command: The command line, for the report.
        on_progress: Called with a line of text at each stage of the prediction.
        on_notice: Called with a line of text before work that takes minutes.
        on_recommendation: Called with the run before its proof by training.
        show_progress: Whether to draw progress bars while training.
        interruption: What ends a training at a step; without, Ctrl-C ends the run at the last checkpoint.

    Where training diverges nothing is recommended: a `NumericalError`.
    """
    spec.check()
    threads = use_threads(spec.threads)
    photo = _photo(spec)
    shape = photo.signal.shape
    candidates(shape, spec.encodings, spec.bandwidths or default_bandwidths(shape))
    with RunFolder.new(spec.out, spec.default_name, force=force) as folder:
        _open(folder, spec, threads, command)
        _announce(spec, photo.signal, on_notice)
        run = _recommended(spec, folder, photo, threads, on_progress)
        write_run(run)
        if on_recommendation:
            on_recommendation(run)
        _prove_and_finish(run, photo.signal, show_progress=show_progress, interruption=interruption)
    return run


def resume_tune(
    path: Path,
    *,
    on_progress: Callable[[str], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    on_recommendation: Callable[[RunResult], None] | None = None,
    show_progress: bool = True,
    interruption: Interruption | None = None,
) -> RunResult:
    """Go on with the run of a folder where it stopped, however it was stopped.

    With the same thread count, on the same processor, it ends with the weights of a run that was not
    stopped. A run that is whole is returned as it is.

    Args:
        path: The run folder.
        on_progress: As in `run_tune`.
        on_notice: As in `run_tune`.
        on_recommendation: As in `run_tune`.
        show_progress: As in `run_tune`.
        interruption: As in `run_tune`.

    Raises:
        ValueError: The photo is no longer what it was.
    """
    folder = RunFolder(path)
    spec = TuneSpec.from_dict(folder.spec)
    with folder.locked():
        found = folder.result
        threads = use_threads(found.get("threads") or spec.threads)
        fresh = "table" not in found
        run = None if fresh else read_run(path)
        if run and not run.partial:
            if on_recommendation:
                on_recommendation(run)
            return run
        photo = _photo(spec)
        digest = found.get("input_sha256")
        if digest not in {None, _digest(spec.photo)}:
            raise ValueError(
                f"`{shown(spec.photo)}` is no longer what the run in `{shown(path)}` was started with. "
                "Put the old file back, or start a new run."
            )
        if run is None:
            _announce(spec, photo.signal, on_notice)
            run = _recommended(spec, folder, photo, threads, on_progress)
            write_run(run)
        if on_recommendation:
            on_recommendation(run)
        run.proofs.clear()
        _prove_and_finish(run, photo.signal, show_progress=show_progress, interruption=interruption)
    return run


def _photo(spec: TuneSpec) -> Photo:
    return load_photo(
        spec.photo, downscale=spec.downscale, channels=spec.channels, frame=spec.frame
    )


def _open(folder: RunFolder, spec: TuneSpec, threads: int, command: str) -> None:
    """The first bytes of a run: what is asked, and that nothing is found so far."""
    begun = {
        "partial": True,
        "job": "tune",
        "started": _now(),
        "threads": threads,
        "input_sha256": _digest(spec.photo),
        "command": command,
    }
    folder.write(RESULT, begun)
    folder.write(SPEC, spec.to_dict())


def _announce(spec: TuneSpec, signal: Signal, on_notice: Callable[[str], None] | None) -> None:
    """Say beforehand how long a choice will take that takes minutes, and how to have it sooner."""
    seconds = signal.values[..., 0].numel() / 1e6 * _SECONDS_A_MEGAPIXEL
    if on_notice and seconds > 60:
        shape = " x ".join(map(str, signal.shape))
        factor = max(2, ceil((seconds / 30) ** (1 / len(signal.shape))))
        on_notice(
            f"{shape} samples: the choice will take about {seconds / 60:.0f} min. `--downscale "
            f"{factor * spec.downscale}` takes half a minute, for the smaller picture."
        )


def _recommended(
    spec: TuneSpec,
    folder: RunFolder,
    photo: Photo,
    threads: int,
    on_progress: Callable[[str], None] | None,
) -> RunResult:
    budget = parse_budget(spec.budget, spec.batch_size)
    begun = folder.result
    try:
        result = tune(
            photo.signal,
            goal=spec.goal,
            optimiser=budget.optimiser,
            lr=budget.lr,
            steps=budget.steps,
            batch_size=budget.batch_size,
            encodings=spec.encodings,
            bandwidths=spec.bandwidths,
            width=spec.width,
            depth=spec.depth,
            n_frequencies=spec.n_frequencies,
            engine=spec.engine,
            generator=torch.Generator().manual_seed(spec.seed),
            on_progress=on_progress,
        )
    except Exception:
        folder.discard()  # there is nothing to keep, and nothing to go on from
        raise
    return RunResult(
        spec=spec,
        folder=folder.path,
        shape=photo.signal.shape,
        n_outputs=photo.signal.n_outputs,
        result=result,
        notes=(*photo.notes, *result.notes),
        threads=threads,
        started=begun["started"],
        input_digest=begun["input_sha256"],
        command=begun.get("command", ""),
        initial_error=initial_error(result, photo.signal),
    )


def _prove_and_finish(
    run: RunResult,
    signal: Signal,
    *,
    show_progress: bool,
    interruption: Interruption | None,
) -> None:
    """Train the recommended network, then the one with no encoding; an interrupt ends it early."""
    interruption = interruption or Interruption()
    wanted = [run.result.choice]
    if "identity" in run.result.curves and run.result.choice.name != "identity":
        wanted.append(Candidate("identity"))
    for candidate, name in zip(wanted, WEIGHTS, strict=False) if run.spec.verify else ():
        done = finished_proof(run, candidate, name)
        if done:
            run.proofs.append(done)
            continue
        try:
            prove(
                run, signal, candidate, name, show_progress=show_progress, interruption=interruption
            )
        except NumericalError as error:
            if name == WEIGHTS[0]:
                _diverged(run, error)
            run.notes = (*run.notes, f"Training with {candidate.label} diverged: it was left out.")
            run.proofs.pop()
        if run.interrupted:
            break
        write_run(run)
    run.partial = run.interrupted
    _draw(run, signal)
    write_report(run)
    write_run(run)


def _diverged(run: RunResult, error: NumericalError) -> None:
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


def _draw(run: RunResult, signal: Signal) -> None:
    judged = [proof for proof in run.proofs if proof.evaluations]

    def save(figure: Figure, name: str) -> None:
        write_with(run.folder / f"{name}.png", lambda path: figures.save(figure, path))

    save(figures.spectrum_figure(run.result, signal), "spectrum")
    if any(row.candidate.name == "gaussian" for row in run.result.table):
        save(figures.bandwidth_figure(run.result, judged), "bandwidth")
    save(figures.learning_figure(run.result, judged), "learning")
    if judged:
        save(figures.images_figure(signal, run.result, judged, _outputs(run, signal)), "images")


def _outputs(run: RunResult, signal: Signal) -> list[Tensor]:
    """What each trained network gives at every sample, `[*shape, o]`."""
    found = []
    for proof, name in zip(run.proofs, WEIGHTS, strict=False):
        if proof.evaluations:
            network = run.trained(name=name)
            with torch.no_grad():
                parts = [network(x) for x in signal.grid.points().float().split(8192)]
            found.append(torch.cat(parts).reshape(*signal.shape, -1))
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
