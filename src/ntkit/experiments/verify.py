"""The proof: train the recommended network, and the same one without an encoding."""

import sys
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic

import torch
from torch import nn
from tqdm import tqdm

from ntkit._core.errors import NumericalError
from ntkit.experiments.interruption import Interruption
from ntkit.experiments.proof import Proof
from ntkit.experiments.results import RunResult
from ntkit.experiments.run_folder import CHECKPOINT
from ntkit.experiments.weights import about, read_tensors, write_tensors
from ntkit.networks import symmetrise
from ntkit.tasks import Evaluation, Signal, Trainer, psnr
from ntkit.tuning import Candidate, build_network

__all__ = ["finished_proof", "prove"]

_SECONDS = 5.0  # between checkpoints: what is lost at most, but for one step


def prove(
    run: RunResult,
    signal: Signal,
    candidate: Candidate,
    name: str,
    *,
    show_progress: bool,
    interruption: Interruption,
) -> None:
    """Train the network with the encoding of `candidate` by the budget of `run`, and write its weights.

    A checkpoint of the same training in the folder is gone on from, and every few seconds one is written.
    The weights of a training that was stopped are those that it would be judged by.

    Args:
        run: The recommendation; the proof is added to its `proofs`.
        signal: What to fit.
        candidate: The encoding.
        name: Name of the file of weights.
        show_progress: Whether to draw a progress bar.
        interruption: Asked after each step; where it wants so, the training ends there, with a checkpoint.

    A training that diverges raises `NumericalError`.
    """
    budget = run.result.budget
    network: nn.Module = build_network(run.result, candidate, len(run.shape), run.n_outputs)
    if run.spec.symmetrise:
        network = symmetrise(network)
    trainer = Trainer(
        network,
        signal,
        budget,
        average=budget.optimiser == "adam",
        generator=torch.Generator().manual_seed(run.result.seed),
    )
    path = run.folder / CHECKPOINT
    before = _restored(trainer, path, name)
    proof = Proof(candidate, trainer.evaluations)
    run.proofs.append(proof)
    began = saved = monotonic()

    def save() -> None:
        seconds = before + monotonic() - began
        write_tensors(path, trainer.state(), {"network": name, "seconds": seconds})

    stops = [p.steps for p in run.result.curves[str(run.result.choice)]]
    bar, show = _progress(run, candidate, trainer.step, show_progress=show_progress)

    def step_done(step: int, loss: float) -> None:
        nonlocal saved
        show(step, loss)
        if interruption.asked:
            save()
            raise KeyboardInterrupt
        if monotonic() - saved > _SECONDS:
            save()
            saved = monotonic()

    with bar, interruption.deferred():
        try:
            trainer.run(
                evaluate_at=[int(s) for s in stops if s >= budget.steps / 100], on_step=step_done
            )
            _refuse_nonsense(proof, signal)
            proof.finished = True
        except KeyboardInterrupt:  # here at the end of a step
            run.interrupted = True
    trainer.take_better()
    proof.seconds = before + monotonic() - began
    facts = about(
        run.architecture(candidate),
        encoding=str(candidate),
        finished=proof.finished,
        step=trainer.step,
        seconds=proof.seconds,
        evaluations=[asdict(e) for e in proof.evaluations],
    )
    write_tensors(run.folder / f"{name}.safetensors", network.state_dict(), facts)
    if proof.finished:
        path.unlink(missing_ok=True)


def _refuse_nonsense(proof: Proof, signal: Signal) -> None:
    """A training whose numbers stayed finite, but that only made things worse, diverged as well.

    Raises:
        NumericalError: It ends with ten times the error of a network that says 0 everywhere.
    """
    end, power = proof.evaluations[-1], float(signal.values.square().mean())
    if not (end.is_finite and end.train <= 10 * power):
        raise NumericalError(
            f"The training diverged: it ends with a mean square error of {end.train:.3g}, where the "
            f"signal's mean square is {power:.3g}. Take a smaller learning rate."
        )


def finished_proof(run: RunResult, candidate: Candidate, name: str) -> Proof | None:
    """What the folder's weights of this name say of a training that came to its end, if it did."""
    path = run.folder / f"{name}.safetensors"
    if not path.is_file():
        return None
    facts = read_tensors(path)[1]
    if facts.get("finished") is not True or "evaluations" not in facts:
        return None
    evaluations = [Evaluation(**e) for e in facts["evaluations"]]
    return Proof(candidate, evaluations, finished=True, seconds=float(facts["seconds"]))


def _restored(trainer: Trainer, path: Path, name: str) -> float:
    """Put a checkpoint of this network back, and return how long it had trained, in seconds."""
    if not path.is_file():
        return 0.0
    state, facts = read_tensors(path)
    if facts.get("network") != name:
        return 0.0
    trainer.restore(state)
    return float(facts["seconds"])


def _progress(
    run: RunResult, candidate: Candidate, done: int, *, show_progress: bool
) -> tuple[tqdm, Callable[[int, float], None]]:
    """A progress bar, and what tells it of a step."""
    recent: deque[float] = deque(maxlen=20)
    bar = tqdm(
        total=run.result.budget.steps,
        initial=done,
        desc=f"training {candidate.label}{' (symmetrised)' if run.spec.symmetrise else ''}",
        unit="step",
        disable=not show_progress,
        mininterval=0.2 if sys.stderr.isatty() else 15,
    )

    def show(step: int, loss: float) -> None:
        recent.append(loss)
        bar.update()
        if step % 10 == 0:
            bar.set_postfix_str(f"PSNR {psnr(sum(recent) / len(recent)):.1f} dB", refresh=False)

    return bar, show
