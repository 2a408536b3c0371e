"""From a Spec to a run folder: predict, recommend, prove, draw."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from ntkit._core.threads import use_threads
from ntkit.experiments import figures
from ntkit.experiments.photo import load_photo
from ntkit.experiments.report import write_report
from ntkit.experiments.results import RunResult, write_json
from ntkit.experiments.spec import TuneSpec, parse_budget
from ntkit.experiments.verify import Proof, prepare, verify
from ntkit.tasks.signals import Signal
from ntkit.tuning import Candidate, initial_error, tune
from ntkit.tuning.candidates import candidates, default_bandwidths

__all__ = ["run_tune"]


def run_tune(
    spec: TuneSpec,
    *,
    on_progress: Callable[[str], None] | None = None,
    on_recommendation: Callable[[RunResult], None] | None = None,
    show_progress: bool = True,
) -> RunResult:
    """Do what `spec` asks and write the run folder.

    Nothing is written before the input has been read and every option checked. An interrupt during
    training keeps what was reached: the folder then says that it is partial.

    Args:
        spec: What is asked.
        on_progress: Called with a line of text at each stage of the prediction.
        on_recommendation: Called with the run before its proof by training.
        show_progress: Whether to draw progress bars while training.
    """
    budget = parse_budget(spec.budget, spec.batch_size)
    threads = use_threads(spec.threads)
    photo = load_photo(spec.photo, downscale=spec.downscale)
    signal = photo.signal
    candidates(signal.shape, spec.encodings, spec.bandwidths or default_bandwidths(signal.shape))
    folder = _writable(spec.folder)
    result = tune(
        signal,
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
    spec = replace(spec, out=folder)
    notes = (*photo.notes, *result.notes)
    run = RunResult(spec, signal.shape, signal.n_outputs, result, notes, threads)
    write_json(run, folder)
    if on_recommendation:
        on_recommendation(run)
    run.initial_error = initial_error(result, signal)
    if spec.verify:
        _prove(run, signal, show_progress=show_progress)
    _finish(run, signal, folder)
    return run


def _prove(run: RunResult, signal: Signal, *, show_progress: bool) -> None:
    """Train the recommended network, then the one with no encoding; an interrupt ends it early."""
    trained = [run.result.choice]
    if "identity" in run.result.curves and run.result.choice.name != "identity":
        trained.append(Candidate("identity"))
    try:
        for candidate in trained:
            antisymmetric = run.spec.symmetrise
            proof = prepare(run.result, signal, candidate, antisymmetric=antisymmetric)
            run.proofs.append(proof)
            verify(
                proof, signal, run.result, antisymmetric=antisymmetric, show_progress=show_progress
            )
    except KeyboardInterrupt:
        run.partial = True
    run.partial = run.partial or len(run.proofs) < len(trained)


def _finish(run: RunResult, signal: Signal, folder: Path) -> None:
    """Weights, pictures, JSON and the report."""
    judged = [proof for proof in run.proofs if proof.checkpoints]
    for proof, name in zip(run.proofs, ("recommended", "no_encoding"), strict=False):
        _save_weights(proof, folder / f"{name}.safetensors")
    figures.save(figures.spectrum_figure(run.result, signal), folder / "spectrum.png")
    if any(row.candidate.name == "gaussian" for row in run.result.table):
        figures.save(figures.bandwidth_figure(run.result, judged), folder / "bandwidth.png")
    figures.save(figures.learning_figure(run.result, judged), folder / "learning.png")
    if judged:
        figures.save(figures.images_figure(signal, run.result, judged), folder / "images.png")
    write_json(run, folder)
    write_report(run, folder)


def _save_weights(proof: Proof, path: Path) -> None:
    state = {k: v.contiguous() for k, v in proof.network.state_dict().items()}
    step = proof.checkpoints[-1].step if proof.checkpoints else 0
    metadata = {
        "encoding": str(proof.candidate),
        "finished": str(proof.finished),
        "step": str(step),
    }
    save_file(state, path, metadata=metadata)


def _writable(folder: Path) -> Path:
    """Make the run folder and try it, and clear what an earlier run left there under our names.

    Raises:
        OSError: It cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".ntkit-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OSError(
            f"`out={folder}` cannot be written: {error.strerror or error}. Pass another folder."
        ) from None
    for pattern in ("*.png", "*.safetensors", "report.html", "result.json", "spec.json"):
        for old in folder.glob(pattern):
            old.unlink()
    return folder
